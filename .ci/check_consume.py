"""Lints the templates of docs/consume.md, which are one in parts, and reads its programs and JSON.

Usage: check_consume.py PAGE DIRECTORY

What the template becomes is left in DIRECTORY.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse
from translate import translate


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def merged(parts: list[str]) -> dict:
    """One template of all parts. Raises where two say different things under one name."""
    template = {}
    for part in map(yaml_parse, parts):
        for section, value in part.items():
            if not isinstance(value, dict):
                template[section] = value
                continue
            known = template.setdefault(section, {})
            if twice := known.keys() & value.keys():
                raise SystemExit(f"{section}: {sorted(twice)} are there twice")
            known |= value
    return template


def lint(file: Path, template: dict) -> None:
    file.write_text(json.dumps(template, indent=2))
    subprocess.run(["cfn-lint", file], check=True)


def main() -> None:
    page, directory = Path(sys.argv[1]).read_text(), Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    for block in blocks(page, "json"):
        json.loads(block)
    for block in blocks(page, "sh"):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)
    template = merged(blocks(page, "yaml"))
    lint(directory / "sam.json", template)
    for name, resource in template["Resources"].items():
        if code := resource.get("Properties", {}).get("InlineCode"):
            compile(code, name, "exec")
    lint(directory / "cloudformation.json", translate(json.dumps(template)))


if __name__ == "__main__":
    main()
