"""Holds the template's roles against what the functions called in a run of the tests, and against docs/permissions.md.

Usage: check_privileges.py TEMPLATE USED

USED is the folder into which the tests write what the roles allowed: a line each, with tabs between role, statement, action,
resource and calls.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

from resources import as_list, of_type
from translate import translate

DOCUMENT = Path(__file__).parent.parent / "docs/permissions.md"
CALLED = "What the functions call"
BY_SERVICES = "What AWS does in a function's name"

KEY = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
LOGS = ["logs:CreateLogStream", "logs:PutLogEvents"]
TRACES = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
RECEIVE = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]


class Grant(NamedTuple):
    """An action on a resource, and what grants it. Names are keys in the template."""

    role: str
    statement: str
    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.role}, {self.statement}: {self.action} on {self.resource}"


def check(template: dict, used: Iterable[Grant], document: str) -> list[str]:
    """Everything wrong with the roles of a translated template."""
    resources = template["Resources"]
    granted, used = list(grants(resources)), set(used)
    called, by_services = (set(listed(document, title)) for title in (CALLED, BY_SERVICES))
    needed = set(needed_by_services(resources, granted))
    problems = {
        *repeated(granted),
        *against_calls(set(granted), used, by_services),
        *against_lists(set(granted), called | by_services),
        *against_needs(needed, {grant._replace(statement="") for grant in by_services}),
    }
    return sorted(problems)


def against_calls(granted: set[Grant], used: set[Grant], by_services: set[Grant]) -> Iterator[str]:
    yield from (f"{grant}: no test has a function use it" for grant in granted - used - by_services)
    yield from (f"{grant}: it was used, and the template does not grant it" for grant in used - granted)
    yield from (f"{grant}: it is said to be a service's, and a function used it" for grant in used & by_services)


def against_lists(granted: set[Grant], found: set[Grant]) -> Iterator[str]:
    yield from (f"{grant}: docs/permissions.md does not list it" for grant in granted - found)
    yield from (f"{grant}: docs/permissions.md lists it, and the template does not grant it" for grant in found - granted)


def against_needs(needed: set[Grant], by_services: set[Grant]) -> Iterator[str]:
    """Holds the second list against what AWS needs. These have no statement."""
    for grant in needed ^ by_services:
        problem = "is not listed, and AWS needs it" if grant in needed else "is listed, and AWS does not need it"
        yield f"{grant.role}: {grant.action} on {grant.resource} {problem}"


def grants(resources: dict) -> Iterator[Grant]:
    """What the roles grant, one by one."""
    for role, properties in of_type(resources, "AWS::IAM::Role"):
        for policy in properties.get("Policies", []):
            for statement in as_list(policy["PolicyDocument"]["Statement"]):
                pairs = product(as_list(statement["Action"]), as_list(statement["Resource"]))
                for action, resource in pairs:
                    yield Grant(role, statement.get("Sid", ""), action, name(resource))


def name(resource) -> str:
    """`InstancesTable/index/due` of an ARN as the template has it."""
    if not isinstance(resource, dict):
        return resource
    match resource:
        case {"Fn::GetAtt": [logical_id, "Arn"]}:
            return logical_id
        case {"Fn::Sub": str(text)} if found := re.fullmatch(r"\$\{(\w+)\.Arn\}(/[\w/]+)", text):
            return found[1] + found[2]
    return json.dumps(resource)


def repeated(granted: list[Grant]) -> Iterator[str]:
    """Where one statement grants what another does, neither is missed."""
    pairs = Counter(grant._replace(statement="") for grant in granted)
    for grant, count in pairs.items():
        if 1 < count:
            yield f"{grant.role}: {grant.action} on {grant.resource} is granted {count} times"


def needed_by_services(resources: dict, granted: list[Grant]) -> Iterator[Grant]:
    """What AWS needs in the functions' names, by what the template says of functions, queues and tables."""
    for function, properties in of_type(resources, "AWS::Lambda::Function"):
        role = properties["Role"]["Fn::GetAtt"][0]
        if properties.get("TracingConfig") == {"Mode": "Active"}:
            yield from (Grant(role, "", action, "*") for action in TRACES)
        group = properties["LoggingConfig"]["LogGroup"]["Ref"]
        yield from (Grant(role, "", action, group) for action in LOGS)
        for _, mapping in of_type(resources, "AWS::Lambda::EventSourceMapping"):
            if mapping["FunctionName"] == {"Ref": function}:
                yield from (Grant(role, "", action, name(mapping["EventSourceArn"])) for action in RECEIVE)
        for _, config in of_type(resources, "AWS::Lambda::EventInvokeConfig"):
            failed = config.get("DestinationConfig", {}).get("OnFailure")
            if failed and config["FunctionName"] == {"Ref": function}:
                yield Grant(role, "", "sqs:SendMessage", name(failed["Destination"]))
    for grant in granted:
        table = resources.get(grant.resource.split("/")[0], {})
        if table.get("Type") == "AWS::DynamoDB::Table":
            key = name(table["Properties"]["SSESpecification"]["KMSMasterKeyId"])
            yield from (Grant(grant.role, "", action, key) for action in KEY)


def listed(document: str, title: str) -> Iterator[Grant]:
    """The grants of the table below a heading. Role and statement hold until the next ones; each row has its reason."""
    section = document.split(f"\n## {title}\n")[1].split("\n## ")[0]
    roles, statement = [], ""
    for row in re.findall(r"^\|( (?!role).*)\|$", section, re.MULTILINE):
        first, second, actions, names, reason = (cell.strip() for cell in row.split("|"))
        roles, statement = (quoted(first), second) if first else (roles, statement)
        if not reason:
            raise SystemExit(f"docs/permissions.md: no reason in the row {row}")
        for role, action, resource in product(roles, quoted(actions), quoted(names)):
            yield Grant(role, statement, action, resource)


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def read_used(folder: Path) -> Counter[Grant]:
    """What the tests' processes wrote, with the number of calls."""
    used = Counter()
    for file in sorted(folder.glob("*.tsv")):
        for line in file.read_text().splitlines():
            *names, calls = line.split("\t")
            used[Grant(*names)] += int(calls)
    return used


def main() -> None:
    template = translate(Path(sys.argv[1]).read_text())
    used = read_used(Path(sys.argv[2]))
    for (role, action, resource), calls in sorted(totals(used).items()):
        print(f"{calls:9,} {role} {action} {resource}")
    if not used:
        sys.exit(f"{sys.argv[2]}: the tests have left nothing here")
    problems = check(template, used, DOCUMENT.read_text())
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


def totals(used: Counter[Grant]) -> Counter:
    """Calls by role, action and resource."""
    found = Counter()
    for grant, calls in used.items():
        found[grant.role, grant.action, grant.resource] += calls
    return found


if __name__ == "__main__":
    main()
