"""Asserts of the template's alarms and dashboard: they are about what the functions measure, and about all that matters."""

import json
import re
from functools import cache
from pathlib import Path

import dashboard as boards
from resources import as_list, of_type, references

ROOT = Path(__file__).parent.parent
NAMESPACE = "closeio-events/${AWS::StackName}"
# The dimension Channel of each Service.
# Where messages end.
ENDS = ("DeadLetterQueue", "FailureQueue")
# One dead receiver would keep an alarm on.
GIVEN_UP = "CallbackDeadLetterQueue"
CHANNELS = {"webhook-fn": "webhook", "poller-fn": "polling", "callback-fn": "callback"}
# The sources of each Service, and what among them is another one's.
SOURCES = {
    "webhook-fn": ("webhook-fn/src", "webhook-fn/src/callback"),
    "poller-fn": ("poller-fn/src", None),
    "callback-fn": ("webhook-fn/src/callback", None),
}
# What AWS measures: the type of the resource that the one dimension names, and how it names it.
OF_AWS = {
    "AWS/Lambda": ("AWS::Lambda::Function", "FunctionName", "Ref"),
    "AWS/SQS": ("AWS::SQS::Queue", "QueueName", "QueueName"),
    "AWS/ApiGateway": ("AWS::ApiGatewayV2::Api", "ApiId", "Ref"),
}
METRICS_OF_AWS = {
    "AWS/Lambda": {
        "ConcurrentExecutions",
        "Duration",
        "Errors",
        "Invocations",
        "RecursiveInvocationsDropped",
        "Throttles",
    },
    "AWS/SQS": {
        "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfMessagesDelayed",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesVisible",
        "NumberOfMessagesSent",
    },
    "AWS/ApiGateway": {"4xx", "5xx", "Count"},
}
ACTIONS = {"Fn::If": ["HasAlarmEmail", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]}
DAY = 86_400


@cache
def emitted() -> dict[str, set[str]]:
    """The metrics that each function emits, as its source names them."""
    known = re.search(r"pub enum Metric \{(.*?)\n\}", (ROOT / "shared/src/function/metrics.rs").read_text(), re.DOTALL)
    known = set(re.findall(r"^    (\w+),$", known[1], re.MULTILINE))
    found = {}
    for service, (folder, other) in SOURCES.items():
        paths = [path for path in sorted((ROOT / folder).rglob("*.rs")) if not other or ROOT / other not in path.parents]
        sources = "".join(path.read_text() for path in paths)
        # Metrics::write counts cold starts for all.
        found[service] = set(re.findall(r"\bMetric::(\w+)", sources)) & known | {"ColdStart"}
    return found


def metric_problems(resources, namespace, metric, dimensions):
    """What is wrong with a metric as an alarm or a graph names it. `dimensions` maps names to values."""
    if namespace == NAMESPACE:
        service = dimensions.get("Service")
        if dimensions != {"Service": service, "Channel": CHANNELS.get(service, "")}:
            yield f"{metric} has not the dimensions {dimensions}"
        elif metric not in emitted()[service]:
            yield f"{service} emits no {metric}"
    elif namespace in OF_AWS:
        kind, dimension, _ = OF_AWS[namespace]
        resource = resources.get(referred(namespace, dimensions.get(dimension)), {})
        if metric not in METRICS_OF_AWS[namespace]:
            yield f"{namespace} has no {metric}"
        if len(dimensions) != 1 or resource.get("Type") != kind:
            yield f"{metric} has not the dimensions {dimensions}"
    else:
        yield f"{namespace} is not a namespace of the functions or of what the template has"


def referred(namespace, value):
    """The logical id of the resource whose name a dimension's value is."""
    attribute = OF_AWS[namespace][2]
    if not isinstance(value, dict):
        return None
    if attribute == "Ref":
        return value.get("Ref")
    return value["Fn::GetAtt"][0] if value.get("Fn::GetAtt", ["", ""])[1] == attribute else None


def alarms(resources):
    runbook = (ROOT / "docs/operate.md").read_text()
    for name, alarm in of_type(resources, "AWS::CloudWatch::Alarm"):
        dimensions = {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}
        for problem in metric_problems(resources, text(alarm["Namespace"]), alarm["MetricName"], dimensions):
            yield f"{name}: {problem}"
        for key in ("TreatMissingData", "DatapointsToAlarm"):
            if key not in alarm:
                yield f"{name}: {key} is not chosen"
        if alarm["Period"] % 60:
            yield f"{name}: what is measured once a minute has no period of {alarm['Period']} s"
        for key in ("AlarmActions", "OKActions"):
            if alarm.get(key) != ACTIONS:
                yield f"{name}: {key} do not reach AlarmEmail"
        span = alarm["Period"] * alarm["EvaluationPeriods"]
        if span > (7 * DAY if alarm["Period"] >= 3600 else DAY):
            yield f"{name}: {span} s is longer than an alarm may look back"
        if alarm.get("DatapointsToAlarm", 0) > alarm["EvaluationPeriods"]:
            yield f"{name}: more datapoints than periods"
        if f"See {name} in docs/operate.md" not in alarm.get("AlarmDescription", ""):
            yield f"{name}: its description does not name its entry in docs/operate.md"
        if not re.search(rf"^### .*\b{name}\b", runbook, re.MULTILINE):
            yield f"{name}: docs/operate.md has no entry of it"


def counted(resources):
    """The documents say how many alarms there are."""
    found = [resources[name].get("Condition") for name, _ in of_type(resources, "AWS::CloudWatch::Alarm")]
    count, always = len(found), found.count(None)
    for path, words in {
        "README.md": f"{count} alarms",
        "CHANGELOG.md": f"{count} alarms",
        "docs/cost.md": f"| alarms | {count}, without callbacks {always}, at",
    }.items():
        if words not in (ROOT / path).read_text():
            yield f"{path}: it does not say {words}"


