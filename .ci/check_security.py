"""Has checkov look for weaknesses in templates, offline. What is accepted says so in the resource's `Metadata`, and why.

Usage: check_security.py CHECKOV TEMPLATE...

CHECKOV is its program, which has packages of its own.
"""

import json
import subprocess
import sys
from pathlib import Path

# What checkov says of a suppression without a comment.
NO_REASON = "No comment provided"


def check(checkov: str, templates: list[Path]) -> dict[Path, list[str]]:
    """The problems of each template, as `Resource: id, what`."""
    command = [checkov, "--framework", "cloudformation", "--skip-download", "--compact", "--output", "json"]
    command += ["--soft-fail", "--file", *(str(template.absolute()) for template in templates)]
    report = json.loads(subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout)
    results = report.get("results", {})
    scanned = {Path(one["file_abs_path"]) for kind in results.values() for one in kind if isinstance(one, dict)}
    problems = {
        # Of what it cannot read, or takes for something else, it says nothing.
        template: [] if template.absolute() in scanned else ["it was not read"]
        for template in templates
    }
    by_path = {template.absolute(): template for template in templates}
    for failed in results.get("failed_checks", []):
        problems[by_path[Path(failed["file_abs_path"])]].append(describe(failed, failed["check_name"]))
    for skipped in results.get("skipped_checks", []):
        if skipped["check_result"]["suppress_comment"] in ("", NO_REASON):
            problems[by_path[Path(skipped["file_abs_path"])]].append(describe(skipped, "accepted without a reason"))
    return problems


def describe(one: dict, what: str) -> str:
    return f"{one['resource'].split('.')[-1]}: {one['check_id']}, {what}"


def main() -> None:
    found = check(sys.argv[1], [Path(argument) for argument in sys.argv[2:]])
    for template, problems in found.items():
        for problem in problems:
            print(f"{template}: {problem}")
    sys.exit(1 if any(found.values()) else 0)


if __name__ == "__main__":
    main()
