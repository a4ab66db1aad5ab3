"""Puts each fault that check_template.py is there for into template.yaml, and sees it named, and nothing else.

Usage: python -m unittest (in this folder)
"""

import unittest
from pathlib import Path

import event_schema
import faults_event_schema
import faults_admission
import faults_limits
import faults_regions
import faults_seen_from_outside
from check_template import check
from translate import translate

TEMPLATE = (Path(__file__).parent.parent / "template.yaml").read_text()

FUNCTIONS = ["CallbackFunction", "PollerFunction", "WebhookFunction"]
ROLES = ["CallbackRole", "PollerRole", "WebhookRole"]
TABLES = ["CallbackWaitsTable", "InstancesTable", "LedgerTable", "WatermarksTable"]
TICKS = ["CallbackFunctionTick", "PollerFunctionTick"]
QUEUES = [
    "CallbackDeadLetterQueue",
    "CallbackFailureQueue",
    "CallbackQueue",
    "CallbackRetryQueue",
    "PollerDeadLetterQueue",
]

# What stands in the template, what is put in its place (everywhere), and the problems that must come of it.
FAULTS = [
    # Schedules.
    ("rate(1 minute)", "rate(1 minutes)", [f"{tick}: rate(1 minutes) is not a schedule" for tick in TICKS]),
    ("rate(1 minute)", "rate(2 minute)", [f"{tick}: rate(2 minute) is not a schedule" for tick in TICKS]),
    ("rate(1 minute)", "rate(0 minutes)", [f"{tick}: rate(0 minutes) is not a schedule" for tick in TICKS]),
    ("rate(1 minute)", "every minute", [f"{tick}: every minute is not a schedule" for tick in TICKS]),
    # The API.
    ("Method: PATCH", "Method: PATCHED", ["HttpApi: /elements/api-v2/instances/{id} has the method patched"]),
    ("ThrottlingBurstLimit: 1000", "", ["HttpApiApiGatewayDefaultStage: routes are not throttled"]),
    # A queue's URL where its ARN belongs.
    (
        "            Arn: !GetAtt PollerDeadLetterQueue.Arn",
        "            Arn: !Ref PollerDeadLetterQueue",
        [
            "PollRequestedRule: the target has no ARN of a dead-letter queue",
            "PollerDeadLetterQueuePolicy: EventBridge may send for no rule that leads there",
        ],
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
            "PollRequestedRule: it may not reach its dead-letter queue",
            "PollerDeadLetterQueuePolicy: EventBridge may send for no rule that leads there",
            "PollerDeadLetterQueuePolicy: it speaks of a queue that it is not the policy of",
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
        """'{"source": ["closeio"], "detail": {"callback": [true]}}'""",
        "{ source: [closeio], detail: { callback: [true] } }",
        ["CallbackRule: a pattern that is chosen is not a mapping in JSON"],
    ),
    (
        "        detail-type: [poll.requested]\n",
        "        detail-type: !If [HasCallbacks, [poll.requested], !Ref AWS::NoValue]\n",
        ["PollRequestedRule: a part of the pattern is chosen"],
    ),
    (
        "SourceArn: !GetAtt PollRequestedRule.Arn\n\n",
        "SourceArn: !GetAtt EventBus.Arn\n\n",
        [
            "PollRequestedPermission: EventBridge may invoke the function for no rule that leads there",
            "PollRequestedRule: it may not reach its dead-letter queue",
            "PollRequestedRule: it may not reach its target",
            "PollerDeadLetterQueuePolicy: EventBridge may send for no rule that leads there",
        ],
    ),
    (
        "          RetryPolicy:\n            MaximumRetryAttempts: 2\n            MaximumEventAgeInSeconds: 120\n",
        "",
        ["PollRequestedRule: the target has no RetryPolicy, so a day of retries"],
    ),
    (
        "            Condition:\n              ArnEquals:\n                aws:SourceArn: !GetAtt PollRequestedRule.Arn",
        "",
        [
            "PollRequestedRule: it may not reach its dead-letter queue",
            "PollerDeadLetterQueuePolicy: any rule of any account may send",
        ],
    ),
    (
        "SqsManagedSseEnabled: true",
        "SqsManagedSseEnabled: false",
        [f"{queue}: it is not encrypted with SSE-SQS" for queue in QUEUES],
    ),
    (
        "MessageRetentionPeriod: 1209600",
        "MessageRetentionPeriod: 345600",
        [f"{queue}: it does not keep messages for 14 days" for queue in QUEUES],
    ),
    # Callbacks.
    (
        "          CALLBACK_RETRY_QUEUE_URL: !Ref CallbackRetryQueue",
        "          CALLBACK_RETRY_QUEUE_URL: !GetAtt CallbackRetryQueue.Arn",
        ["CallbackFunction: CALLBACK_RETRY_QUEUE_URL is not the URL of a queue"],
    ),
    (
        "            Queue: !GetAtt CallbackQueue.Arn",
        "            Queue: !Ref CallbackQueue",
        ["CallbackFunctionCallbacks: it reads no ARN of a queue"],
    ),
    (
        "          Arn: !GetAtt CallbackQueue.Arn",
        "          Arn: !Ref CallbackQueue",
        [
            "CallbackQueuePolicy: EventBridge may send for no rule that leads there",
            "CallbackRule: the target is not an ARN",
        ],
    ),
    (
        "        deadLetterTargetArn: !GetAtt CallbackFailureQueue.Arn",
        "        deadLetterTargetArn: !Ref CallbackFailureQueue",
        [f"{queue}: what it gives up goes to no ARN of a queue" for queue in ("CallbackQueue", "CallbackRetryQueue")],
    ),
    (
        "      VisibilityTimeout: 360",
        "      VisibilityTimeout: 359",
        [
            f"{mapping}: the queue shows a message again before 360 s, six times the function's timeout"
            for mapping in ("CallbackFunctionCallbacks", "CallbackFunctionRetries")
        ],
    ),
    (
        "            FunctionResponseTypes: [ReportBatchItemFailures]\n",
        "",
        [
            f"{mapping}: one message that fails takes its whole batch with it"
            for mapping in ("CallbackFunctionCallbacks", "CallbackFunctionRetries")
        ],
    ),
    (
        "            ScalingConfig:\n              MaximumConcurrency: !Ref CallbackConcurrency\n",
        "",
        ["CallbackFunctionCallbacks: it may take all of the account's concurrency"],
    ),
    (
        "      RedrivePolicy:\n        deadLetterTargetArn: !GetAtt CallbackFailureQueue.Arn\n"
        "        maxReceiveCount: 20\n\n  # Events that their",
        "\n  # Events that their",
        ["CallbackFunctionRetries: its queue gives up no message"],
    ),
    (
        "            Resource: !GetAtt CallbackQueue.Arn",
        "            Resource: !GetAtt CallbackRetryQueue.Arn",
        [
            "CallbackQueuePolicy: EventBridge may send for no rule that leads there",
            "CallbackQueuePolicy: it speaks of a queue that it is not the policy of",
            "CallbackRule: it may not reach its target",
        ],
    ),
    (
        "  CallbackLogs:\n    Type: AWS::Logs::LogGroup\n    Condition: HasCallbacks\n",
        "  CallbackLogs:\n    Type: AWS::Logs::LogGroup\n",
        ["CallbackLogs: it is deployed without EnableCallbacks"],
    ),
    (
        "          DISPATCH_PER_SECOND: !Ref DispatchPerSecond\n",
        "          DISPATCH_PER_SECOND: !Sub ${CallbackQueue.QueueName}\n",
        ["PollerFunction: it refers to CallbackQueue, which may not be there"],
    ),
    (
        "  CallbackDeadLetterQueueUrl:\n    Condition: HasCallbacks\n",
        "  CallbackDeadLetterQueueUrl:\n",
        ["CallbackDeadLetterQueueUrl: it refers to CallbackDeadLetterQueue, which may not be there"],
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
        [f'{role}: xray:PutTraceSegments, logs:CreateLogGroup on the wildcard "*"' for role in ROLES],
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
            f"{role}: kms:Decrypt, kms:DescribeKey, kms:GenerateDataKey is not limited to DynamoDB's calls"
            for role in ROLES
        ],
    ),
    (
        'iam::${AWS::AccountId}:root"',
        'iam::111122223333:root"',
        [f"{key}: its policy names another principal than the account" for key in ("AlarmKey", "TablesKey")],
    ),
    # Tables.
    (
        "    DeletionPolicy: RetainExceptOnCreate\n    UpdateReplacePolicy: Retain\n    Properties:\n      BillingMode",
        "    UpdateReplacePolicy: Retain\n    Properties:\n      BillingMode",
        [f"{table}: DeletionPolicy is not RetainExceptOnCreate" for table in TABLES],
    ),
    (
        "    DeletionPolicy: RetainExceptOnCreate\n    UpdateReplacePolicy: Retain\n    Properties:\n      Description: !Sub The tables",
        "    DeletionPolicy: RetainExceptOnCreate\n    UpdateReplacePolicy: Delete\n    Properties:\n      Description: !Sub The tables",
        ["TablesKey: UpdateReplacePolicy is not Retain"],
    ),
    (
        "PointInTimeRecoveryEnabled: true",
        "PointInTimeRecoveryEnabled: false",
        [f"{table}: no point-in-time recovery" for table in TABLES],
    ),
    (
        "SSEType: KMS",
        "SSEType: AES256",
        [f"{table}: it is not encrypted with KMS" for table in TABLES],
    ),
    (
        "        KMSMasterKeyId: !GetAtt TablesKey.Arn\n",
        "",
        [f"{table}: it is not encrypted with the stack's key" for table in TABLES],
    ),
    (
        "AttributeName: expiresAt",
        "AttributeName: expires",
        [f"{table}: its items do not expire" for table in ("CallbackWaitsTable", "LedgerTable")],
    ),
    # Functions.
    ("          LEDGER_TABLE: !Ref LedgerTable\n", "", ["PollerFunction: LEDGER_TABLE is not set", "WebhookFunction: LEDGER_TABLE is not set"]),
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
        [f"{function}: TracingConfig is None, not {{'Mode': 'Active'}}" for function in FUNCTIONS],
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
        [
            "PollerLogs: LogGroupName is not made from the stack's name",
            "TablesKey: the log groups that may use it are not those of the template",
        ],
    ),
    (
        "-poller\n      RetentionInDays: !Ref LogRetentionDays\n      KmsKeyId: !GetAtt TablesKey.Arn\n",
        "-poller\n      RetentionInDays: !Ref LogRetentionDays\n",
        ["PollerLogs: it is not encrypted with the stack's key"],
    ),
    (
        'Principal: { Service: !Sub "logs.${AWS::Region}.${AWS::URLSuffix}" }',
        'Principal: { AWS: "*" }',
        ["TablesKey: another than CloudWatch Logs may use it for logs"],
    ),
    (
        "                kms:EncryptionContext:aws:logs:arn:",
        "                kms:EncryptionContext:arn:",
        ["TablesKey: the log groups that may use it are not those of the template"],
    ),
    (
        "AliasName: !Sub alias/${AWS::StackName}",
        "AliasName: !Sub alias/closeio-events-${AWS::Region}",
        ["TablesKeyAlias: AliasName is not made from the stack's name"],
    ),
    (
        "  PollerDeadLetterQueue:\n    Type: AWS::SQS::Queue\n",
        "  PollerDeadLetterQueue:\n    Type: AWS::SQS::Queue\n    DeletionPolicy: Retain\n",
        ["PollerDeadLetterQueue: it outlives the stack, which docs/deploy.md does not say"],
    ),
    (
        "    Default: 983040\n",
        "    Default: 983039\n",
        [
            "EventMaxBytes: docs/configuration.md does not say that Default is 983039",
            "HasSmallEvents: it is not about the default of EventMaxBytes",
        ],
    ),
    (
        "    MaxValue: 1047552\n",
        "    MaxValue: 1047553\n",
        ["EventMaxBytes: docs/configuration.md does not say that MaxValue is 1047553"],
    ),
    *faults_event_schema.FAULTS,
    *faults_admission.FAULTS,
    *faults_limits.FAULTS,
    *faults_regions.FAULTS,
    *faults_seen_from_outside.FAULTS,
]


class CheckTemplate(unittest.TestCase):
    def test_the_schema_is_copied_into_its_place_alone(self):
        schema = '{\n  "type": "object",\n\n  "title": "Another \\\\1"\n}\n'
        copied = translate(event_schema.copied(TEMPLATE, schema))
        self.assertEqual(copied["Resources"]["EventSchema"]["Properties"].pop("Content"), schema)
        before = translate(TEMPLATE)
        self.assertEqual(before["Resources"]["EventSchema"]["Properties"].pop("Content"), event_schema.SCHEMA.read_text())
        self.assertEqual(copied, before)

    def test_the_template_itself_has_no_problem(self):
        self.assertEqual(check(translate(TEMPLATE)), [])

    def test_each_fault_is_named(self):
        for old, new, problems in FAULTS:
            with self.subTest(old=old, new=new):
                self.assertIn(old, TEMPLATE, "the fault has no place in the template any more")
                self.assertEqual(check(translate(TEMPLATE.replace(old, new))), sorted(problems))


if __name__ == "__main__":
    unittest.main()
