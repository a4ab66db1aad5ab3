"""The resources of a translated template."""


def of_type(resources: dict, kind: str):
    """The resources of a type, with their logical ids and their properties."""
    for name, resource in resources.items():
        if resource["Type"] == kind:
            yield name, resource.get("Properties", {})


def as_list(value) -> list:
    return value if isinstance(value, list) else [value]
