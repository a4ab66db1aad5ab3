"""Faults that admission.py is there for: what stands in the template, what is put in its place, what must come of it."""

PERMISSION = """
  PollRequestedPermission:
    Type: AWS::Lambda::Permission
    Properties:
      FunctionName: !GetAtt PollerFunction.Arn
      Action: lambda:InvokeFunction
      Principal: events.amazonaws.com
      SourceArn: !GetAtt PollRequestedRule.Arn
"""


def another(old: str, new: str) -> str:
    """The permission, and a second one that differs."""
    return PERMISSION + PERMISSION.replace("PollRequestedPermission", "Another").replace(old, new)


FAULTS = [
    # Functions.
    (
        PERMISSION,
        another("      SourceArn: !GetAtt PollRequestedRule.Arn\n", ""),
        ["Another: EventBridge may invoke the function for no rule that leads there"],
    ),
    (
        PERMISSION,
        another("PollRequestedRule", "CallbackRule"),
        [
            "Another: EventBridge may invoke the function for no rule that leads there",
            "Another: it refers to CallbackRule, which may not be there",
        ],
    ),
    (
        PERMISSION,
        another("PollerFunction.Arn", "WebhookFunction.Arn"),
        ["Another: EventBridge may invoke the function for no rule that leads there"],
    ),
    (
        PERMISSION,
        another("events.amazonaws.com", '"*"'),
        ["Another: * may invoke the function"],
    ),
    (
        PERMISSION,
        another("lambda:InvokeFunction", "lambda:*"),
        ["Another: it is about lambda:*"],
    ),
    (
        PERMISSION,
        another("events.amazonaws.com", "apigateway.amazonaws.com"),
        ["Another: the API has no route that this is for"],
    ),
    # Queues.
    (
        "            Action: sqs:SendMessage\n            Resource: !GetAtt CallbackQueue.Arn\n",
        "            Action: sqs:*\n            Resource: !GetAtt CallbackQueue.Arn\n",
        ["CallbackQueuePolicy: it lets in more than EventBridge, or for more than sending"],
    ),
    (
        "            Resource: !GetAtt CallbackQueue.Arn\n            Condition:\n"
        "              ArnEquals:\n                aws:SourceArn: !GetAtt CallbackRule.Arn\n",
        "            Resource: !GetAtt CallbackQueue.Arn\n            Condition:\n"
        "              ArnEquals:\n                aws:SourceArn: [!GetAtt CallbackRule.Arn, !GetAtt PollRequestedRule.Arn]\n",
        ["CallbackQueuePolicy: EventBridge may send for no rule that leads there"],
    ),
    (
        "      Queues: [!Ref CallbackQueue]\n",
        "      Queues: [!Ref CallbackRetryQueue]\n",
        ["CallbackQueuePolicy: it speaks of a queue that it is not the policy of"],
    ),
]
