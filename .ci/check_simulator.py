"""Walks the simulated Close with Close's own client and with the public Singer tap, which know nothing of the simulator, and
counts what they find.

Usage: check_simulator.py LOCAL DIRECTORY TAP

LOCAL is the built `local` binary, the one of `cargo local`. What it and the tap say goes to DIRECTORY. TAP is the Python of
requirements-tap.txt.
"""

import collections
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from closeio_api import API

ROOT = Path(__file__).resolve().parent.parent
# The client drops the fraction of `reset` and gives up after so many tries, which within a second may be many.
MAX_RETRIES = 10_000
END_SECONDS = 20
TAP_SECONDS = 60
# The lists, with the parameters that show all there is and the largest page.
LISTS = {
    "lead": {"_limit": 200},
    "contact": {"_limit": 200},
    "opportunity": {"_limit": 250, "_order_by": "date_updated"},
    "task": {"_limit": 200, "_type": "all"},
    "activity": {"_limit": 100},
    "custom_field/lead": {"_limit": 1},
    "user": {},
}
# The tap's streams, each with the list or the log that it reads.
STREAMS = {
    "activities": "activity",
    "custom_fields": "custom_field/lead",
    "event_log": "event",
    "leads": "lead",
    "tasks": "task of a lead",
    "users": "user",
}
OLDEST_FIRST = {"query": 'date_updated>="2020-01-01" sort:date_updated'}
SEARCH = {
    "query": {"type": "and", "queries": [{"type": "object_type", "object_type": "lead"}]},
    "sort": [
        {
            "direction": "asc",
            "field": {"type": "regular_field", "object_type": "lead", "field_name": "date_updated"},
        }
    ],
    "_fields": {"lead": ["id", "name", "date_updated", "contacts"]},
    "_limit": 50,
}


class Client(API):
    """Counts how often it is told to wait."""

    def __init__(self, url: str, key: str):
        super().__init__(f"{url}/", key, max_retries=MAX_RETRIES)
        self.waits = 0

    def _get_rate_limit_sleep_time(self, response):
        self.waits += 1
        return super()._get_rate_limit_sleep_time(response)


def main() -> None:
    local, directory = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    tap = Path(sys.argv[3]).absolute() # Resolved, it would be the Python that its environment was made from.
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "local.log").open("w") as log:
        close = subprocess.Popen([local, "--close-alone"], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=log)
        try:
            about = json.loads(close.stdout.readline())
            problems = check(Client(about["url"], about["key"]), about["counts"])
            problems += check_tap(tap, directory, about)
        finally:
            close.send_signal(signal.SIGINT)
            status = close.wait(END_SECONDS)
    if status != 0:
        problems.append((directory / "local.log").read_text())
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


def check(client: Client, counts: dict[str, int]) -> list[str]:
    """Everything that is wrong."""
    problems = []

    def expect(what: str, found: object, expected: object) -> None:
        if found != expected:
            problems.append(f"{what}: expected {expected}, found {found}")

    for name, parameters in LISTS.items():
        ids = [one["id"] for one in walk(client, name, parameters)]
        expect(f"{name}, each once", len(set(ids)), len(ids))
        expect(f"{name}, all", len(ids), counts[name])
        path = name if name != "activity" else "activity/created"
        first = client.get(path, {"_limit": 1})["data"][0]
        expect(f"{name}, one", client.get(f"{path}/{first['id']}"), first)
    schema = client.get("custom_field_schema/lead")["fields"]
    expect("the schema of custom fields", len(schema), counts["custom_field/lead"])
    expect("integration links", list(walk(client, "integration_link", {})), [])
    expect("leads of a query", sum(1 for _ in walk(client, "lead", OLDEST_FIRST)), counts["lead"])
    found = [(one["date_updated"], one["id"]) for one in search(client)]
    expect("search, each once", len(set(found)), counts["lead"])
    dates = [date for date, _ in found]
    expect("search, in order", dates, sorted(dates))
    entries = [(entry["date_updated"], entry["id"]) for entry in events(client)]
    expect("events, each once", len(set(entries)), counts["event"])
    dates = [date for date, _ in entries]
    expect("events, newest first", dates, sorted(dates, reverse=True))
    expect("parameters in the body", in_the_body(client), client.get("task", {"_type": "email_followup"}))
    webhooks(client, expect)
    expect("told to wait", client.waits > 0, True)
    walked = sum(counts[name] for name in [*LISTS, "event"])
    print(f"{walked} objects and events walked, told to wait {client.waits} times: {len(problems)} problems")
    return problems


def check_tap(tap: Path, directory: Path, about: dict) -> list[str]:
    """Everything that the tap did not find once."""
    start = datetime.now(UTC) - timedelta(days=1)
    arguments = [about["url"], about["key"], start.strftime("%Y-%m-%dT%H:%M:%SZ")]
    with (directory / "tap.log").open("w") as log:
        command = [tap, ROOT / ".ci" / "tap.py", *arguments]
        said = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=log, timeout=TAP_SECONDS)
    if said.returncode != 0:
        return [f"the tap failed: {(directory / 'tap.log').read_text()}"]
    messages = [json.loads(line) for line in said.stdout.splitlines()]
    records = [one for one in messages if one["type"] == "RECORD"]
    found = collections.Counter(one["stream"] for one in records)
    unique = {(one["stream"], one["record"]["id"]) for one in records}
    expected = {stream: about["counts"][name] for stream, name in STREAMS.items()}
    problems = [f"the tap: expected {expected}, found {dict(found)}"] if found != expected else []
    if len(unique) != len(records):
        problems.append(f"the tap: {len(records)} records of {len(unique)} objects")
    print(f"{len(records)} objects and events walked by the tap: {len(problems)} problems")
    return problems


def walk(client: Client, name: str, parameters: dict) -> Iterator[dict]:
    """A list to its end, by offset."""
    skip = 0
    while True:
        page = client.get(name, {**parameters, "_skip": skip})
        yield from page["data"]
        skip += len(page["data"])
        if not page["has_more"]:
            return


def search(client: Client) -> Iterator[dict]:
    """All leads, by cursor."""
    request = SEARCH
    while True:
        page = client.post("data/search", request)
        yield from page["data"]
        if page["cursor"] is None:
            return
        request = {**SEARCH, "cursor": page["cursor"]}


def events(client: Client) -> Iterator[dict]:
    """The event log, by cursor."""
    parameters = {}
    while True:
        page = client.get("event", parameters)
        yield from page["data"]
        if page["cursor_next"] is None:
            return
        parameters = {"_cursor": page["cursor_next"]}


def in_the_body(client: Client) -> dict:
    """A list whose parameters are not in the URL."""
    body = {"_params": {"_type__in": ["email_followup"]}}
    return client.post("task", body, headers={"x-http-method-override": "GET"})


def webhooks(client: Client, expect) -> None:
    """A subscription's life."""
    event = {"object_type": "lead", "action": "created"}
    created = client.post("webhook", {"url": "http://127.0.0.1:9/", "events": [event]})
    expect("a webhook's key", len(created["signature_key"]), 64)
    paused = client.put(f"webhook/{created['id']}", {"status": "paused"})
    expect("a paused webhook", paused["status"], "paused")
    listed = client.get("webhook")["data"]
    expect("the list of webhooks", [one["id"] for one in listed], [created["id"]])
    client.delete(f"webhook/{created['id']}")
    expect("no webhook", client.get("webhook")["data"], [])


if __name__ == "__main__":
    main()
