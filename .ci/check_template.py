"""Asserts of the translated template what the linters do not see, or see only when it is deployed.

Usage: check_template.py TEMPLATE
"""

import json
import re
import sys
from functools import cache
from pathlib import Path

import admission
import event_schema
import limits
import regions
import seen_from_outside
from cfnlint.schema import ResourceNotFoundError
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from resources import as_list, of_type, references
from translate import translate

ROOT = Path(__file__).parent.parent
ALL = {"INSTANCES_TABLE", "METRICS_NAMESPACE", "RUST_LOG"}
BOTH = ALL | {"EVENT_BUS_NAME", "WATERMARKS_TABLE", "LEDGER_TABLE", "CLOSE_BASE_URLS", "EVENT_MAX_BYTES", "PUBLIC_URL"}
ENVIRONMENT = {
    "WebhookFunction": BOTH | {"USER_SECRET", "ORGANIZATION_SECRET", "CALLBACKS_ENABLED"},
    "PollerFunction": BOTH | {"DISPATCH_PER_SECOND"},
    # Where it may post to anything local is for tests alone, so CALLBACK_ALLOW_LOOPBACK is not set.
    "CallbackFunction": ALL
    | {
        "CALLBACK_RETRY_QUEUE_URL",
        "CALLBACK_DEAD_LETTER_QUEUE_URL",
        "CALLBACK_FAILURE_QUEUE_URL",
        "CALLBACK_WAITS_TABLE",
    },
}
# What is there only with EnableCallbacks: by its name, and not a thing more.
CALLBACKS = "Callback"
HAS_CALLBACKS = "HasCallbacks"
TABLES = {"InstancesTable", "WatermarksTable", "LedgerTable", "CallbackWaitsTable"}
# Their items go by themselves.
EXPIRING = ("LedgerTable", "CallbackWaitsTable")
XRAY = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
METHODS = {"get", "put", "post", "patch", "delete"}


def check(template: dict) -> list[str]:
    """Everything wrong with a translated template, as `LogicalId: what`."""
    resources = template["Resources"]
    problems = {problem for rule in RULES for problem in rule(resources)}
    for rule in (conditional, limits.check, regions.check):
        problems |= set(rule(template))
    return sorted(problems | set(documented(template["Parameters"])))


def documented(parameters: dict):
    """docs/configuration.md has each parameter, with its default and its limits."""
    rows = {}
    for line in (ROOT / "docs/configuration.md").read_text().splitlines():
        cells = line.split(" | ")
        if cells[0].startswith("| `"):
            rows |= dict.fromkeys(re.findall(r"`(\w+)`", cells[0]), cells[1])
    for name, parameter in parameters.items():
        for key in ("Default", "MinValue", "MaxValue"):
            value = str(parameter.get(key, "")) or ("empty" if key in parameter else "")
            if not re.search(rf"(?<!\w){re.escape(value)}(?!\w)", rows.get(name, "")):
                yield f"{name}: docs/configuration.md does not say that {key} is {value}"


def is_arn(value) -> bool:
    """Whether a value gives an ARN. `Ref` gives a queue's URL and a function's, table's or bus's name."""
    if isinstance(value, str):
        return value.startswith("arn:")
    text = value.get("Fn::Sub", "")
    return value.get("Fn::GetAtt", ["", ""])[1] == "Arn" or bool(re.match(r"arn:|\$\{\w+\.Arn\}", text))


# ---- Functions


def functions(resources):
    for name, function in of_type(resources, "AWS::Lambda::Function"):
        for key, expected in {
            "Runtime": "provided.al2023",
            "Handler": "bootstrap",
            "Architectures": [{"Ref": "Architecture"}],
            "TracingConfig": {"Mode": "Active"},
        }.items():
            if function.get(key) != expected:
                yield f"{name}: {key} is {function.get(key)}, not {expected}"
        logging = function.get("LoggingConfig", {})
        if logging.get("LogFormat") != "JSON":
            yield f"{name}: logs are not JSON"
        # Lambda takes a line without a level for INFO: metrics, and all lines without a timestamp.
        if logging.get("ApplicationLogLevel") != "TRACE":
            yield f"{name}: Lambda drops lines by their level, metrics among them"
        if resources.get(logging.get("LogGroup", {}).get("Ref"), {}).get("Type") != "AWS::Logs::LogGroup":
            yield f"{name}: it does not write to a log group of the template"
        if function.get("Role", {}).get("Fn::GetAtt", [""])[0] not in resources:
            yield f"{name}: its role is not one of the template's"


