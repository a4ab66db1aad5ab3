"""Faults that seen_from_outside.py is there for: what stands in the template, what is put in its place, what must come of it."""

FUNCTIONS = ["CallbackFunction", "PollerFunction", "WebhookFunction"]
FAULTS = [
    # Metrics that nobody emits.
    ("MetricName: Heartbeat\n", "MetricName: HeartBeat\n", ["HeartbeatAlarm: poller-fn emits no HeartBeat"]),
    (
        "MetricName: WebhooksRejected\n      Dimensions:\n"
        "        - { Name: Service, Value: webhook-fn }\n        - { Name: Channel, Value: webhook }\n",
        "MetricName: WebhooksRejected\n      Dimensions:\n"
        "        - { Name: Service, Value: poller-fn }\n        - { Name: Channel, Value: polling }\n",
        ["WebhooksRejectedAlarm: poller-fn emits no WebhooksRejected"],
    ),
    (
        "MetricName: DueBacklog\n      Dimensions:\n        - { Name: Service, Value: poller-fn }\n",
        "MetricName: DueBacklog\n      Dimensions:\n        - { Name: Instance, Value: poller-fn }\n",
        ["DueBacklogAlarm: DueBacklog has not the dimensions {'Instance': 'poller-fn', 'Channel': 'polling'}"],
    ),
    (
        "METRICS_NAMESPACE: !Sub closeio-events/${AWS::StackName}",
        "METRICS_NAMESPACE: closeio-events",
        [f"{function}: its metrics are not in the namespace of the alarms" for function in FUNCTIONS],
    ),
    (
        "ApplicationLogLevel: TRACE",
        "ApplicationLogLevel: !Ref LogLevel",
        [f"{function}: Lambda drops lines by their level, metrics among them" for function in FUNCTIONS],
    ),
    # What AWS measures.
    (
        "Namespace: AWS/SQS\n",
        "Namespace: AWS/SNS\n",
        [
            "CallbackFailureQueue: no alarm watches ApproximateNumberOfMessagesVisible",
            *(
                f"{queue}: no alarm watches {what}"
                for queue in ("CallbackQueue", "CallbackRetryQueue")
                for what in ("how long events wait", "how many events are in flight")
            ),
            "PollerDeadLetterQueue: no alarm watches NumberOfMessagesSent",
            *(
                f"{alarm}: AWS/SNS is not a namespace of the functions or of what the template has"
                for alarm in (
                    "CallbackAgeAlarm",
                    "CallbackFailuresAlarm",
                    "CallbackInFlightAlarm",
                    "CallbackRetryAgeAlarm",
                    "CallbackRetryInFlightAlarm",
                    "PollerDeadLettersAlarm",
                )
            ),
        ],
    ),
    (
        "MetricName: ApproximateAgeOfOldestMessage\n      Dimensions:\n"
        "        - { Name: QueueName, Value: !GetAtt CallbackQueue.QueueName }\n",
        "MetricName: ApproximateAgeOfOldestMessage\n      Dimensions:\n"
        "        - { Name: QueueName, Value: !GetAtt CallbackRetryQueue.QueueName }\n",
        ["CallbackQueue: no alarm watches how long events wait"],
    ),
    (
        "MetricName: NumberOfMessagesSent",
        "MetricName: ApproximateNumberOfMessagesVisible",
        ["PollerDeadLetterQueue: no alarm watches NumberOfMessagesSent"],
    ),
    (
        "Value: !GetAtt PollerDeadLetterQueue.QueueName",
        "Value: !Ref PollerDeadLetterQueue",
        [
            "PollerDeadLetterQueue: no alarm watches NumberOfMessagesSent",
            "PollerDeadLettersAlarm: NumberOfMessagesSent has not the dimensions "
            "{'QueueName': {'Ref': 'PollerDeadLetterQueue'}}",
        ],
    ),
    (
        "MetricName: Throttles\n      Dimensions:\n        - { Name: FunctionName, Value: !Ref PollerFunction }\n",
        "MetricName: Throttled\n      Dimensions:\n        - { Name: FunctionName, Value: !Ref PollerFunction }\n",
        ["PollerFunction: no alarm watches Throttles", "PollerThrottlesAlarm: AWS/Lambda has no Throttled"],
    ),
    # When it rings, and where.
    (
        "      TreatMissingData: breaching\n",
        "",
        [f"{alarm}: TreatMissingData is not chosen" for alarm in ("CallbackOverdueAlarm", "HeartbeatAlarm")],
    ),
    (
        "Period: 900\n      EvaluationPeriods: 3\n",
        "Period: 900\n      EvaluationPeriods: 97\n",
        ["PollLagAlarm: 87300 s is longer than an alarm may look back"],
    ),
    (
        "EvaluationPeriods: 2\n      DatapointsToAlarm: 2\n",
        "EvaluationPeriods: 2\n      DatapointsToAlarm: 3\n",
        ["HeartbeatAlarm: more datapoints than periods"],
    ),
    (
        "      # It is probed every 6 hours.\n      TreatMissingData: notBreaching\n"
        "      AlarmActions: !If [HasAlarmEmail, [!Ref AlarmTopic], !Ref AWS::NoValue]\n",
        "      TreatMissingData: notBreaching\n",
        ["InstancesSuspendedAlarm: AlarmActions do not reach AlarmEmail"],
    ),
    (
        "KmsMasterKeyId: !Ref AlarmKey",
        "KmsMasterKeyId: alias/aws/sns",
        ["AlarmTopic: it is not encrypted with a key of the template"],
    ),
    (
        "            Condition:\n              StringEquals:\n                aws:SourceAccount: !Ref AWS::AccountId\n",
        "",
        ["AlarmKey: alarms of any account may use it", "AlarmTopicPolicy: alarms of any account may be sent"],
    ),
    # What is told of it.
    (
        " See HeartbeatAlarm in docs/operate.md.",
        "",
        ["HeartbeatAlarm: its description does not name its entry in docs/operate.md"],
    ),
    (
        "  ApiFaultsAlarm:\n",
        "  FaultsAlarm:\n",
        [
            "Dashboard: FaultsAlarm is not shown",
            "Dashboard: it refers to ApiFaultsAlarm, which may not be there",
            "FaultsAlarm: docs/operate.md has no entry of it",
            "FaultsAlarm: its description does not name its entry in docs/operate.md",
        ],
    ),
    (
        '"DueBacklog", "Service"',
        '"Backlog", "Service"',
        ["Dashboard: DueBacklog is not shown", "Dashboard: poller-fn emits no Backlog"],
    ),
    # A metric of another function of the same package.
    (
        '"CallbacksDelivered", "Service", "callback-fn", "Channel", "callback"',
        '"CallbacksDelivered", "Service", "webhook-fn", "Channel", "webhook"',
        ["Dashboard: webhook-fn emits no CallbacksDelivered"],
    ),
    # What is there with EnableCallbacks only.
    (
        '"${PollerDeadLettersAlarm.Arn}"${CallbackAlarms}',
        '"${PollerDeadLettersAlarm.Arn}", "${CallbackAgeAlarm.Arn}"',
        [
            "Dashboard: it refers to CallbackAgeAlarm, which may not be there",
            *(
                f"Dashboard: Callback{what}Alarm is not shown"
                for what in ("Errors", "Failures", "InFlight", "Loop", "Overdue", "RetryAge", "RetryInFlight", "Throttles")
            ),
        ],
    ),
    (
        "CallbackWidgets: !If\n            - HasCallbacks\n",
        "CallbackWidgets: !If\n            - HasAlarmEmail\n",
        [
            "Dashboard: it refers to CallbackDeadLetterQueue, which may not be there",
            "Dashboard: it refers to CallbackFailureQueue, which may not be there",
            "Dashboard: it refers to CallbackFunction, which may not be there",
            "Dashboard: it refers to CallbackLogs, which may not be there",
            "Dashboard: it refers to CallbackQueue, which may not be there",
            "Dashboard: it refers to CallbackRetryQueue, which may not be there",
            "Dashboard: the body is not a dashboard",
        ],
    ),
    # What CloudWatch refuses or moves.
    ('"widgets": [', '"widgets": [,', ["Dashboard: the body is not a dashboard"]),
    (
        '"widgets": [',
        '"widget": [], "widgets": [',
        ["Dashboard: $: Additional properties are not allowed ('widget' was unexpected)"],
    ),
    (
        '"x": 8, "y": 15, "width": 8',
        '"x": 8, "y": 15, "width": 9',
        ["Dashboard: poller-fn: it lies over API and dead letters"],
    ),
    (
        '"x": 16, "y": 15, "width": 8',
        '"x": 16, "y": 15, "width": 9',
        ["Dashboard: API and dead letters: it ends beyond the 24th column"],
    ),
    (
        '"y": 33, "width": 16, "height": 6',
        '"y": 34, "width": 16, "height": 6',
        ["Dashboard: Instances whose callback URL fails: there is nothing above it"],
    ),
    (
        '"title": "Polls",\n                "region": "${AWS::Region}",\n',
        '"title": "Polls",\n',
        ["Dashboard: $.widgets[5].properties: 'region' is a required property"],
    ),
    (
        "DashboardName: !Sub ${AWS::StackName}-${AWS::Region}",
        "DashboardName: !Ref AWS::StackName",
        ["Dashboard: the stacks of two regions would have one name"],
    ),
]
