"""Faults that limits.py is there for: what stands in the template, what is put in its place, what must come of it."""

LOOP = "CallbackFunction: Lambda stops what it sends to a queue that it reads"

FAULTS = [
    ("      RecursiveLoop: Allow\n", "", [LOOP]),
    ("      RecursiveLoop: Allow\n", "      RecursiveLoop: Terminate\n", [LOOP]),
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
