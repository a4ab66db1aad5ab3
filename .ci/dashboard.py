"""The dashboard's body as it is deployed, with callbacks and without, and whether CloudWatch would take it."""

import json
import re
from functools import cache
from itertools import combinations
from pathlib import Path

from jsonschema import Draft202012Validator

SCHEMA = Path(__file__).parent / "dashboard.schema.json"


def body(dashboard: dict, has_callbacks: bool) -> str:
    """The body of the resource with its parts put in, and with references as `Fn::Sub` has them."""
    text, parts = dashboard["DashboardBody"]["Fn::Sub"]
    for name, part in parts.items():
        condition, there, otherwise = part["Fn::If"]
        if condition != "HasCallbacks":
            raise ValueError(f"{name} depends on {condition}")
        chosen = there if has_callbacks else otherwise
        text = text.replace(f"${{{name}}}", chosen["Fn::Sub"] if isinstance(chosen, dict) else chosen)
    return text


REFERENCE = re.compile(r"\$\{([\w:]+)(?:\.(\w+))?\}")


def missing(text: str, resources: dict) -> set[str]:
    """What a body refers to that is not there."""
    return {match[1] for match in REFERENCE.finditer(text) if "::" not in match[1]} - resources.keys()


def deployed(text: str, resources: dict, stack: str) -> dict:
    """The body with what CloudFormation puts for references, none of them missing, as the local stack names things."""

    def value(match: re.Match) -> str:
        name, attribute = match[1], match[2]
        known = {"AWS::StackName": stack, "AWS::Region": "us-east-1"}
        if name in known and not attribute:
            return known[name]
        kind = resources[name]["Type"]
        if kind == "AWS::CloudWatch::Alarm" and attribute == "Arn":
            return f"arn:aws:cloudwatch:us-east-1:000000000000:alarm:{stack}-{name}"
        if kind == "AWS::Logs::LogGroup" and not attribute:
            group = resources[name]["Properties"]["LogGroupName"]
            return (group["Fn::Sub"] if isinstance(group, dict) else group).replace("${AWS::StackName}", stack)
        return f"{stack}-{name}"

    return json.loads(REFERENCE.sub(value, text))


@cache
def validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA.read_text()))


def problems(body: dict):
    """What CloudWatch would refuse, or show in another place than it is meant to be."""
    for error in validator().iter_errors(body):
        yield f"{error.json_path}: {error.message[:200]}"
    widgets = [widget for widget in body.get("widgets", []) if {"x", "y", "width", "height"} <= widget.keys()]
    for widget in widgets:
        if 24 < widget["x"] + widget["width"]:
            yield f"{title(widget)}: it ends beyond the 24th column"
    for one, other in combinations(widgets, 2):
        if overlap(one, other):
            yield f"{title(one)}: it lies over {title(other)}"
    # A gap above is closed by CloudWatch, which moves up what is below.
    bottoms = {0} | {widget["y"] + widget["height"] for widget in widgets}
    for widget in widgets:
        if widget["y"] not in bottoms:
            yield f"{title(widget)}: there is nothing above it"


def title(widget: dict) -> str:
    return widget.get("properties", {}).get("title", "a widget")


def overlap(one: dict, other: dict) -> bool:
    def meet(start, size):
        return one[start] < other[start] + other[size] and other[start] < one[start] + one[size]

    return meet("x", "width") and meet("y", "height")
