"""Asserts who may come to functions and queues: the rules, the schedule and the routes that lead there, and nobody else."""

import re

from resources import as_list, of_type

EVENTBRIDGE = "events.amazonaws.com"
API_GATEWAY = "apigateway.amazonaws.com"
ROUTE = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${__ApiId__}/${__Stage__}/"


def invokers(resources):
    """Each permission of a function names the one rule or route that it is for, and there is such a one."""
    for name, permission in of_type(resources, "AWS::Lambda::Permission"):
        source, principal = permission.get("SourceArn"), permission.get("Principal")
        if permission.get("Action") != "lambda:InvokeFunction":
            yield f"{name}: it is about {permission.get('Action')}"
        if principal == EVENTBRIDGE:
            function = permission["FunctionName"]
            function = {"Fn::GetAtt": [function.get("Ref") or function["Fn::GetAtt"][0], "Arn"]}
            if source not in leading_to(resources, function):
                yield f"{name}: EventBridge may invoke the function for no rule that leads there"
        elif principal == API_GATEWAY:
            if route(source) not in routes(resources):
                yield f"{name}: the API has no route that this is for"
        else:
            yield f"{name}: {principal} may invoke the function"


def routed(resources):
    """Each route may invoke its function."""
    permitted = [
        route(permission.get("SourceArn"))
        for _, permission in of_type(resources, "AWS::Lambda::Permission")
        if permission.get("Principal") == API_GATEWAY
    ]
    for api, method, path in routes(resources):
        if (api, method, path) not in permitted:
            yield f"{api}: {method} {path} may not invoke its function"


def senders(resources):
    """Each statement of a queue's policy names the rules that it is for, and they lead there."""
    for name, policy in of_type(resources, "AWS::SQS::QueuePolicy"):
        queues = [{"Fn::GetAtt": [queue["Ref"], "Arn"]} for queue in policy["Queues"]]
        for statement in as_list(policy["PolicyDocument"]["Statement"]):
            if statement.get("Principal") != {"Service": EVENTBRIDGE} or statement.get("Action") != "sqs:SendMessage":
                yield f"{name}: it lets in more than EventBridge, or for more than sending"
            sources = as_list(statement.get("Condition", {}).get("ArnEquals", {}).get("aws:SourceArn"))
            for queue in as_list(statement["Resource"]):
                if queue not in queues:
                    yield f"{name}: it speaks of a queue that it is not the policy of"
                if any(source and source not in leading_to(resources, queue) for source in sources):
                    yield f"{name}: EventBridge may send for no rule that leads there"


def leading_to(resources, target):
    """The ARNs of the rules that have a target, or send there what they cannot deliver."""
    return [
        {"Fn::GetAtt": [name, "Arn"]}
        for name, rule in of_type(resources, "AWS::Events::Rule")
        if any(target in (to["Arn"], to.get("DeadLetterConfig", {}).get("Arn")) for to in rule["Targets"])
    ]


def routes(resources):
    """The routes of the API, as API, method and path, with `*` for each parameter."""
    return [
        (name, method.upper(), re.sub(r"\{[^}]*\}", "*", path))
        for name, api in of_type(resources, "AWS::ApiGatewayV2::Api")
        for path, methods in api.get("Body", {}).get("paths", {}).items()
        for method in methods
    ]


def route(source):
    """The same of the ARN that a permission names; `None` if it names no route of an API of the template."""
    match source:
        case {"Fn::Sub": [str(text), {"__ApiId__": {"Ref": api}}]} if text.startswith(ROUTE):
            method, _, path = text.removeprefix(ROUTE).partition("/")
            return api, method, f"/{path}"
    return None


RULES = [invokers, routed, senders]
