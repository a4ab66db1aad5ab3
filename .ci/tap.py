"""Walks Close with the public Singer tap, all streams of it, and prints Singer's messages.

Usage: tap.py URL KEY START

URL is the base URL of the API, in place of the one that the tap has fixed. START is when the oldest data is from.
"""

import sys
import time

from tap_closeio import discover, http, sync
from tap_closeio.context import Context


class Client(http.Client):
    """Waits as Close asks today. By itself the tap reads the headers and bodies of 2017 alone."""

    def prepare_and_send(self, request):
        while True:
            response = super().prepare_and_send(request)
            if response.status_code != 429:
                return response
            time.sleep(float(response.headers["RateLimit-Reset"]))


def main() -> None:
    http.BASE_URL, key, start = sys.argv[1:]
    config = {"api_key": key, "start_date": start}
    context = Context(config, {})
    context.client = Client(config)
    catalog = discover(context)
    for stream in catalog.streams:
        stream.schema.selected = True
    context.catalog = catalog
    sync(context)


if __name__ == "__main__":
    main()
