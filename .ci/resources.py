"""The resources of a translated template."""

import re


def of_type(resources: dict, kind: str):
    """The resources of a type, with their logical ids and their properties."""
    for name, resource in resources.items():
        if resource["Type"] == kind:
            yield name, resource.get("Properties", {})


def as_list(value) -> list:
    return value if isinstance(value, list) else [value]


def references(value, without: str = "") -> set[str]:
    """The names that `Ref`, `Fn::GetAtt` and `Fn::Sub` have anywhere in a value, where the condition `without` does not hold."""
    if isinstance(value, list):
        return set().union(*(references(part, without) for part in value))
    if not isinstance(value, dict):
        return set()
    if "Fn::If" in value and value["Fn::If"][0] == without:
        return references(value["Fn::If"][2], without)
    found = set().union(*(references(part, without) for part in value.values()))
    if isinstance(value.get("Ref"), str):
        found.add(value["Ref"])
    if "Fn::GetAtt" in value:
        found.add(as_list(value["Fn::GetAtt"])[0])
    if "Fn::Sub" in value:
        text, *parts = as_list(value["Fn::Sub"])
        # What the value itself names is no resource.
        found |= set(re.findall(r"\$\{(\w+)", text)) - set().union(*parts)
    return found
