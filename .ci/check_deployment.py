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
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import dashboard
import ministack
from botocore.config import Config

ROOT = Path(__file__).resolve().parent.parent
WEBHOOK = ROOT / "tests/it/samples/webhook-delivery-lead-created.json"
SIGNATURE_KEY = "5ec2e7" * 8
AUTHORIZATION = f"User {ministack.USER_SECRET}, Organization {ministack.ORGANIZATION_SECRET}"
# It polls by itself what a custom runtime answers, and a poll of all leads is some dozens of calls.
ARRIVAL_SECONDS = 120
# As template.yaml names the poller's source and as EventBridge describes a schedule's tick.
TICK = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


class Stack:
    """What was deployed, and a queue that gets what it publishes."""

    def __init__(self, url: str):
        self.url = url
        self.resources = {
            one["LogicalResourceId"]: one["PhysicalResourceId"]
            for page in self.client("cloudformation")
            .get_paginator("list_stack_resources")
            .paginate(StackName=ministack.STACK)
            for one in page["StackResourceSummaries"]
        }
        self.sqs = self.client("sqs")
        self.queue = self.sqs.create_queue(QueueName="seen")["QueueUrl"]
        self.follow()

    def client(self, service: str):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=ministack.REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 1}),
        )

    def follow(self) -> None:
        """Puts a rule on the bus, as a user would."""
        events, bus = self.client("events"), self.resources["EventBus"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name="seen", EventBusName=bus, EventPattern=json.dumps({"source": ["closeio"]}))
        events.put_targets(Rule="seen", EventBusName=bus, Targets=[{"Id": "seen", "Arn": arn}])

    def request(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None):
        """A request to the API, by its own host name. Returns status and body."""
        host = f"{self.resources['HttpApi']}.execute-api.localhost"
        headers = {"Host": host, "Content-Type": "application/json"} | (headers or {})
        url = f"{self.url}/elements/api-v2{path}"
        request = urllib.request.Request(url, method=method, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def provision(self, name: str, configuration: dict) -> dict:
        """A new instance, as it is shown afterwards."""
        wanted = {"element": {"key": "closeio"}, "name": name, "configuration": configuration}
        headers = {"Authorization": AUTHORIZATION}
        status, created = self.request("POST", "/instances", json.dumps(wanted).encode(), headers)
        expect(f"{name}: POST", status, 200, created)
        status, shown = self.request("GET", f"/instances/{created['id']}", headers=headers)
        expect(f"{name}: GET", status, 200, shown)
        expect(f"{name}: its name", shown["name"], name, shown)
        return shown

    def tick(self) -> None:
        """Does what the schedule does every minute."""
        function = self.resources["PollerFunction"]
        payload = json.dumps(TICK).encode()
        answer = self.client("lambda").invoke(FunctionName=function, Payload=payload)
        expect("the tick", answer.get("FunctionError"), None, answer["Payload"].read())

    def events(self, count: int) -> list[dict]:
        """The next events, or as many of them as come in time."""
        found = []
        end = time.monotonic() + ARRIVAL_SECONDS
        while len(found) < count and time.monotonic() < end:
            answer = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                found.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return found


def main() -> None:
    architecture = sys.argv.pop(2)
    build, local, program, directory = (Path(argument).absolute() for argument in sys.argv[1:])
    directory.mkdir(parents=True, exist_ok=True)
    with simulated_close(local, directory) as close, ministack.running(program, directory) as url:
        parameters = {"Architecture": architecture, "CloseBaseUrls": close["url"]}
        started = time.monotonic()
        ministack.deploy(build, url, parameters, directory)
        print(f"deployed in {time.monotonic() - started:.0f} s")
        stack = Stack(url)
        show(stack)
        webhook(stack, close)
        poll(stack, close)


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
    body = WEBHOOK.read_bytes()
    path = f"/events/closeio/{base64.b64encode(str(instance['id']).encode()).decode()}"
    status, answer = stack.request("POST", path, body)
    expect("an unsigned webhook", status, 401, answer)
    status, answer = stack.request("POST", path, body, signature(body))
    expect("a signed webhook", status, 200, answer)
    events = stack.events(1)
    expect("webhook: events", [event["detail"]["id"] for event in events], answer["events"], events)
    expect("webhook: its type", events[0]["detail-type"], "lead.created", events)
    expect("webhook: its channel", events[0]["detail"]["channel"], "webhook", events)
    print("webhook: provisioned, received, seen on the queue")


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


def configuration(close: dict) -> dict:
    return {
        "username": close["key"],
        "base.url": close["url"],
        "event.notification.enabled": True,
        "event.notification.type": "eventbridge",
        "event.vendor.type": "webhook",
    }


def expect(what: str, found: object, expected: object, about: object) -> None:
    if found != expected:
        raise SystemExit(f"{what}: expected {expected}, found {found}, in {str(about)[:2_000]}")


if __name__ == "__main__":
    main()
