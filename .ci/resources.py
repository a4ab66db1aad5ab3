"""The resources of a translated template."""

import re


def of_type(resources: dict, kind: str):
    """The resources of a type, with their logical ids and their properties."""
    for name, resource in resources.items():
        if resource["Type"] == kind:
            yield name, resource.get("Properties", {})


def as_list(value) -> list:
    return value if isinstance(value, list) else [value]


def references(value) -> set[str]:
    """The names that `Ref`, `Fn::GetAtt` and `Fn::Sub` have anywhere in a value."""
    if isinstance(value, list):
        return set().union(*map(references, value))
    if not isinstance(value, dict):
        return set()
    found = set().union(*map(references, value.values()))
    if isinstance(value.get("Ref"), str):
        found.add(value["Ref"])
    if "Fn::GetAtt" in value:
        found.add(as_list(value["Fn::GetAtt"])[0])
    if "Fn::Sub" in value:
        text, *parts = as_list(value["Fn::Sub"])
        # What the value itself names is no resource.
        found |= set(re.findall(r"\$\{(\w+)", text)) - set().union(*parts)
    return found
