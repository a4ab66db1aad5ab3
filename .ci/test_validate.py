"""Puts faults into template.yaml that no one tool sees all of, and sees each caught by the very validation of .ci/run.

Usage: python -m unittest (in this folder)
"""

import os
import unittest
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from validate import validate

TEMPLATE = (Path(__file__).parent.parent / "template.yaml").read_text()

TRANSLATOR = "translator"
OURS = "check_template"
LINT, LINT_TRANSLATED = "cfn-lint", "cfn-lint, translated"
AWS, AWS_TRANSLATED = "cloudformation-validate", "cloudformation-validate, translated"

# What stands in the template, what is put in its place, and who says what about it.
FAULTS = [
    # Seen only in what the template becomes.
    (
        "        INSTANCES_TABLE: !Ref InstancesTable\n",
        "        INSTANCES_TABLE: !Ref InstanceTable\n",
        {LINT_TRANSLATED: "E1020 'InstanceTable'", AWS_TRANSLATED: "F1020 'InstanceTable'"},
    ),
    (
        "Runtime: provided.al2023",
        "Runtime: provided.al2024",
        {LINT_TRANSLATED: "'provided.al2024' is not one of", AWS_TRANSLATED: "'provided.al2024' is not one of"},
    ),
    (
        "      Timeout: 10\n",
        "      Timeout: 1000\n",
        {LINT_TRANSLATED: "E3717 1000", AWS_TRANSLATED: "E3717 1000"},
    ),
    (
        "Architectures: [!Ref Architecture]",
        "Architectures: [arm63]",
        {LINT_TRANSLATED: "'arm63' is not one of", AWS_TRANSLATED: "'arm63' is not one of"},
    ),
    (
        "MaximumConcurrency: !Ref CallbackConcurrency",
        "MaximumConcurrency: 1",
        {LINT_TRANSLATED: "E3034 1 is less", AWS_TRANSLATED: "F3034 1 is less"},
    ),
    ("Action: events:PutEvents\n", "Action: events:PutEvent\n", {LINT_TRANSLATED: "W3037 'putevent'"}),
    (
        "rate(1 minute)",
        "rate(1 minutes)",
        {OURS: "rate(1 minutes) is not", LINT_TRANSLATED: "E3027 'minutes'", AWS_TRANSLATED: "E3027 'minutes'"},
    ),
    (
        "rate(1 minute)",
        "every minute",
        {OURS: "every minute is not", LINT_TRANSLATED: "E3027 'every minute'", AWS_TRANSLATED: "E3027 'every minute'"},
    ),
    # Seen by the translator alone.
    (
        "      MemorySize: !Ref PollerMemory\n",
        "      MemorySizes: !Ref PollerMemory\n",
        {TRANSLATOR: "property MemorySizes not defined"},
    ),
    (
        "      Role: !GetAtt PollerRole.Arn\n",
        "      Policies: [{ DynamoDBCrudsPolicy: { TableName: !Ref InstancesTable } }]\n",
        {TRANSLATOR: "Policy at index 0"},
    ),
    ("          Type: Schedule\n", "          Type: Plan\n", {TRANSLATOR: "Event Type is: Plan."}),
    # Seen by AWS's validation and by us, but not by cfn-lint.
    (
        "EventPattern:\n        source: [closeio.poller]\n        detail-type: [poll.requested]\n",
        'EventPattern: "{}"\n',
        {OURS: "PollRequestedRule: the pattern", AWS: "EventPattern", AWS_TRANSLATED: "EventPattern"},
    ),
    # Seen by nobody but us.
    ("Method: PATCH\n", "Method: POSTT\n", {OURS: "has the method postt"}),
    (
        "            Arn: !GetAtt PollerDeadLetterQueue.Arn",
        "            Arn: !Ref PollerDeadLetterQueue",
        {OURS: "PollRequestedRule: the target has no ARN of a dead-letter queue"},
    ),
    # Seen by the linters.
    (
        "    Type: AWS::SNS::Subscription\n",
        "    Type: AWS::SNS::Subscriber\n",
        {LINT: "AWS::SNS::Subscriber", LINT_TRANSLATED: "AWS::SNS::Subscriber", AWS: "AWS::SNS::Subscriber"},
    ),
    (
        "      MessageRetentionPeriod: 1209600 # 14 days",
        "      MessageRetentionPeriodd: 1209600 # 14 days",
        {LINT: "'MessageRetentionPeriodd' was unexpected", AWS: "'MessageRetentionPeriodd' was unexpected"},
    ),
    (
        "Destination: !GetAtt PollerDeadLetterQueue.Arn",
        "Destination: !GetAtt PollerDeadLetterQueue.Arnn",
        {LINT_TRANSLATED: "'Arnn'", AWS_TRANSLATED: "Arnn"},
    ),
    (
        "LogGroupName: !Sub /aws/lambda/${AWS::StackName}-poller",
        "LogGroupName: !Sub /aws/lambda/${StackName}-poller",
        {LINT: "'StackName'", AWS: "StackName"},
    ),
    (
        "  CallbackLogs:\n    Type: AWS::Logs::LogGroup\n    Condition: HasCallbacks\n",
        "  CallbackLogs:\n    Type: AWS::Logs::LogGroup\n    Condition: HasCallback\n",
        {LINT: "E3015 'HasCallback'", AWS: "E8002 Condition 'HasCallback'", OURS: "CallbackLogs: it is deployed"},
    ),
    (
        "{ AttributeName: eventId, KeyType: HASH }",
        "{ AttributeName: event, KeyType: HASH }",
        {LINT: "E3039", LINT_TRANSLATED: "E3039", AWS: "E3039", AWS_TRANSLATED: "E3039"},
    ),
    (
        "      TargetKeyId: !Ref TablesKey\n",
        "",
        {LINT: "'TargetKeyId' is a required property", AWS: "'TargetKeyId' is a required property"},
    ),
    (
        "    Value: !GetAtt EventBus.Arn\n",
        "    Value: !GetAtt Bus.Arn\n",
        {LINT: "E6101 'Bus'", AWS: "F6101 GetAtt 'Bus.Arn'"},
    ),
    (
        "    Default: 983040\n",
        "    Default: 9\n",
        {LINT: "E2015", AWS: "F2015 Parameter 'EventMaxBytes'"},
    ),
    (
        "          DISPATCH_PER_SECOND: !Ref DispatchPerSecond\n",
        "          DISPATCH_PER_SECOND: !Ref DispatchPerSecond\n          AWS_REGION: eu-central-1\n",
        {OURS: "AWS_REGION is set", LINT: "E3663 'AWS_REGION'", LINT_TRANSLATED: "E3663 'AWS_REGION'"},
    ),
    (
        "          PUBLIC_URL: !Ref PublicUrl\n",
        "          PUBLIC_URL: !Sub https://${HttpApi}.example.com\n",
        {LINT_TRANSLATED: "E3004 Circular"},
    ),
    # Seen only in what is written.
    (
        "  PollerLogs:\n    Type",
        "  PollerLogs:\n    DeletionPolicy: Delete\n    DeletionPolicy: Delete\n    Type",
        {LINT: "Duplicate found 'DeletionPolicy'", AWS: "Duplicate key 'DeletionPolicy'"},
    ),
]


class Validate(unittest.TestCase):
    def test_the_template_itself_has_no_problem(self):
        self.assertEqual(validate({"template": TEMPLATE}), {"template": []})

    def test_each_fault_is_caught_by_the_tools_that_are_there_for_it(self):
        for (old, new, problems), found in zip(FAULTS, validated(), strict=True):
            self.assertIn(old, TEMPLATE, "the fault has no place in the template any more")
            for tool, part in problems.items():
                with self.subTest(old=old, new=new, tool=tool):
                    said = [problem for who, problem in found if who == tool]
                    self.assertTrue([problem for problem in said if part in problem], said)


def validated() -> list[list[tuple[str, str]]]:
    """The problems of a template with each fault alone. By all processors, for cfn-lint takes seconds for each."""
    templates = {str(index): TEMPLATE.replace(old, new) for index, (old, new, _) in enumerate(FAULTS)}
    processors = os.cpu_count() or 1
    shares = [dict(list(templates.items())[start::processors]) for start in range(processors)]
    with ProcessPoolExecutor(processors) as pool:
        found = {name: problems for share in pool.map(validate, shares) for name, problems in share.items()}
    return [found[name] for name in templates]


if __name__ == "__main__":
    unittest.main()
