"""Asserts what the template says of Regions: each has what it can have, by the resource types that CloudFormation has there.

A Region that gets a type falls out of cfn-lint's data; one that is new and lacks one comes in. Either is named here when
cfn-lint is updated.
"""

from functools import cache
from pathlib import Path

from cfnlint.helpers import REGIONS
from cfnlint.schema import ResourceNotFoundError
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from resources import of_type

DEPLOY = Path(__file__).parent.parent / "docs/deploy.md"
# Types that some Regions lack, and the two conditions about that: whether a Region lacks them, and whether they are there.
SCHEMAS = "RegionLacksSchemas"
ARCHIVES = "RegionLacksArchives"
OPTIONAL = {"AWS::EventSchemas::Registry": SCHEMAS, "AWS::EventSchemas::Schema": SCHEMAS, "AWS::Events::Archive": ARCHIVES}
# Where PutEvents takes 256 KB: its limit less the envelope.
SMALL_EVENTS = {"Fn::If": ["HasSmallEvents", 261120, {"Ref": "EventMaxBytes"}]}


def check(template):
    conditions = template["Conditions"]
    yield from types(template["Resources"], conditions)
    yield from small_events(template["Resources"], template["Parameters"], conditions)


def types(resources, conditions):
    for kind in sorted({resource["Type"] for resource in resources.values()}):
        without = lacking(kind)
        if kind not in OPTIONAL:
            yield from (f"docs/deploy.md: {region} has no {kind}" for region in without if region not in DEPLOY.read_text())
            continue
        named = regions(conditions, OPTIONAL[kind])
        for region in sorted(without - named):
            yield f"{OPTIONAL[kind]}: {region} has no {kind}"
        # Of archives, CloudFormation has the type where EventBridge has not the feature.
        if OPTIONAL[kind] == SCHEMAS:
            yield from (f"{SCHEMAS}: {region} has {kind}" for region in sorted(named - without))
        for name, _ in of_type(resources, kind):
            if not excludes(conditions, resources[name].get("Condition"), OPTIONAL[kind]):
                yield f"{name}: it is deployed in spite of {OPTIONAL[kind]}"


@cache
def lacking(kind) -> frozenset[str]:
    """The Regions without a type. That a type is nowhere, cfn-lint says."""
    without = frozenset(region for region in REGIONS if not has(region, kind))
    return without if len(without) < len(REGIONS) else frozenset()


def has(region, kind) -> bool:
    try:
        PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, kind)
    except ResourceNotFoundError:
        return False
    return True


def regions(conditions, name) -> set[str]:
    """The Regions that a condition names: any of them."""
    alternatives = (one["Fn::Equals"] for one in conditions.get(name, {}).get("Fn::Or", []))
    return {region for value, region in alternatives if value == {"Ref": "AWS::Region"}}


def excludes(conditions, name, other) -> bool:
    """Whether one condition cannot hold where the other does."""
    condition = conditions.get(name, {})
    return {"Fn::Not": [{"Condition": other}]} in [condition, *condition.get("Fn::And", [])]


def small_events(resources, parameters, conditions):
    """The smaller limit takes the place of the default alone: whoever chose one gets that."""
    default = {"Fn::Equals": [{"Ref": "EventMaxBytes"}, parameters["EventMaxBytes"]["Default"]]}
    expected = {"Fn::And": [default, {"Condition": "RegionTakesSmallEvents"}]}
    if conditions.get("HasSmallEvents") != expected:
        yield "HasSmallEvents: it is not about the default of EventMaxBytes"
    for region in regions(conditions, "RegionTakesSmallEvents") - set(REGIONS):
        yield f"RegionTakesSmallEvents: there is no {region}"
    for name, function in of_type(resources, "AWS::Lambda::Function"):
        if function["Environment"]["Variables"].get("EVENT_MAX_BYTES", SMALL_EVENTS) != SMALL_EVENTS:
            yield f"{name}: EVENT_MAX_BYTES is more than PutEvents takes in some Regions"
