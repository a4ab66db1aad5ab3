"""Holds SAM templates against everything that says whether a template is right, offline.

Usage: validate.py TEMPLATE [OUT.json]

Prints what is wrong and which tool says so. OUT.json is what TEMPLATE becomes.
"""

import json
import sys
import tempfile
from pathlib import Path

from cfnlint.api import lint_by_config
from cfnlint.config import ManualArgs
from check_template import check
from cloudformation_validate import (
    CompositeEngine,
    LogicalIdFilter,
    RuleFilterConfig,
    Severity,
    ValidateConfig,
)
from samtranslator.model.exceptions import InvalidDocumentException
from translate import translate

# A tool and what it says.
Problem = tuple[str, str]

# What cloudformation-validate takes for a mistake and is none: its rule, of what, and why it is none.
ACCEPTED = [
    ("W1030", "EventBus", "an empty EventBusName is used nowhere: HasEventBusName"),
    ("W1030", "EventBusName", "the same"),
    ("W2509", "SecretsVersion", "a number that is counted up, to have secrets read again"),
]


def validate(templates: dict[str, str]) -> dict[str, list[Problem]]:
    """The problems of each template, by its name. Together, for the linters take long to start."""
    with tempfile.TemporaryDirectory() as directory:
        found = {name: validate_translated(name, text, Path(directory)) for name, text in templates.items()}
        files = sorted(Path(directory).iterdir())
        for file, problem in [*lint(files), *validate_cloudformation(files)]:
            found[file.stem].append(problem)
    return found


def validate_translated(name: str, text: str, directory: Path) -> list[Problem]:
    """What the translator and our own assertions say. What can be translated goes to the linters, in both forms."""
    try:
        translated = translate(text)
    except InvalidDocumentException as error:
        return [("translator", cause.message) for cause in error.causes]
    (directory / f"{name}.yaml").write_text(text)
    (directory / f"{name}.json").write_text(json.dumps(translated, indent=2))
    try:
        return [("check_template", problem) for problem in check(translated)]
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        # Something has not the shape that it must have; the linters know which.
        return [("check_template", f"cannot be judged: {error!r}")]


def lint(files: list[Path]):
    config = ManualArgs(templates=[str(file) for file in files], regions=["us-east-1"])
    for match in lint_by_config(config) if files else []:
        problem = f"{match.rule.id} {match.message} (line {match.linenumber})"
        yield Path(match.filename), (tool("cfn-lint", match.filename), problem)


def validate_cloudformation(files: list[Path]):
    engine = CompositeEngine()
    accepted = [LogicalIdFilter(rule_id=rule, logical_id=name) for rule, name, _ in ACCEPTED]
    config = ValidateConfig(exclude=RuleFilterConfig(logical_ids=accepted), severity_level=Severity.WARN)
    for file in files:
        for one in engine.validate_template(file, config).diagnostics:
            place = f"{one.entity.logical_id if one.entity else ''} {one.property_path or ''}".strip()
            yield file, (tool("cloudformation-validate", file), f"{one.rule_id} {one.message} ({place})")


def tool(name: str, file: Path | str) -> str:
    """Which tool it is, and of which of the two forms it speaks."""
    return f"{name}, translated" if str(file).endswith(".json") else name


def main() -> None:
    text = Path(sys.argv[1]).read_text()
    [problems] = validate({"template": text}).values()
    for name, problem in problems:
        print(f"{name}: {problem}")
    if problems:
        sys.exit(1)
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(json.dumps(translate(text), indent=2) + "\n")


if __name__ == "__main__":
    main()
