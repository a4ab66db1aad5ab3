"""Puts each fault that check_template.py is there for into template.yaml, and sees it named, and nothing else.

Usage: python -m unittest (in this folder)
"""

import unittest
from pathlib import Path

import faults_seen_from_outside
from check_template import check
from translate import translate

TEMPLATE = (Path(__file__).parent.parent / "template.yaml").read_text()

# What stands in the template, what is put in its place (everywhere), and the problems that must come of it.
FAULTS = [
    # Schedules.
    ("rate(1 minute)", "rate(1 minutes)", ["PollerFunctionTick: rate(1 minutes) is not a schedule"]),
    ("rate(1 minute)", "rate(2 minute)", ["PollerFunctionTick: rate(2 minute) is not a schedule"]),
    ("rate(1 minute)", "rate(0 minutes)", ["PollerFunctionTick: rate(0 minutes) is not a schedule"]),
    ("rate(1 minute)", "every minute", ["PollerFunctionTick: every minute is not a schedule"]),
    # The API.
    ("Method: PATCH", "Method: PATCHED", ["HttpApi: /elements/api-v2/instances/{id} has the method patched"]),
    ("ThrottlingBurstLimit: 1000", "", ["HttpApiApiGatewayDefaultStage: routes are not throttled"]),
    # A queue's URL where its ARN belongs.
    (
        "            Arn: !GetAtt PollerDeadLetterQueue.Arn",
        "            Arn: !Ref PollerDeadLetterQueue",
        ["PollRequestedRule: the target has no ARN of a dead-letter queue"],
    ),
    (
        "Destination: !GetAtt PollerDeadLetterQueue.Arn",
        "Destination: !Ref PollerDeadLetterQueue",
        ["PollerFunctionEventInvokeConfig: failures go to no ARN of a queue"],
    ),
    (
        "Resource: !GetAtt PollerDeadLetterQueue.Arn",
        "Resource: !Ref PollerDeadLetterQueue",
        [
            "PollerDeadLetterQueuePolicy: the resource is not an ARN",
            'PollerRole: sqs:SendMessage on {"Ref": "PollerDeadLetterQueue"}, which is not an ARN',
        ],
    ),
    # Delivery.
    (
        "EventPattern:\n        source: [closeio.poller]\n        detail-type: [poll.requested]\n",
        'EventPattern: "{}"\n',
        ["PollRequestedRule: the pattern is not a mapping"],
    ),
    (
        "SourceArn: !GetAtt PollRequestedRule.Arn\n\n",
        "SourceArn: !GetAtt EventBus.Arn\n\n",
        ["PollRequestedRule: it may not invoke its target"],
    ),
    (
        "          RetryPolicy:\n            MaximumRetryAttempts: 0\n            MaximumEventAgeInSeconds: 120\n",
        "",
        ["PollRequestedRule: the target has no RetryPolicy, so a day of retries"],
    ),
    (
        "            Condition:\n              ArnEquals:\n                aws:SourceArn: !GetAtt PollRequestedRule.Arn",
        "",
        ["PollerDeadLetterQueuePolicy: any rule of any account may send"],
    ),
    (
        "SqsManagedSseEnabled: true",
        "SqsManagedSseEnabled: false",
        ["PollerDeadLetterQueue: it is not encrypted with SSE-SQS"],
    ),
    (
        "MessageRetentionPeriod: 1209600",
        "MessageRetentionPeriod: 345600",
        ["PollerDeadLetterQueue: it does not keep messages for 14 days"],
    ),
    # Permissions.
    (
        "Action: events:PutEvents\n                Resource: !GetAtt EventBus.Arn",
        'Action: events:PutEvents\n                Resource: "*"',
        ['PollerRole: events:PutEvents on the wildcard "*"', 'WebhookRole: events:PutEvents on the wildcard "*"'],
    ),
    (
        "Resource: !Sub ${InstancesTable.Arn}/index/due",
        "Resource: !Sub ${InstancesTable.Arn}/index/*",
        ['PollerRole: dynamodb:Query on the wildcard {"Fn::Sub": "${InstancesTable.Arn}/index/*"}'],
    ),
    (
        "Action: dynamodb:Query",
        "Action: dynamodb:*",
        ["PollerRole: dynamodb:* is a wildcard", "WebhookRole: dynamodb:* is a wildcard"],
    ),
    (
        "Action: [xray:PutTelemetryRecords, xray:PutTraceSegments]",
        "Action: [xray:PutTraceSegments, logs:CreateLogGroup]",
        [
            'PollerRole: xray:PutTraceSegments, logs:CreateLogGroup on the wildcard "*"',
            'WebhookRole: xray:PutTraceSegments, logs:CreateLogGroup on the wildcard "*"',
        ],
    ),
    (
        "                Action: dynamodb:Query\n",
        "                NotAction: dynamodb:DeleteTable\n",
        [
            "PollerRole: a statement does more than allow actions on resources",
            "WebhookRole: a statement does more than allow actions on resources",
        ],
    ),
    (
        "      Policies:\n        - PolicyName: webhook-fn",
        "      ManagedPolicyArns: [arn:aws:iam::aws:policy/AdministratorAccess]\n      Policies:\n        - PolicyName: webhook-fn",
        ["WebhookRole: it has a managed policy"],
    ),
    (
        "kms:ViaService: !Sub dynamodb.${AWS::Region}",
        "kms:ViaService: !Sub sqs.${AWS::Region}",
        [
            "PollerRole: kms:Decrypt, kms:DescribeKey, kms:GenerateDataKey is not limited to DynamoDB's calls",
            "WebhookRole: kms:Decrypt, kms:DescribeKey, kms:GenerateDataKey is not limited to DynamoDB's calls",
        ],
    ),
    (
        'iam::${AWS::AccountId}:root"',
        'iam::111122223333:root"',
        [f"{key}: its policy names another principal than the account" for key in ("AlarmKey", "TablesKey")],
    ),
    # Tables.
    (
        "    Type: AWS::DynamoDB::Table\n    DeletionPolicy: Retain\n",
        "    Type: AWS::DynamoDB::Table\n",
        [f"{table}: DeletionPolicy is not Retain" for table in ("InstancesTable", "LedgerTable", "WatermarksTable")],
    ),
    (
        "    DeletionPolicy: Retain\n    UpdateReplacePolicy: Retain\n    Properties:\n      Description: !Sub The tables",
        "    DeletionPolicy: Retain\n    UpdateReplacePolicy: Delete\n    Properties:\n      Description: !Sub The tables",
        ["TablesKey: UpdateReplacePolicy is not Retain"],
    ),
    (
        "PointInTimeRecoveryEnabled: true",
        "PointInTimeRecoveryEnabled: false",
        [f"{table}: no point-in-time recovery" for table in ("InstancesTable", "LedgerTable", "WatermarksTable")],
    ),
    (
        "SSEType: KMS",
        "SSEType: AES256",
        [f"{table}: it is not encrypted with KMS" for table in ("InstancesTable", "LedgerTable", "WatermarksTable")],
    ),
    (
        "        KMSMasterKeyId: !GetAtt TablesKey.Arn\n",
        "",
        [
            f"{table}: it is not encrypted with the stack's key"
            for table in ("InstancesTable", "LedgerTable", "WatermarksTable")
        ],
    ),
    ("AttributeName: expiresAt", "AttributeName: expires", ["LedgerTable: its items do not expire"]),
    # Functions.
    ("          LEDGER_TABLE: !Ref LedgerTable\n", "", ["WebhookFunction: LEDGER_TABLE is not set"]),
    (
        "DISPATCH_PER_SECOND:",
        "DISPATCH_RATE:",
        ["PollerFunction: DISPATCH_PER_SECOND is not set", "PollerFunction: DISPATCH_RATE is set, but not read"],
    ),
    (
        'USER_SECRET: !Sub "{{resolve:secretsmanager:${UserSecret}:SecretString}}"',
        "USER_SECRET: !Ref UserSecret",
        ["WebhookFunction: USER_SECRET is not a dynamic reference to a secret"],
    ),
    ("      KmsKeyArn: !GetAtt TablesKey.Arn\n", "", ["WebhookFunction: an environment with secrets has no key"]),
    ("        LogGroup: !Ref PollerLogs\n", "", ["PollerFunction: it does not write to a log group of the template"]),
    (
        "    Tracing: Active\n",
        "",
        [
            "PollerFunction: TracingConfig is None, not {'Mode': 'Active'}",
            "WebhookFunction: TracingConfig is None, not {'Mode': 'Active'}",
        ],
    ),
    # Logs and names.
    (
        "-poller\n      RetentionInDays: !Ref LogRetentionDays\n",
        "-poller\n",
        ["PollerLogs: its lines are kept for ever"],
    ),
    (
        "LogGroupName: !Sub /aws/lambda/${AWS::StackName}-poller",
        "LogGroupName: /aws/lambda/poller",
        ["PollerLogs: LogGroupName is not made from the stack's name"],
    ),
    *faults_seen_from_outside.FAULTS,
]


class CheckTemplate(unittest.TestCase):
    def test_the_template_itself_has_no_problem(self):
        self.assertEqual(check(translate(TEMPLATE)), [])

    def test_each_fault_is_named(self):
        for old, new, problems in FAULTS:
            with self.subTest(old=old, new=new):
                self.assertIn(old, TEMPLATE, "the fault has no place in the template any more")
                self.assertEqual(check(translate(TEMPLATE.replace(old, new))), sorted(problems))


if __name__ == "__main__":
    unittest.main()
