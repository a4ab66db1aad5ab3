"""Faults that limits.py is there for: what stands in the template, what is put in its place, what must come of it."""

LOOP = "CallbackFunction: it does not say that Lambda ends its loops"

FAULTS = [
    ("      RecursiveLoop: Terminate\n", "", [LOOP]),
    ("      RecursiveLoop: Terminate\n", "      RecursiveLoop: Allow\n", [LOOP]),
    (
        "      MetricName: RecursiveInvocationsDropped\n",
        "      MetricName: Errors\n",
        ["CallbackFunction: no alarm says that Lambda has ended a loop"],
    ),
    (
        "            MaximumRetryAttempts: 2\n",
        "            MaximumRetryAttempts: 0\n",
        ["PollRequestedRule: one failure that passes is a dead letter"],
    ),
    ("      Executions: 0\n", "      Executions: 5\n", ["ReservedConcurrency: it is not off"]),
    (
        "        - HasReservedConcurrency\n        - !FindInMap [ReservedConcurrency, PollerFunction, Executions]\n",
        "        - HasReservedConcurrency\n        - 5\n",
        [
            'PollerFunction: it reserves {"Fn::If": ["HasReservedConcurrency", 5, {"Ref": "AWS::NoValue"}]}',
        ],
    ),
]
