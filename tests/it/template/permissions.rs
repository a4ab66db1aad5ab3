//! What the functions' roles grant, and what the functions do with it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use local_stack::close::change::Change;
use local_stack::queue::message::Message;
use local_stack::store::Call;
use reqwest::StatusCode;
use saphyr::{LoadableYamlNode as _, Yaml};
use serde_json::json;
use shared::instance_id::InstanceId;

use super::LOCAL;
use crate::world::{PATIENCE, World, ago};

const TEMPLATE: &str = include_str!("../../../template.yaml");

/// What DynamoDB asks for behind one `TransactWriteItems` of a poll's commit.
const COMMIT: [&str; 4] = [
    "dynamodb:ConditionCheckItem InstancesTable",
    "dynamodb:DeleteItem WatermarksTable",
    "dynamodb:PutItem WatermarksTable",
    "dynamodb:UpdateItem WatermarksTable",
];

/// What Lambda does itself: it feeds functions from queues, and sends away what failed.
const LAMBDAS: [&str; 4] = [
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    "sqs:SendMessage PollerDeadLetterQueue",
];

/// What a role grants, each as its action and its resource.
fn granted(role: &str) -> BTreeSet<String> {
    let documents = Yaml::load_from_str(TEMPLATE).unwrap();
    let properties = &documents[0]["Resources"][role]["Properties"];
    assert!(properties.as_mapping_get("ManagedPolicyArns").is_none());
    let policies = properties["Policies"].as_sequence().unwrap().iter();
    let statements = policies.flat_map(|policy| items(&policy["PolicyDocument"]["Statement"]));
    let mut granted = BTreeSet::new();
    for statement in statements {
        assert_eq!(statement["Effect"].as_str(), Some("Allow"));
        for action in items(&statement["Action"]) {
            for resource in items(&statement["Resource"]) {
                granted.insert(format!("{} {}", text(action), name(text(resource))));
            }
        }
    }
    granted
}

/// One is as good as a list of one.
fn items<'a>(node: &'a Yaml<'a>) -> &'a [Yaml<'a>] {
    node.as_sequence()
        .map_or(std::slice::from_ref(node), Vec::as_slice)
}

/// The text of a node, with `!GetAtt` or `!Sub` before it or without.
fn text<'a>(node: &'a Yaml<'a>) -> &'a str {
    node.get_tagged_node().unwrap_or(node).as_str().unwrap()
}

/// `InstancesTable/index/due` of `${InstancesTable.Arn}/index/due`.
fn name(resource: &str) -> String {
    resource
        .replace("${", "")
        .replace('}', "")
        .replacen(".Arn", "", 1)
}

/// What was called since the calls were forgotten, as the permissions that it takes.
fn used(world: &World) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for call in world.stack.store().calls().snapshot() {
        match (call.operation.as_str(), call.tables.as_slice()) {
            ("TransactWriteItems", tables) => {
                assert_eq!(tables, ["InstancesTable", "WatermarksTable"]);
                used.extend(COMMIT.map(str::to_owned));
            }
            (operation, [table]) if call.index.is_some() => {
                let index = call.index.as_deref().unwrap();
                used.insert(format!("dynamodb:{operation} {table}/index/{index}"));
            }
            (operation, tables) => {
                used.extend(
                    tables
                        .iter()
                        .map(|table| format!("dynamodb:{operation} {table}")),
                );
            }
        }
    }
    if !world.stack.bus().calls().snapshot().is_empty() {
        used.insert("events:PutEvents EventBus".to_owned());
    }
    for call in world.stack.sqs().calls().snapshot() {
        used.insert(format!("sqs:{} {}", call.operation, call.queue));
    }
    world.forget_calls();
    world.stack.sqs().calls().clear();
    used
}

/// What a role grants for calls that its function did not make. What the function did make must be granted.
fn unused(used: &BTreeSet<String>, role: &str) -> Vec<String> {
    let granted = granted(role);
    let refused: Vec<_> = used.difference(&granted).collect();
    assert!(refused.is_empty(), "{role} does not grant {refused:?}");
    // The rest is what Lambda and DynamoDB do in the function's name.
    let is_own = |grant: &&String| {
        let services = ["dynamodb:", "events:", "sqs:"];
        services.iter().any(|service| grant.starts_with(service))
            && !LAMBDAS.iter().any(|lambdas| grant.starts_with(lambdas))
    };
    let unused = granted.difference(used);
    unused.filter(is_own).cloned().collect()
}