def environment(resources):
    found = {
        name: function.get("Environment", {}).get("Variables", {})
        for name, function in of_type(resources, "AWS::Lambda::Function")
    }
    if found.keys() != ENVIRONMENT.keys():
        yield f"Functions: {sorted(found)} instead of {sorted(ENVIRONMENT)}"
    for name, variables in found.items():
        expected = ENVIRONMENT.get(name, set())
        for variable in sorted(expected - variables.keys()):
            yield f"{name}: {variable} is not set"
        for variable in sorted(variables.keys() - expected):
            yield f"{name}: {variable} is set, but not read"


def queue_urls(resources):
    """A queue is called by its URL, which `Ref` gives; its ARN is for permissions."""
    queues = {name for name, _ in of_type(resources, "AWS::SQS::Queue")}
    for name, function in of_type(resources, "AWS::Lambda::Function"):
        for variable, value in function.get("Environment", {}).get("Variables", {}).items():
            if variable.endswith("_QUEUE_URL") and (not isinstance(value, dict) or value.get("Ref") not in queues):
                yield f"{name}: {variable} is not the URL of a queue"


def secrets(resources):
    for name, function in of_type(resources, "AWS::Lambda::Function"):
        for variable, value in function.get("Environment", {}).get("Variables", {}).items():
            if not variable.endswith("_SECRET"):
                continue
            if not re.fullmatch(r"\{\{resolve:secretsmanager:\$\{\w+\}:SecretString\}\}", str(value.get("Fn::Sub"))):
                yield f"{name}: {variable} is not a dynamic reference to a secret"
            if "KmsKeyArn" not in function:
                yield f"{name}: an environment with secrets has no key"


# ---- What reaches the functions


def routes(resources):
    for name, api in of_type(resources, "AWS::ApiGatewayV2::Api"):
        for path, methods in api.get("Body", {}).get("paths", {}).items():
            for method in methods.keys() - METHODS:
                yield f"{name}: {path} has the method {method}"
    for name, stage in of_type(resources, "AWS::ApiGatewayV2::Stage"):
        if not {"ThrottlingRateLimit", "ThrottlingBurstLimit"} <= stage.get("DefaultRouteSettings", {}).keys():
            yield f"{name}: routes are not throttled"
        if not is_arn(stage.get("AccessLogSettings", {}).get("DestinationArn", "")):
            yield f"{name}: no access log"


def schedules(resources):
    for name, rule in of_type(resources, "AWS::Events::Rule"):
        expression = rule.get("ScheduleExpression", "rate(1 minute)")
        rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)(s?)\)", str(expression))
        if not rate or (rate[1] == "1") == bool(rate[3]) or rate[1] == "0":
            yield f"{name}: {expression} is not a schedule"


def targets(resources):
    by_pattern = set()
    for name, rule in of_type(resources, "AWS::Events::Rule"):
        yield from (f"{name}: {problem}" for problem in pattern_problems(rule.get("EventPattern", {})))
        for target in rule["Targets"]:
            if not is_arn(target["Arn"]):
                yield f"{name}: the target is not an ARN"
            elif not may_reach(resources, name, target["Arn"]):
                yield f"{name}: it may not reach its target"
            if "RetryPolicy" not in target:
                yield f"{name}: the target has no RetryPolicy, so a day of retries"
            if "EventPattern" not in rule:
                continue
            by_pattern |= references(target["Arn"])
            dead_letters = target.get("DeadLetterConfig", {}).get("Arn", "")
            if not is_arn(dead_letters):
                yield f"{name}: the target has no ARN of a dead-letter queue"
            elif not may_reach(resources, name, dead_letters):
                yield f"{name}: it may not reach its dead-letter queue"
    for name, config in of_type(resources, "AWS::Lambda::EventInvokeConfig"):
        # A tick that fails is made up for by the next.
        if not references(config["FunctionName"]) & by_pattern:
            continue
        if not is_arn(config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "")):
            yield f"{name}: failures go to no ARN of a queue"


