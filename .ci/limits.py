"""Asserts what AWS's limits ask of the template: on loops, on concurrency, on retries."""

import json

from resources import of_type, references

RESERVED = {"Fn::FindInMap": ["ReservedConcurrency", "PollerFunction", "Executions"]}


def check(template):
    yield from loops(template["Resources"])
    yield from retries(template["Resources"])
    yield from concurrency(template)


def loops(resources):
    """Lambda ends what goes from a queue to a function and back too often, in no log: that is to be said, and an alarm."""
    watched = [
        alarm["Dimensions"][0]["Value"].get("Ref")
        for _, alarm in of_type(resources, "AWS::CloudWatch::Alarm")
        if alarm.get("MetricName") == "RecursiveInvocationsDropped"
    ]
    for _, mapping in of_type(resources, "AWS::Lambda::EventSourceMapping"):
        name = mapping["FunctionName"]["Ref"]
        function = resources[name]["Properties"]
        is_loop = references(function["Environment"]) & references(mapping["EventSourceArn"])
        if is_loop and function.get("RecursiveLoop") != "Terminate":
            yield f"{name}: it does not say that Lambda ends its loops"
        if is_loop and name not in watched:
            yield f"{name}: no alarm says that Lambda has ended a loop"


def retries(resources):
    for name, rule in of_type(resources, "AWS::Events::Rule"):
        for target in rule["Targets"] if "EventPattern" in rule else []:
            if target.get("RetryPolicy", {}).get("MaximumRetryAttempts") == 0:
                yield f"{name}: one failure that passes is a dead letter"


def concurrency(template):
    """To reserve some is for the operator to choose: it fails where less than 100 would be left."""
    if template.get("Mappings", {}).get("ReservedConcurrency") != {"PollerFunction": {"Executions": 0}}:
        yield "ReservedConcurrency: it is not off"
    expected = {"Fn::If": ["HasReservedConcurrency", RESERVED, {"Ref": "AWS::NoValue"}]}
    for name, function in of_type(template["Resources"], "AWS::Lambda::Function"):
        reserved = function.get("ReservedConcurrentExecutions")
        if reserved != (expected if name == "PollerFunction" else None):
            yield f"{name}: it reserves {json.dumps(reserved)}"
