//! What costs little to send must not cost much to answer, to log or to poll with.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use crate::world::{API_KEY, Answer, World};

/// The longest body of the instance API, nearly.
const BODY: usize = 240_000;
/// In bytes: a fraction of what Lambda may answer and CloudWatch keeps of a line, 6 MB and 256 KB.
const MAX_ANSWER: usize = 100_000;
const MAX_LINE: usize = 8_000;

fn polling(resources: &Value) -> Value {
    json!({
        "username": API_KEY, "event.notification.enabled": true, "event.notification.type": "eventbridge",
        "event.vendor.type": "polling", "event.poller.start": "2026-01-01T00:00:00Z", "event.poller.configuration": resources,
    })
}

async fn create(world: &World, configuration: &Value) -> Answer {
    let body =
        json!({"element": {"key": "closeio"}, "name": "Test", "configuration": configuration});
    world
        .call("POST", "/instances", None, body.to_string())
        .await
}

/// Bodies that are wrong in as many ways, or at as much length, as fit.
fn wrong() -> Vec<Value> {
    let many = |count: usize, resource: &Value| {
        let name = |number: usize| format!("r{number}");
        let members = (0..count).map(|number| (name(number), resource.clone()));
        Value::Object(members.collect::<Map<_, _>>())
    };
    let all_wrong = json!({
        "url": 7, "pageSize": "x", "idField": "..", "xPath": "x", "parameters": {"a": 1}, "postHooks": ["x"], "source": "x",
        "useLastPollDate": "no", "filterByUpdatedDate": "x", "createdCheckTolerance": "x", "pollDelay": "x",
        "datesConfiguration": {"updatedDateFormat": "'", "createdDateFormat": "'", "updatedDateTimezone": "x"},
    });
    let long = "é".repeat(BODY / 2);
    let url = |url: String| polling(&json!({"leads": {"url": url}}));
    let headers: Vec<_> = (0..BODY / 20)
        .map(|number| format!("\" {number}\":1"))
        .collect();
    let headers = format!("{{{}}}", headers.join(","));
    vec![
        polling(&many(100, &all_wrong)),
        polling(&many(20_000, &json!({}))),
        polling(&json!({long.clone(): all_wrong})),
        url(long.clone()),
        url(format!("/hubs/crm/{long}")),
        url(format!("/hubs/crm/leads?{long}")),
        url(format!("/hubs/crm/leads?where={long}")),
        url(format!("/hubs/crm/leads?where=a='{}", "(".repeat(BODY))),
        polling(&json!({"leads": {"url": "/hubs/crm/leads", "idField": ".".repeat(BODY)}})),
        polling(
            &json!({"leads": {"url": "/hubs/crm/leads", "datesConfiguration": {"updatedDateFormat": "b".repeat(BODY)}}}),
        ),
        json!({"username": API_KEY, "event.objects": long}),
        json!({"username": API_KEY, "event.notification.callback.headers": headers}),
        json!({"username": API_KEY, "event.notification.enabled": long}),
        json!({long: "x"}),
    ]
}

#[tokio::test]
async fn a_refused_request_answers_little_and_logs_little() {
    let world = World::start().await;
    for configuration in wrong() {
        let answer = create(&world, &configuration).await;
        let shown = answer.body.to_string();
        let what: String = configuration.to_string().chars().take(300).collect();
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{what}: {shown:.300}"
        );
        assert!(shown.len() <= MAX_ANSWER, "{what}: {} bytes", shown.len());
        assert!(answer.body["errors"].as_array().unwrap().len() <= 50);
    }
    let lines = world.stack.function("WebhookFunction").unwrap().output();
    let longest = lines.iter().filter(|line| line.contains("request refused"));
    let longest = longest.map(String::len).max().unwrap();
    assert!(longest <= MAX_LINE, "a line of {longest} bytes");
    world.finish().await;
}

#[tokio::test]
async fn fifty_errors_are_named_and_the_others_are_counted() {
    let world = World::start().await;
    let resources: Map<_, _> = (0..70)
        .map(|number| (format!("r{number}"), json!({})))
        .collect();
    let answer = create(&world, &polling(&Value::Object(resources))).await;
    let errors = answer.body["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 50);
    let message = answer.body["message"].as_str().unwrap();
    assert!(message.ends_with("; and 20 more"), "{message}");
    assert_eq!(message.split("; ").count(), 51);
    world.finish().await;
}

#[tokio::test]
async fn a_path_of_256_characters_is_followed_in_no_time() {
    let world = World::start().await;
    let leads: Vec<_> = (0..15).map(|_| json!({"name": "x"})).collect();
    for lead in leads {
        let change = local_stack::close::data::change::Change::at(crate::world::ago(60)).quiet();
        world.organization.create_lead(lead, change).unwrap();
    }
    let path = |length: usize| format!("a{}", ".a".repeat(length / 2));
    let resource = |path: String| json!({"leads": {"url": "/hubs/crm/leads", "idField": path}});
    let refused = create(&world, &polling(&resource(path(50_000)))).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    insta::assert_snapshot!(refused.body["message"].as_str().unwrap(), @"configuration.event.poller.configuration.leads.idField: expected a path of at most 256 characters");

    let taken = create(&world, &polling(&resource(path(254)))).await;
    assert_eq!(taken.status, StatusCode::OK, "{}", taken.body);
    let begun = Instant::now();
    let summary = world.poll(taken.body["id"].as_u64().unwrap()).await;
    assert_eq!(summary["published"], 15);
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    world.finish().await;
}
