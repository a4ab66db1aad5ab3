"""Looks at what `sam build` made: each function has its bootstrap, for the right processor, small, without unwind tables
and without jitter entropy.

Usage: check_artifacts.py BUILD ARCHITECTURE TARGET

BUILD is the folder that `sam build` or `cargo lambda build` wrote, ARCHITECTURE is arm64 or x86_64, TARGET is Cargo's target directory.
"""

import io
import os
import sys
import zipfile
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse

# As Lambda is sent it. What a cold start loads is what is in here.
MAX_ZIPPED_BYTES = 2_500_000
# `e_machine` of an ELF header, and Rust's word, by Lambda's name of the processor.
MACHINES = {"arm64": (183, "aarch64"), "x86_64": (62, "x86_64")}
# The section that shared/link discards.
UNWIND_TABLES = b"\0.eh_frame\0"
# A function of AWS-LC that is there only with CPU-jitter entropy, which .cargo/config.toml is to keep out. The functions
# themselves have no symbols left.
JITTER_ENTROPY = b"jent_read_entropy"


def main() -> None:
    build, architecture, target = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    machine, rust = MACHINES[architecture]
    problems = check(build, machine)
    problems += check_aws_lc(list(target.glob(f"{rust}-*/release/build/aws-lc-sys-*/out/libaws_lc_*_crypto.a")))
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


def check(build: Path, machine: int) -> list[str]:
    """Everything that is wrong, as `Function: what`."""
    functions = deployed(build) if (build / "template.yaml").exists() else {code.name: code for code in build.iterdir()}
    if not functions:
        return [f"{build}: no functions"]
    return [f"{name}: {problem}" for name, code in functions.items() for problem in check_code(name, code, machine)]


def deployed(build: Path) -> dict[str, Path]:
    resources = yaml_parse((build / "template.yaml").read_text())["Resources"]
    return {
        name: build / resource["Properties"]["CodeUri"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def check_code(name: str, code: Path, machine: int):
    if (found := sorted(os.listdir(code))) != ["bootstrap"]:
        yield f"expected a bootstrap, found {found}"
        return
    bootstrap = code / "bootstrap"
    content = bootstrap.read_bytes()
    size = zipped(content)
    print(f"{name}: {len(content):,} bytes, zipped {size:,}")
    if not os.access(bootstrap, os.X_OK):
        yield "bootstrap cannot be executed"
    if content[:4] != b"\x7fELF" or int.from_bytes(content[18:20], "little") != machine:
        yield "bootstrap is no program for this architecture"
    if UNWIND_TABLES in content:
        yield "bootstrap has unwind tables"
    if size > MAX_ZIPPED_BYTES:
        yield f"{size:,} bytes zipped are more than {MAX_ZIPPED_BYTES:,}"


def check_aws_lc(libraries: list[Path]) -> list[str]:
    if not libraries:
        return ["AWS-LC is not where Cargo builds it"]
    return [f"{library}: has CPU-jitter entropy" for library in libraries if JITTER_ENTROPY in library.read_bytes()]


def zipped(content: bytes) -> int:
    """The size of the archive that `sam deploy` makes of it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bootstrap", content)
    return len(archive.getvalue())


if __name__ == "__main__":
    main()
