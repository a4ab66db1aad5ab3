"""Deploys what `sam build` built with `sam deploy`, into an AWS on this machine, and takes each channel through it once.

Usage: check_deployment.py BUILD ARCHITECTURE LOCAL MINISTACK DIRECTORY

BUILD is the folder that `sam build` wrote for ARCHITECTURE, LOCAL the built `local` binary, for the simulated Close, and
MINISTACK the emulator's program. What they say goes to DIRECTORY.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import dashboard
import ministack
from deployed import Stack, expect
from receiver import receiving

ROOT = Path(__file__).resolve().parent.parent
WEBHOOK = ROOT / "tests/it/samples/webhook-delivery-lead-created.json"
SIGNATURE_KEY = "5ec2e7" * 8
CALLBACK_KEY = "the key that callbacks are signed with"
# What outlives a stack: docs/deploy.md.
RETAINED = {"CallbackWaitsTable", "InstancesTable", "LedgerTable", "TablesKey", "WatermarksTable"}


def main() -> None:
    architecture = sys.argv.pop(2)
    build, local, program, directory = (Path(argument).absolute() for argument in sys.argv[1:])
    directory.mkdir(parents=True, exist_ok=True)
    with simulated_close(local, directory) as close, ministack.running(program, directory) as url:
        parameters = {"Architecture": architecture, "CloseBaseUrls": close["url"]}
        deploy = partial(deployed, build, directory, url, parameters)
        stack = deploy("closeio-events", ministack.REGION)
        ministack.expect_lacking(stack.client("cloudformation"))
        show(stack)
        webhook(stack, close)
        poll(stack, close)
        callback(stack, close)
        copies(stack, close, deploy)


def deployed(build: Path, directory: Path, url: str, parameters: dict[str, str], name: str, region: str) -> Stack:
    started = time.monotonic()
    ministack.deploy(build, url, name, region, parameters, directory)
    print(f"{name} in {region}: deployed in {time.monotonic() - started:.0f} s")
    stack = Stack(url, name, region)
    expect("tags of the stack", stack.tags(), ministack.tags(), name)
    return stack


@contextlib.contextmanager
def simulated_close(local: Path, directory: Path) -> Iterator[dict]:
    """Runs the simulated Close, and gives what it says of itself."""
    with (directory / "close.log").open("w") as log:
        process = subprocess.Popen([local, "--close-alone"], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=log)
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def show(stack: Stack) -> None:
    """The dashboard is one that CloudWatch takes, after CloudFormation has put it together."""
    name = stack.resources["Dashboard"]
    body = json.loads(stack.client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"])
    expect("the dashboard", list(dashboard.problems(body)), [], body)
    print(f"dashboard: {len(body['widgets'])} widgets")


def webhook(stack: Stack, close: dict) -> None:
    """A signed webhook becomes an event."""
    instance = stack.provision("Webhook", configuration(close) | {"event.webhook.signature.key": SIGNATURE_KEY})
    status, answer = stack.request("POST", webhook_path(instance), WEBHOOK.read_bytes())
    expect("an unsigned webhook", status, 401, answer)
    event = receive(stack, instance)
    expect("webhook: its type", event["detail-type"], "lead.created", event)
    expect("webhook: its channel", event["detail"]["channel"], "webhook", event)
    print("webhook: provisioned, received, seen on the queue")


def receive(stack: Stack, instance: dict) -> dict:
    """Sends the instance a signed webhook, and gives the event that comes of it."""
    body = WEBHOOK.read_bytes()
    status, answer = stack.request("POST", webhook_path(instance), body, signature(body))
    expect("a signed webhook", status, 200, answer)
    events = stack.events(1)
    expect("webhook: events", [event["detail"]["id"] for event in events], answer["events"], events)
    return events[0]


def webhook_path(instance: dict) -> str:
    return f"/events/closeio/{base64.b64encode(str(instance['id']).encode()).decode()}"


def signature(body: bytes) -> dict[str, str]:
    """Close's signature of a body."""
    timestamp = str(int(time.time()))
    digest = hmac.new(bytes.fromhex(SIGNATURE_KEY), timestamp.encode() + body, hashlib.sha256).hexdigest()
    return {"close-sig-timestamp": timestamp, "close-sig-hash": digest}


def poll(stack: Stack, close: dict) -> None:
    """The tick asks for a poll, and every lead becomes an event."""
    url = "/hubs/crm/leads?where=date_updated>'${gmtDate:yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX}'"
    settings = {
        "event.vendor.type": "polling",
        "event.poller.start": "2000-01-01T00:00:00Z",
        "event.poller.configuration": {"leads": {"url": url}},
    }
    stack.provision("Polling", configuration(close) | settings)
    stack.tick()
    count = close["counts"]["lead"]
    events = stack.events(count)
    expect("poll: events", len(events), count, events)
    expect("poll: leads", len({event["detail"]["objectId"] for event in events}), count, events)
    expect("poll: channels", {event["detail"]["channel"] for event in events}, {"polling"}, events)
    print(f"polling: provisioned, dispatched, polled, {count} leads seen on the queue")


def callback(stack: Stack, close: dict) -> None:
    """An event goes through rule, queue and callback-fn to the instance's callback URL, signed."""
    with receiving() as receiver:
        settings = {
            "event.notification.type": "webhook",
            "event.notification.callback.url": receiver.url,
            "event.notification.signature.key": CALLBACK_KEY,
            "event.webhook.signature.key": SIGNATURE_KEY,
        }
        event = receive(stack, stack.provision("Callback", configuration(close) | settings))
        headers, body = receiver.next()
    expect("callback: its event", json.loads(body)["message"]["eventId"], event["detail"]["id"], body)
    digest = base64.b64encode(hmac.digest(CALLBACK_KEY.encode(), body, "sha256")).decode()
    expect("callback: its signature", headers["Elements-Webhook-Signature"], f"sha256={digest}", headers)
    expect("callback: its id", headers["webhook-id"], event["detail"]["id"], headers)
    print("callbacks: provisioned, queued, received and verified")


def copies(first: Stack, close: dict, deploy: Callable[[str, str], Stack]) -> None:
    """A second stack in the same account and region, and one in another region, live and die beside the first."""
    known = instances(first)
    second = deploy("closeio-events-2", first.region)
    elsewhere = deploy(first.name, "eu-central-1")
    shared = set(first.resources.values()) & set(second.resources.values())
    # A stage is its API's own.
    expect("what two stacks share", shared, {"$default"}, shared)
    expect("instances of a second stack", instances(second), set(), second.name)
    receive(second, second.provision("Second", configuration(close) | {"event.webhook.signature.key": SIGNATURE_KEY}))
    expect("events of the first stack", first.seen(), [], second.name)
    for stack in (second, elsewhere):
        expect(f"what outlives {stack.name} in {stack.region}", stack.delete(), RETAINED, stack.name)
    # Nothing of the old one is in the way of a new one.
    expect("instances of a stack that was made again", instances(deploy(second.name, second.region)), set(), second.name)
    expect("instances of the first stack", instances(first), known, first.name)
    print("copies: a second stack, another region, deleted, made again; the first knows nothing of it")


def instances(stack: Stack) -> set[int]:
    return {instance["id"] for instance in stack.instances()}


def configuration(close: dict) -> dict:
    return {
        "username": close["key"],
        "base.url": close["url"],
        "event.notification.enabled": True,
        "event.notification.type": "eventbridge",
        "event.vendor.type": "webhook",
    }


if __name__ == "__main__":
    main()
