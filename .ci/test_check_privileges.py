"""Puts each fault that check_privileges.py is there for into the template, the document or the calls, and sees it named.

Usage: python -m unittest (in this folder)
"""

import tempfile
import unittest
from pathlib import Path

from check_privileges import BY_SERVICES, CALLED, DOCUMENT, Grant, check, grants, listed, read_used
from translate import translate

TEMPLATE = (Path(__file__).parent.parent / "template.yaml").read_text()
LISTS = DOCUMENT.read_text()
# A run in which all was called that should be.
USED = set(listed(LISTS, CALLED))
SCAN = Grant("WebhookRole", "Instances", "dynamodb:Scan", "InstancesTable")

# What stands in the template, what is put in its place, and the problems that must come of it.
FAULTS = [
    # Granted, and needed by nobody.
    (
        "[dynamodb:BatchGetItem, dynamodb:BatchWriteItem]",
        "[dynamodb:BatchGetItem, dynamodb:BatchWriteItem, dynamodb:Scan]",
        [
            f"{role}, Ledger: dynamodb:Scan on LedgerTable: {problem}"
            for role in ("PollerRole", "WebhookRole")
            for problem in ("docs/permissions.md does not list it", "no test has a function use it")
        ],
    ),
    (
        "Resource: !Sub ${InstancesTable.Arn}/index/due",
        "Resource: [!Sub '${InstancesTable.Arn}/index/due', !Sub '${InstancesTable.Arn}/index/token']",
        [
            f"PollerRole, DueInstances: dynamodb:Query on InstancesTable/index/token: {problem}"
            for problem in ("docs/permissions.md does not list it", "no test has a function use it")
        ],
    ),
    (
        "              - Sid: DeadLetters\n                Effect: Allow\n                Action: sqs:SendMessage\n",
        "              - Sid: DeadLetters\n                Effect: Allow\n                Action: [sqs:SendMessage, sqs:PurgeQueue]\n",
        [
            f"PollerRole, DeadLetters: sqs:PurgeQueue on PollerDeadLetterQueue: {problem}"
            for problem in ("docs/permissions.md does not list it", "no test has a function use it")
        ],
    ),
    # Granted twice.
    (
        "Action: [dynamodb:ConditionCheckItem, dynamodb:GetItem, dynamodb:Scan, dynamodb:UpdateItem]\n",
        "Action: [dynamodb:ConditionCheckItem, dynamodb:GetItem, dynamodb:Scan, dynamodb:UpdateItem, dynamodb:UpdateItem]\n",
        ["PollerRole: dynamodb:UpdateItem on InstancesTable is granted 2 times"],
    ),
    # A wildcard.
    (
        "                Action: dynamodb:Query\n                Resource: !Sub ${InstancesTable.Arn}/index/token\n",
        "                Action: dynamodb:Query\n                Resource: \"*\"\n",
        [
            "WebhookRole, Tokens: dynamodb:Query on *: docs/permissions.md does not list it",
            "WebhookRole, Tokens: dynamodb:Query on *: no test has a function use it",
            "WebhookRole, Tokens: dynamodb:Query on InstancesTable/index/token: docs/permissions.md lists it, and the"
            " template does not grant it",
            "WebhookRole, Tokens: dynamodb:Query on InstancesTable/index/token: it was used, and the template does not"
            " grant it",
        ],
    ),
    # What a service needs in a function's name.
    (
        "Action: [logs:CreateLogStream, logs:PutLogEvents]\n                Resource: !GetAtt PollerLogs.Arn",
        "Action: logs:PutLogEvents\n                Resource: !GetAtt PollerLogs.Arn",
        [
            "PollerRole, Logs: logs:CreateLogStream on PollerLogs: docs/permissions.md lists it, and the template does"
            " not grant it"
        ],
    ),
    (
        "    Tracing: Active\n",
        "",
        [
            f"{role}: xray:{action} on * is listed, and AWS does not need it"
            for role in ("CallbackRole", "PollerRole", "WebhookRole")
            for action in ("PutTelemetryRecords", "PutTraceSegments")
        ],
    ),
    (
        "Queue: !GetAtt CallbackRetryQueue.Arn",
        "Queue: !GetAtt CallbackDeadLetterQueue.Arn",
        [
            f"CallbackRole: sqs:{action} on {queue}"
            for action in ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
            for queue in (
                "CallbackDeadLetterQueue is not listed, and AWS needs it",
                "CallbackRetryQueue is listed, and AWS does not need it",
            )
        ],
    ),
]


class CheckPrivileges(unittest.TestCase):
    def check(self, template=TEMPLATE, used=frozenset(USED), document=LISTS):
        return check(translate(template), used, document)

    def test_a_run_in_which_all_was_called_has_no_problem(self):
        self.assertEqual(self.check(), [])

    def test_each_fault_of_the_template_is_named(self):
        for old, new, problems in FAULTS:
            with self.subTest(old=old, new=new):
                self.assertIn(old, TEMPLATE, "the fault has no place in the template any more")
                self.assertEqual(self.check(TEMPLATE.replace(old, new)), sorted(problems))

    def test_each_grant_that_no_test_uses_is_named(self):
        for grant in sorted(USED):
            self.assertEqual(self.check(used=USED - {grant}), [f"{grant}: no test has a function use it"])

    def test_what_a_function_called_is_not_a_services(self):
        for grant in sorted(set(listed(LISTS, BY_SERVICES))):
            problem = f"{grant}: it is said to be a service's, and a function used it"
            self.assertEqual(self.check(used=USED | {grant}), [problem])

    def test_what_is_listed_and_used_and_not_granted_is_named(self):
        row = "| `dynamodb:Scan` | `InstancesTable` | the list of instances |"
        document = LISTS.replace(row, row.replace("InstancesTable", "LedgerTable"))
        other = SCAN._replace(resource="LedgerTable")
        self.assertEqual(
            self.check(used=USED | {other}, document=document),
            [
                f"{SCAN}: docs/permissions.md does not list it",
                f"{other}: docs/permissions.md lists it, and the template does not grant it",
                f"{other}: it was used, and the template does not grant it",
            ],
        )

    def test_a_row_without_a_reason_is_refused(self):
        with self.assertRaisesRegex(SystemExit, "no reason"):
            self.check(document=LISTS.replace("| the list of instances |", "| |"))

    def test_a_service_takes_no_place_of_a_function(self):
        """A grant that moves from the first list to the second is still held against the calls."""
        row = "| | | `dynamodb:Scan` | `InstancesTable` | the list of instances |\n"
        logs = "| `PollerRole` | Logs |"
        moved = "| `WebhookRole` | Instances | `dynamodb:Scan` | `InstancesTable` | a service |\n"
        document = LISTS.replace(row, "").replace(logs, moved + logs)
        problem = "WebhookRole: dynamodb:Scan on InstancesTable is listed, and AWS does not need it"
        self.assertEqual(self.check(used=USED - {SCAN}, document=document), [problem])

    def test_the_calls_of_all_processes_add_up(self):
        with tempfile.TemporaryDirectory() as folder:
            for process in ("1", "2"):
                Path(folder, f"{process}.tsv").write_text("\t".join((*SCAN, "3")) + "\n")
            self.assertEqual(read_used(Path(folder)), {SCAN: 6})

    def test_every_grant_has_a_name(self):
        named = list(grants(translate(TEMPLATE)["Resources"]))
        self.assertEqual([grant for grant in named if "{" in grant.resource or not grant.statement], [])


if __name__ == "__main__":
    unittest.main()