def pattern_problems(pattern):
    """A pattern is a mapping. One of two is chosen as a whole, in JSON: CloudFormation may make texts of booleans within."""
    if not isinstance(pattern, dict):
        yield "the pattern is not a mapping"
    elif "Fn::If" in pattern:
        for text in pattern["Fn::If"][1:]:
            try:
                is_mapping = isinstance(json.loads(text), dict)
            except (TypeError, ValueError):
                is_mapping = False
            if not is_mapping:
                yield "a pattern that is chosen is not a mapping in JSON"
    elif "Fn::If" in json.dumps(pattern):
        yield "a part of the pattern is chosen"


def may_reach(resources, rule, target) -> bool:
    """Whether a permission of a function, or the policy of a queue, lets EventBridge through for this rule."""
    source = {"Fn::GetAtt": [rule, "Arn"]}
    for _, permission in of_type(resources, "AWS::Lambda::Permission"):
        function = permission["FunctionName"]
        function = function.get("Ref") or function["Fn::GetAtt"][0]
        if permission.get("SourceArn") == source and target == {"Fn::GetAtt": [function, "Arn"]}:
            return permission.get("Principal") == "events.amazonaws.com"
    for _, policy in of_type(resources, "AWS::SQS::QueuePolicy"):
        for statement in as_list(policy["PolicyDocument"]["Statement"]):
            allowed = statement.get("Condition", {}).get("ArnEquals", {}).get("aws:SourceArn")
            if source in as_list(allowed) and target in as_list(statement["Resource"]):
                return statement.get("Principal") == {"Service": "events.amazonaws.com"}
    return False


def mappings(resources):
    for name, mapping in of_type(resources, "AWS::Lambda::EventSourceMapping"):
        source = mapping["EventSourceArn"]
        queue = isinstance(source, dict) and resources.get(source.get("Fn::GetAtt", [""])[0], {}).get("Properties")
        if not is_arn(source) or not queue:
            yield f"{name}: it reads no ARN of a queue"
            continue
        function = resources[mapping["FunctionName"]["Ref"]]["Properties"]
        least = 6 * function.get("Timeout", 3) + mapping.get("MaximumBatchingWindowInSeconds", 0)
        if queue.get("VisibilityTimeout", 30) < least:
            yield f"{name}: the queue shows a message again before {least} s, six times the function's timeout"
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name}: one message that fails takes its whole batch with it"
        if "MaximumConcurrency" not in mapping.get("ScalingConfig", {}):
            yield f"{name}: it may take all of the account's concurrency"
        if "RedrivePolicy" not in queue:
            yield f"{name}: its queue gives up no message"


def queues(resources):
    for name, queue in of_type(resources, "AWS::SQS::Queue"):
        if queue.get("SqsManagedSseEnabled") is not True:
            yield f"{name}: it is not encrypted with SSE-SQS"
        if queue.get("MessageRetentionPeriod") != 1209600:
            yield f"{name}: it does not keep messages for 14 days"
        redrive = queue.get("RedrivePolicy", {"deadLetterTargetArn": "arn:"})
        if not is_arn(redrive["deadLetterTargetArn"]):
            yield f"{name}: what it gives up goes to no ARN of a queue"
    for name, policy in of_type(resources, "AWS::SQS::QueuePolicy"):
        for statement in as_list(policy["PolicyDocument"]["Statement"]):
            if not is_arn(statement["Resource"]):
                yield f"{name}: the resource is not an ARN"
            if "aws:SourceArn" not in json.dumps(statement.get("Condition", {})):
                yield f"{name}: any rule of any account may send"


