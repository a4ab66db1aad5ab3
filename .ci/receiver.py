"""A receiver of callbacks on this machine."""

import contextlib
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ARRIVAL_SECONDS = 60


class Receiver:
    """What was posted to `url`, in its order."""

    def __init__(self, url: str, posted: queue.Queue):
        self.url, self.posted = url, posted

    def next(self) -> tuple:
        """Headers and body of the next post."""
        try:
            return self.posted.get(timeout=ARRIVAL_SECONDS)
        except queue.Empty:
            raise SystemExit(f"no callback in {ARRIVAL_SECONDS} s") from None


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """Answers 200 to whatever is posted."""
    posted = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            posted.put((self.headers, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield Receiver(f"http://127.0.0.1:{server.server_address[1]}/events", posted)
        finally:
            server.shutdown()