#[test]
fn the_roles_grant_these_and_no_others() {
    let show = |role| granted(role).into_iter().collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(show("WebhookRole"), @r"
    dynamodb:BatchGetItem LedgerTable
    dynamodb:BatchWriteItem LedgerTable
    dynamodb:BatchWriteItem WatermarksTable
    dynamodb:DeleteItem InstancesTable
    dynamodb:GetItem InstancesTable
    dynamodb:PutItem InstancesTable
    dynamodb:Query InstancesTable/index/token
    dynamodb:Query WatermarksTable
    dynamodb:Scan InstancesTable
    dynamodb:UpdateItem InstancesTable
    events:PutEvents EventBus
    kms:Decrypt TablesKey
    kms:DescribeKey TablesKey
    kms:GenerateDataKey TablesKey
    logs:CreateLogStream WebhookLogs
    logs:PutLogEvents WebhookLogs
    xray:PutTelemetryRecords *
    xray:PutTraceSegments *
    ");
    insta::assert_snapshot!(show("PollerRole"), @r"
    dynamodb:ConditionCheckItem InstancesTable
    dynamodb:DeleteItem WatermarksTable
    dynamodb:PutItem WatermarksTable
    dynamodb:Query InstancesTable/index/due
    dynamodb:Query WatermarksTable
    dynamodb:UpdateItem InstancesTable
    dynamodb:UpdateItem WatermarksTable
    events:PutEvents EventBus
    kms:Decrypt TablesKey
    kms:DescribeKey TablesKey
    kms:GenerateDataKey TablesKey
    logs:CreateLogStream PollerLogs
    logs:PutLogEvents PollerLogs
    sqs:SendMessage PollerDeadLetterQueue
    xray:PutTelemetryRecords *
    xray:PutTraceSegments *
    ");
    insta::assert_snapshot!(show("CallbackRole"), @r"
    dynamodb:GetItem InstancesTable
    dynamodb:UpdateItem InstancesTable
    kms:Decrypt TablesKey
    kms:DescribeKey TablesKey
    kms:GenerateDataKey TablesKey
    logs:CreateLogStream CallbackLogs
    logs:PutLogEvents CallbackLogs
    sqs:ChangeMessageVisibility CallbackRetryQueue
    sqs:DeleteMessage CallbackQueue
    sqs:DeleteMessage CallbackRetryQueue
    sqs:GetQueueAttributes CallbackQueue
    sqs:GetQueueAttributes CallbackRetryQueue
    sqs:ReceiveMessage CallbackQueue
    sqs:ReceiveMessage CallbackRetryQueue
    sqs:SendMessage CallbackDeadLetterQueue
    sqs:SendMessage CallbackRetryQueue
    xray:PutTelemetryRecords *
    xray:PutTraceSegments *
    ");
}

#[tokio::test]
async fn a_life_of_an_instance_takes_what_the_roles_grant() {
    let world = World::start().await;
    world
        .organization
        .create_leads(3, Change::at(ago(60)).quiet())
        .unwrap();
    world.forget_calls();

    let id = world.polling(&["leads"]).await;
    let path = format!("/instances/{id}");
    world.call("GET", &path, None, "").await;
    world.call("GET", "/instances", None, "").await;
    let nobody = Some("Element nobody");
    world.call("GET", "/instances", nobody, "").await;
    let url = world.webhook_url(&InstanceId::try_from(id).unwrap().to_base64());
    let body = r#"{"model":"lead","event":"delete","data":{"id":"lead_1"}}"#;
    world.deliver(&url, &[], body).await;
    let mut by_webhook = used(&world);

    assert_eq!(world.stack.tick().await.unwrap(), json!({"dispatched": 1}));
    // The tick defers the instance; the poll takes its lease and, at its end, gives it back.
    let is_update = |call: &&Arc<Call>| call.operation == "UpdateItem";
    let calls = world.stack.store().calls();
    calls
        .wait_for(PATIENCE, |calls| {
            3 <= calls.iter().filter(is_update).count()
        })
        .await
        .unwrap();
    let by_poller = used(&world);

    let answer = world.call("DELETE", &path, None, "").await;
    assert_eq!(answer.status, StatusCode::OK);
    by_webhook.extend(used(&world));

    assert_eq!(unused(&by_webhook, "WebhookRole"), [""; 0]);
    assert_eq!(unused(&by_poller, "PollerRole"), [""; 0]);
    world.finish().await;
}

#[tokio::test]
async fn a_callback_takes_what_its_role_grants() {
    let world = World::start_with(|builder| {
        let functions = ["WebhookFunction", "CallbackFunction"].into_iter();
        functions.fold(builder, |builder, function| {
            builder.environment(function, LOCAL, "true")
        })
    })
    .await;
    let [first, retries, dead] = [
        "CallbackQueue",
        "CallbackRetryQueue",
        "CallbackDeadLetterQueue",
    ]
    .map(|name| world.stack.queue(name).unwrap());
    world.stack.disable_mappings();
    let nobody_listens = json!({
        "event.notification.type": "webhook",
        "event.notification.callback.url": "http://127.0.0.1:9/",
        "event.vendor.type": "webhook",
    });
    let answer = world.provision(nobody_listens).await;
    let url = answer.body["webhookUrl"].as_str().unwrap();
    let body = r#"{"model":"lead","event":"delete","data":{"id":"lead_1"}}"#;
    world.deliver(url, &[], body).await;
    first
        .wait_for(PATIENCE, |depth| depth.ready == 1)
        .await
        .unwrap();
    first.send(Message::new("poison")).unwrap();
    used(&world);

    world.stack.enable_mappings();
    retries
        .messages()
        .wait_for_count(1, PATIENCE)
        .await
        .unwrap();
    dead.messages().wait_for_count(1, PATIENCE).await.unwrap();
    // The queue's time is over, and the function's own is not: so it has to wait.
    retries.advance(Duration::from_secs(10));
    let calls = world.stack.sqs().calls();
    calls
        .wait_for(PATIENCE, |calls| {
            let mut operations = calls.iter().map(|call| call.operation.as_str());
            operations.any(|operation| operation == "ChangeMessageVisibility")
        })
        .await
        .unwrap();

    assert_eq!(unused(&used(&world), "CallbackRole"), [""; 0]);
    world.finish().await;
}