def conditional(template):
    """Without EnableCallbacks nothing of the callbacks is deployed, and nothing that is refers to them."""
    resources = template["Resources"]
    named = {name for name in resources if name.startswith(CALLBACKS)}
    for name in sorted(named):
        if resources[name].get("Condition") != HAS_CALLBACKS:
            yield f"{name}: it is deployed without EnableCallbacks"
    outputs = template.get("Outputs", {})
    for name, entry in (resources | outputs).items():
        if entry.get("Condition") == HAS_CALLBACKS:
            continue
        for other in sorted(references(entry, without=HAS_CALLBACKS) & named):
            yield f"{name}: it refers to {other}, which may not be there"


# ---- Permissions


def roles(resources):
    for name, role in of_type(resources, "AWS::IAM::Role"):
        if "ManagedPolicyArns" in role:
            yield f"{name}: it has a managed policy"
        for policy in role.get("Policies", []):
            for statement in as_list(policy["PolicyDocument"]["Statement"]):
                yield from (f"{name}: {problem}" for problem in statement_problems(statement))


def statement_problems(statement):
    if statement.get("Effect") != "Allow" or "Action" not in statement or "Resource" not in statement:
        yield "a statement does more than allow actions on resources"
        return
    actions = as_list(statement["Action"])
    label = ", ".join(actions)
    for action in actions:
        if "*" in action:
            yield f"{action} is a wildcard"
    for resource in as_list(statement["Resource"]):
        if resource == "*" and set(actions) <= XRAY:
            continue
        if "*" in json.dumps(resource):
            yield f"{label} on the wildcard {json.dumps(resource)}"
        elif not is_arn(resource):
            yield f"{label} on {json.dumps(resource)}, which is not an ARN"
    via = statement.get("Condition", {}).get("StringEquals", {}).get("kms:ViaService", {}).get("Fn::Sub", "")
    if any(action.startswith("kms:") for action in actions) and not via.startswith("dynamodb."):
        yield f"{label} is not limited to DynamoDB's calls"


# ---- What is kept


def tables(resources):
    if (found := {name for name, _ in of_type(resources, "AWS::DynamoDB::Table")}) != TABLES:
        yield f"Tables: {sorted(found)} instead of {sorted(TABLES)}"
    for name, table in of_type(resources, "AWS::DynamoDB::Table"):
        if table.get("BillingMode") != "PAY_PER_REQUEST":
            yield f"{name}: it is not on demand"
        if table.get("PointInTimeRecoverySpecification") != {"PointInTimeRecoveryEnabled": True}:
            yield f"{name}: no point-in-time recovery"
        encryption = table.get("SSESpecification", {})
        if not (encryption.get("SSEEnabled") is True and encryption.get("SSEType") == "KMS"):
            yield f"{name}: it is not encrypted with KMS"
        if encryption.get("KMSMasterKeyId") != {"Fn::GetAtt": ["TablesKey", "Arn"]}:
            yield f"{name}: it is not encrypted with the stack's key"
    expected = {"AttributeName": "expiresAt", "Enabled": True}
    for name in EXPIRING:
        if resources.get(name, {}).get("Properties", {}).get("TimeToLiveSpecification") != expected:
            yield f"{name}: its items do not expire"


def retained(resources):
    for name, resource in resources.items():
        if resource["Type"] == "AWS::DynamoDB::Table" or name == "TablesKey":
            # What a creation that failed leaves behind would be empty, and paid for.
            for policy, expected in {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}.items():
                if resource.get(policy) != expected:
                    yield f"{name}: {policy} is not {expected}"
        elif resource.get("DeletionPolicy", "Delete") != "Delete":
            yield f"{name}: it outlives the stack, which docs/deploy.md does not say"


