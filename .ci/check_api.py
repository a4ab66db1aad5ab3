"""Sends generated requests, good and bad, to the local stack, and holds every answer against docs/openapi.json.

Usage: check_api.py LOCAL DIRECTORY

LOCAL is the built `local` binary, the one of `cargo local`. The report and what the stack says go to DIRECTORY.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
AUTHORIZATION = "Authorization: User user-secret, Organization organization-secret"
# Every answer is none of the server's failures, has a documented status, and fits what is documented of it. An instance
# that was made is there, one that was removed is not, and nothing is shown to whoever has no secrets.
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ensure_resource_availability",
    "use_after_free",
    "ignored_auth",
]
CASES = 2_000  # In all, at least.
CASES_PER_OPERATION = 100  # That are random; those that are counted out, and sequences of requests, come in addition.
SEED = 20931
READY_SECONDS = 600  # The functions may have to be built first.
RUN_SECONDS = 1_500


def main() -> None:
    local, directory = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "local.log").open("w") as log:
        # Generated callback URLs are anybody's.
        command = [local, "--listen", "127.0.0.1:0", "--real-time", "--no-callbacks"]
        stack = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=log)
        try:
            problems = run(url(stack), directory)
        finally:
            stack.terminate()
            stack.wait()
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


def url(stack) -> str:
    """Where the API is, once the stack is ready. What it prints afterwards is read and dropped, so that it can go on."""
    timer = threading.Timer(READY_SECONDS, stack.kill)
    timer.start()
    api = None
    for line in stack.stdout:
        if line.split()[:1] == ["API"]:
            api = line.split()[1]
        if line.startswith("Ready."):
            break
    timer.cancel()
    if api is None or stack.poll() is not None:
        sys.exit("the local stack did not start; local.log has what it said")
    threading.Thread(target=lambda: list(map(len, stack.stdout)), daemon=True).start()
    return api


def run(api: str, directory: Path) -> list[str]:
    """Everything that is wrong."""
    report = directory / "api.json"
    report.unlink(missing_ok=True)
    command = [Path(sys.executable).parent / "schemathesis", "run", ROOT / "docs/openapi.json"]
    command += ["--url", api, "--header", AUTHORIZATION, "--checks", ",".join(CHECKS)]
    command += ["--max-examples", str(CASES_PER_OPERATION), "--seed", str(SEED), "--continue-on-failure"]
    command += ["--suppress-health-check", "all", "--generation-database", "none", "--no-color"]
    command += ["--report", "json", "--report-json-path", report]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "api_hooks", "PYTHONPATH": str(ROOT / ".ci")}
    # It keeps what it found before in a folder of the current one.
    done = subprocess.run(
        command, cwd=directory, env=environment, text=True, capture_output=True, timeout=RUN_SECONDS
    )
    if not report.exists():
        return [done.stdout, done.stderr, "schemathesis did not run"]
    result = json.loads(report.read_text())
    operations, cases = result["operations"], result["test_cases"]["generated"]
    found = result["test_cases"]["unique_failures"]
    print(f"{cases} cases of {operations['tested']} operations in {result['running_time']:.0f} s: {found} failures")
    problems = [] if done.returncode == 0 else [done.stdout, done.stderr]
    if operations["tested"] != operations["total"]:
        problems.append(f"{operations['total']} operations are documented")
    if cases < CASES:
        problems.append(f"expected {CASES} cases at least")
    return problems


if __name__ == "__main__":
    main()