def text(namespace) -> str:
    """A namespace as it is written, with or without `!Sub`."""
    return namespace.get("Fn::Sub", "") if isinstance(namespace, dict) else namespace


def alarmed(resources):
    """Whatever can fail by itself has its alarms."""
    found = set()
    for _, alarm in of_type(resources, "AWS::CloudWatch::Alarm"):
        if (namespace := text(alarm["Namespace"])) in OF_AWS:
            for dimension in alarm["Dimensions"]:
                found.add((alarm["MetricName"], referred(namespace, dimension["Value"])))
    for name, _ in of_type(resources, "AWS::Lambda::Function"):
        for metric in ("Errors", "Throttles"):
            if (metric, name) not in found:
                yield f"{name}: no alarm watches {metric}"
    for name, _ in of_type(resources, "AWS::SQS::Queue"):
        # SQS counts a message as sent only if a client sent it, and not if a redrive policy moved it.
        is_target = any(name in references(queue.get("RedrivePolicy", {})) for _, queue in of_type(resources, "AWS::SQS::Queue"))
        metric = "ApproximateNumberOfMessagesVisible" if is_target else "NumberOfMessagesSent"
        if name.endswith(ENDS) and name != GIVEN_UP and (metric, name) not in found:
            yield f"{name}: no alarm watches {metric}"
    for _, mapping in of_type(resources, "AWS::Lambda::EventSourceMapping"):
        name = next(iter(references(mapping["EventSourceArn"])), None)
        # Nothing else tells of a mapping that is disabled.
        if ("ApproximateAgeOfOldestMessage", name) not in found:
            yield f"{name}: no alarm watches how long events wait"
        if ("ApproximateNumberOfMessagesNotVisible", name) not in found:
            yield f"{name}: no alarm watches how many events are in flight"


def namespaces(resources):
    """Two stacks of one account must not add up to one metric."""
    for name, function in of_type(resources, "AWS::Lambda::Function"):
        if text(function["Environment"]["Variables"].get("METRICS_NAMESPACE", NAMESPACE)) != NAMESPACE:
            yield f"{name}: its metrics are not in the namespace of the alarms"


def dashboards(resources):
    for name, dashboard in of_type(resources, "AWS::CloudWatch::Dashboard"):
        if "AWS::Region" not in json.dumps(dashboard.get("DashboardName")):
            yield f"{name}: the stacks of two regions would have one name"
        for has_callbacks in (True, False):
            there = {
                key: resource
                for key, resource in resources.items()
                if has_callbacks or resource.get("Condition") != "HasCallbacks"
            }
            for problem in body_problems(there, dashboard, has_callbacks):
                yield f"{name}: {problem}"


def body_problems(resources, dashboard, has_callbacks):
    """What is wrong with the body where these are all resources that there are."""
    try:
        text = boards.body(dashboard, has_callbacks)
        widgets = json.loads(text)["widgets"]
    except (KeyError, TypeError, ValueError):
        yield "the body is not a dashboard"
        return
    if missing := boards.missing(text, resources):
        yield f"it refers to {', '.join(sorted(missing))}, which may not be there"
    else:
        yield from boards.problems(boards.deployed(text, resources, "stack"))
    shown = [metric for widget in widgets for metric in widget["properties"].get("metrics", [])]
    for metric in shown:
        yield from graph_problems(resources, metric)
    own = {metric[1] for metric in shown if not metric[0].startswith("AWS/")}
    services = [service for service in CHANNELS if has_callbacks or service != "callback-fn"]
    for metric in sorted(set().union(*(emitted()[service] for service in services)) - own):
        yield f"{metric} is not shown"
    listed = [alarm for widget in widgets for alarm in widget["properties"].get("alarms", [])]
    for alarm, _ in of_type(resources, "AWS::CloudWatch::Alarm"):
        if f"${{{alarm}.Arn}}" not in listed:
            yield f"{alarm} is not shown"


def graph_problems(resources, metric):
    """`[namespace, name, dimension, value, …, {…}]`, with references as `Fn::Sub` has them."""
    namespace, name, *dimensions = [part for part in metric if isinstance(part, str)]
    values = [unsubstituted(value) for value in dimensions[1::2]]
    yield from metric_problems(resources, namespace, name, dict(zip(dimensions[::2], values)))


def unsubstituted(value):
    """`${Function}` as `Ref`, `${Queue.QueueName}` as `Fn::GetAtt`."""
    match = re.fullmatch(r"\$\{(\w+)(?:\.(\w+))?\}", value)
    if not match:
        return value
    return {"Fn::GetAtt": [match[1], match[2]]} if match[2] else {"Ref": match[1]}


def topics(resources):
    policies = [policy for _, policy in of_type(resources, "AWS::SNS::TopicPolicy")]
    for name, topic in of_type(resources, "AWS::SNS::Topic"):
        # CloudWatch cannot use the key that SNS has by itself.
        key = topic.get("KmsMasterKeyId")
        key = resources.get(key.get("Ref"), {}) if isinstance(key, dict) else {}
        if key.get("Type") != "AWS::KMS::Key":
            yield f"{name}: it is not encrypted with a key of the template"
        if not any({"Ref": name} in policy["Topics"] for policy in policies):
            yield f"{name}: it has no policy"
    for name, policy in of_type(resources, "AWS::SNS::TopicPolicy"):
        for statement in as_list(policy["PolicyDocument"]["Statement"]):
            if "aws:SourceAccount" not in json.dumps(statement.get("Condition", {})):
                yield f"{name}: alarms of any account may be sent"


RULES = [alarms, counted, alarmed, namespaces, dashboards, topics]
