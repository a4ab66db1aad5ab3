//! What the roles do not grant is refused. Every other test shows that they grant what is called; that they grant no more, and
//! what each grant is for, is checked by `.ci/check_privileges.py`.

use local_stack::stack::LocalStack;
use reqwest::StatusCode;
use serde_json::json;

use super::LOCAL;
use crate::world::{PATIENCE, World};

/// A webhook of 2014 about a lead that is gone.
const DELETED: &str = r#"{"model":"lead","event":"delete","data":{"id":"lead_1"}}"#;

async fn world_without(role: &str, action: &str) -> World {
    World::start_with(|builder| builder.without_action(role, action)).await
}

fn lacking(world: &World) -> Vec<String> {
    world.stack.access().lacking().into_iter().collect()
}

#[tokio::test]
async fn a_call_that_no_statement_grants_fails_with_the_words_of_aws() {
    let world = world_without("WebhookRole", "dynamodb:Scan").await;
    let answer = world.call("GET", "/instances", None, "").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let function = world.stack.function("WebhookFunction").unwrap();
    let said = "User: arn:aws:sts::000000000000:assumed-role/local-WebhookRole/local-WebhookFunction is not authorized to perform: dynamodb:Scan on resource: arn:aws:dynamodb:us-east-1:000000000000:table/local-InstancesTable because no identity-based policy allows the dynamodb:Scan action";
    let says_so = |line: &str| line.contains("AccessDeniedException") && line.contains(said);
    function.wait_for_output(PATIENCE, says_so).await.unwrap();
    let expect = "no statement of WebhookRole allows dynamodb:Scan on InstancesTable";
    assert_eq!(lacking(&world), [expect]);
    world.stack.access().refused().clear();
    world.finish().await;
}

#[tokio::test]
async fn a_refused_call_fails_its_test_even_where_the_function_does_without() {
    let world = world_without("WebhookRole", "dynamodb:BatchGetItem").await;
    let url = world.known_instance(12, None).await;
    let answer = world.deliver(&url, &[], DELETED).await;
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "a Ledger that cannot be read"
    );
    let error = world.stack.shutdown().await.unwrap_err();
    let lacks = "no statement of WebhookRole allows dynamodb:BatchGetItem on LedgerTable";
    assert!(error.to_string().contains(lacks), "{error}");
}

#[tokio::test]
async fn the_bus_takes_nothing_from_a_role_that_may_not_put_events() {
    let world = world_without("WebhookRole", "events:PutEvents").await;
    let url = world.known_instance(12, None).await;
    let answer = world.deliver(&url, &[], DELETED).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(world.events().is_empty());
    let expect = "no statement of WebhookRole allows events:PutEvents on EventBus";
    assert_eq!(lacking(&world), [expect]);
    world.stack.access().refused().clear();
    world.finish().await;
}

#[tokio::test]
async fn a_queue_takes_no_message_from_a_role_that_may_send_none() {
    let world = World::start_with(|builder| {
        let builder = builder.without_action("CallbackRole", "sqs:SendMessage");
        let functions = ["WebhookFunction", "CallbackFunction"].into_iter();
        functions.fold(builder, |builder, function| {
            builder.environment(function, LOCAL, "true")
        })
    })
    .await;
    let nobody_listens = json!({
        "event.notification.type": "webhook",
        "event.notification.callback.url": "http://127.0.0.1:9/",
        "event.vendor.type": "webhook",
    });
    let answer = world.provision(nobody_listens).await;
    let url = answer.body["webhookUrl"].as_str().unwrap();
    world.deliver(url, &[], DELETED).await;
    let refused = world.stack.access().refused();
    refused.wait_for_count(1, PATIENCE).await.unwrap();
    let expect = "no statement of CallbackRole allows sqs:SendMessage on CallbackRetryQueue";
    assert_eq!(lacking(&world), [expect]);
    // What is in flight may be refused once more.
    let error = world.stack.shutdown().await.unwrap_err();
    assert!(error.to_string().contains(expect), "{error}");
}

#[tokio::test]
async fn lambda_feeds_no_function_whose_role_may_not_receive() {
    let builder = LocalStack::builder();
    let builder = builder.without_action("CallbackRole", "sqs:ReceiveMessage");
    let error = builder.start().await.unwrap_err();
    let expect = "no statement of CallbackRole allows sqs:ReceiveMessage on CallbackQueue, which Lambda does for CallbackFunction";
    assert_eq!(error.to_string(), expect);
}
