"""Reduces Close's OpenAPI export to what the simulated Close is held against.

Usage: close_openapi.py EXPORT REDUCED

EXPORT is the YAML that developer.close.com offers. REDUCED is tests/it/close/openapi.json: of each operation its
parameters in the query and, where Close has typed it, the answer; and the types of these answers without their prose.
"""

import json
import sys
from pathlib import Path

import yaml

SUCCESSES = ("200", "201")
# Where Close has typed nothing, the export says this.
UNTYPED = "Empty response body"
PROSE = {"default", "description", "example", "examples", "title"}


def main() -> None:
    export, reduced = Path(sys.argv[1]), Path(sys.argv[2])
    document = yaml.load(export.read_text(), Loader=yaml.CSafeLoader)
    types = document["components"]["schemas"]
    operations, wanted = {}, []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parameters = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
            answer = name_of_answer(operation)
            if types.get(answer, {}).get("description") == UNTYPED or method != "get":
                answer = None
            wanted += [answer] if answer else []
            operations[f"{method.upper()} {path}"] = {"answer": answer, "parameters": sorted(parameters)}
    schemas = {name: without_prose(types[name]) for name in closed(types, wanted)}
    reduced.write_text(
        f'{{"operations": {lines(operations)},\n"components": {{"schemas": {lines(schemas)}}}}}\n'
    )


def name_of_answer(operation: dict) -> str | None:
    """The type of what a success answers."""
    for status in SUCCESSES:
        content = operation["responses"].get(status, {}).get("content", {})
        if reference := content.get("application/json", {}).get("schema", {}).get("$ref"):
            return named(reference)
    return None


def named(reference: str) -> str:
    return reference.rpartition("/")[2]


def closed(types: dict, wanted: list[str]) -> list[str]:
    """These types and those that they refer to."""
    found = set()
    while wanted:
        name = wanted.pop()
        if name not in found:
            found.add(name)
            wanted += [named(reference) for reference in references(types[name])]
    return sorted(found)


def references(part: object) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [one for value in part.values() for one in references(value)]
    if isinstance(part, list):
        return [one for value in part for one in references(value)]
    return []


def without_prose(part: object) -> object:
    """A member whose value is an object is a property that is called so."""
    if isinstance(part, dict):
        kept = {key: value for key, value in part.items() if key not in PROSE or isinstance(value, dict)}
        return {key: without_prose(value) for key, value in kept.items()}
    if isinstance(part, list):
        return [without_prose(value) for value in part]
    return part


def lines(members: dict) -> str:
    """One member a line."""
    written = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in sorted(members.items()))
    return "{\n" + ",\n".join(written) + "\n}"


if __name__ == "__main__":
    main()
