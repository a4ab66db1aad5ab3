"""Copies docs/event.schema.json into template.yaml, which deploys it, and asserts that it is there.

Usage: event_schema.py
"""

import json
import re
from pathlib import Path

from jsonschema import Draft4Validator
from resources import of_type

ROOT = Path(__file__).parent.parent
SCHEMA = ROOT / "docs/event.schema.json"
TEMPLATE = ROOT / "template.yaml"
NAME = "closeio@Event"
INDENT = " " * 8
# The one block of the template, up to the next resource.
CONTENT = re.compile(rf"(?<=      Content: \|\n)(?:{INDENT}.*\n|\n(?={INDENT}))+")

# Limits of the registry's CreateSchema. Source: the service's API model.
MAXIMUM_CONTENT = 100_000
MAXIMUM_DESCRIPTION = 256
# The registry knows no later draft. Later keywords would be ignored there, and mean something to other tools.
KEYWORDS = set(Draft4Validator.META_SCHEMA["properties"]) | {"format", "$ref"}


def schemas(resources):
    found = dict(of_type(resources, "AWS::EventSchemas::Schema"))
    if [schema.get("SchemaName") for schema in found.values()] != [NAME]:
        yield f"Schemas: {sorted(found)} instead of {NAME} alone"
    for name, schema in found.items():
        if schema.get("Type") != "JSONSchemaDraft4":
            yield f"{name}: it is not of draft-04"
        if schema["Content"] != SCHEMA.read_text():
            yield f"{name}: it is not docs/event.schema.json: run .ci/event_schema.py"
        if len(schema["Content"]) > MAXIMUM_CONTENT or len(schema.get("Description", "")) > MAXIMUM_DESCRIPTION:
            yield f"{name}: it is too long for the registry"
        content = json.loads(schema["Content"])
        problems = Draft4Validator(Draft4Validator.META_SCHEMA).iter_errors(content)
        yield from (f"{name}: {problem.message}" for problem in problems)
        yield from (f"{name}: draft-04 has no {keyword}" for keyword in sorted(keywords(content) - KEYWORDS))


def keywords(schema) -> set[str]:
    """The keywords that a schema and those in it use."""
    if isinstance(schema, list):
        return set().union(*map(keywords, schema))
    if not isinstance(schema, dict):
        return set()
    found = set(schema)
    for keyword, value in schema.items():
        # Their members have names of the event.
        inner = list(value.values()) if keyword in ("properties", "patternProperties", "definitions") else value
        found |= keywords(inner) if keyword != "enum" else set()
    return found


def copied(template: str, schema: str) -> str:
    """The template with the schema in its place."""
    block = re.sub(r"^(?=.)", INDENT, schema, flags=re.MULTILINE)
    template, count = CONTENT.subn(lambda _: block, template)
    if count != 1:
        raise SystemExit(f"template.yaml: {count} schemas instead of one")
    return template


def main() -> None:
    TEMPLATE.write_text(copied(TEMPLATE.read_text(), SCHEMA.read_text()))


RULES = [schemas]

if __name__ == "__main__":
    main()