def key(resources):
    for name, key in of_type(resources, "AWS::KMS::Key"):
        for statement in as_list(key["KeyPolicy"]["Statement"]):
            if name == "TablesKey" and statement["Sid"] == "Logs":
                yield from (f"{name}: {problem}" for problem in logs_key_problems(resources, statement))
                continue
            if name == "AlarmKey" and statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}:
                if "aws:SourceAccount" not in json.dumps(statement.get("Condition", {})):
                    yield f"{name}: alarms of any account may use it"
            elif statement["Principal"] != {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}:
                yield f"{name}: its policy names another principal than the account"


def logs_key_problems(resources, statement):
    """CloudWatch Logs may use the key for the log groups of the stack, all of them and no others."""
    if statement["Principal"] != {"Service": {"Fn::Sub": "logs.${AWS::Region}.${AWS::URLSuffix}"}}:
        yield "another than CloudWatch Logs may use it for logs"
    arns = statement.get("Condition", {}).get("ArnEquals", {}).get("kms:EncryptionContext:aws:logs:arn", [])
    prefix = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:"
    names = [group["LogGroupName"] for _, group in of_type(resources, "AWS::Logs::LogGroup")]
    groups = [{"Fn::Sub": prefix + (name if isinstance(name, str) else name["Fn::Sub"])} for name in names]
    if sorted(map(json.dumps, as_list(arns))) != sorted(map(json.dumps, groups)):
        yield "the log groups that may use it are not those of the template"


def archives(resources):
    found = dict(of_type(resources, "AWS::Events::Archive"))
    if not found:
        yield "Archives: there is none"
    for name, archive in found.items():
        if archive.get("EventPattern") != {"source": ["closeio"]}:
            yield f"{name}: it does not keep the changes, and nothing else"
        if "KmsKeyIdentifier" in archive:
            yield f"{name}: each use of its key is paid for"
        if archive.get("RetentionDays") != {"Ref": "ArchiveRetentionDays"}:
            yield f"{name}: it does not keep events for ArchiveRetentionDays"
        if resources[name].get("Condition") != "HasArchive":
            yield f"{name}: with 0 days, which AWS takes for ever, it would still be there"


def logs(resources):
    for name, group in of_type(resources, "AWS::Logs::LogGroup"):
        if "RetentionInDays" not in group:
            yield f"{name}: its lines are kept for ever"
        if group.get("KmsKeyId") != {"Fn::GetAtt": ["TablesKey", "Arn"]}:
            yield f"{name}: it is not encrypted with the stack's key"


def names(resources):
    """Two stacks in one account must not meet in a name."""
    for name, resource in resources.items():
        given = {key: resource.get("Properties", {}).get(key) for key in sorted(name_properties(resource["Type"]))}
        given = {key: value for key, value in given.items() if value is not None}
        # What is named within something of the stack's has its name to itself.
        if given and not any(of_the_stack(resources, value) for value in given.values()):
            yield f"{name}: {' and '.join(given)} is not made from the stack's name"


@cache
def name_properties(kind) -> set[str]:
    """The properties that name a resource of a type, as its schema has it: chosen once, or its identifier."""
    try:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    except ResourceNotFoundError:
        return set()  # cfn-lint says so.
    chosen = set(schema.get("createOnlyProperties", [])) | set(schema["primaryIdentifier"])
    names = {pointer.removeprefix("/properties/") for pointer in chosen - set(schema.get("readOnlyProperties", []))}
    return {name for name in names if name.endswith(("Name", "Id"))}


def of_the_stack(resources, value) -> bool:
    return bool(re.search("AWS::Stack(Name|Id)", json.dumps(value)) or references(value) & resources.keys())


RULES = [
    functions,
    environment,
    queue_urls,
    secrets,
    routes,
    schedules,
    targets,
    mappings,
    queues,
    roles,
    tables,
    retained,
    key,
    archives,
    logs,
    names,
    *admission.RULES,
    *event_schema.RULES,
    *seen_from_outside.RULES,
]


def main() -> None:
    problems = check(translate(Path(sys.argv[1]).read_text()))
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
