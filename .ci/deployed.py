"""A stack that was deployed, as its user and its operator have it."""

import json
import time
import urllib.error
import urllib.request

import boto3
import ministack
from botocore.config import Config

AUTHORIZATION = f"User {ministack.USER_SECRET}, Organization {ministack.ORGANIZATION_SECRET}"
# ministack polls by itself what a custom runtime answers, and a poll of all leads is some dozens of calls.
ARRIVAL_SECONDS = 120
DELETE_SECONDS = 120
# As template.yaml names the poller's source and as EventBridge describes a schedule's tick.
TICK = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


class Stack:
    """What was deployed, and a queue that gets what it publishes."""

    def __init__(self, url: str, name: str, region: str):
        self.url, self.name, self.region = url, name, region
        self.resources = {
            one["LogicalResourceId"]: one["PhysicalResourceId"]
            for page in self.client("cloudformation")
            .get_paginator("list_stack_resources")
            .paginate(StackName=name)
            for one in page["StackResourceSummaries"]
        }
        self.sqs = self.client("sqs")
        self.queue = self.sqs.create_queue(QueueName=f"seen-{name}")["QueueUrl"]
        self.follow()

    def client(self, service: str):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=self.region,
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
            found += self.seen(wait=1)
        return found

    def seen(self, wait: int = 0) -> list[dict]:
        """What is there of events by now."""
        answer = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10, WaitTimeSeconds=wait)
        messages = answer.get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    def instances(self) -> list[dict]:
        status, shown = self.request("GET", "/instances", headers={"Authorization": AUTHORIZATION})
        expect("GET /instances", status, 200, shown)
        return shown

    def tags(self) -> dict[str, str]:
        [stack] = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return {tag["Key"]: tag["Value"] for tag in stack["Tags"]}

    def delete(self) -> set[str]:
        """Deletes the stack, and gives what is left of it."""
        cloudformation = self.client("cloudformation")
        # A stack is found by its id when it is gone.
        stack = cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]["StackId"]
        cloudformation.delete_stack(StackName=stack)
        waiter = cloudformation.get_waiter("stack_delete_complete")
        waiter.wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": DELETE_SECONDS})
        pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
        events = [event for page in pages for event in page["StackEvents"]]
        return {event["LogicalResourceId"] for event in events if event["ResourceStatus"] == "DELETE_SKIPPED"}


def expect(what: str, found: object, expected: object, about: object) -> None:
    if found != expected:
        raise SystemExit(f"{what}: expected {expected}, found {found}, in {str(about)[:2_000]}")
