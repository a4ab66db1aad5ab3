//! JSON in texts in JSON, under the key that has `serde_json` read it as JSON: nested, it is deeper than any stack.

use std::sync::Arc;

use local_stack::aws::lambda::function::Line;
use local_stack::aws::sdk;
use local_stack::aws::sqs::queue::message::Message;
use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use reqwest::StatusCode;
use serde_json::{Map, Value, json};
use shared::event::bus::{DEFAULT_MAX_BYTES, EventBus};
use shared::event::entry::PutEventsEntry;
use shared::instance::Instance;
use shared::instance::configuration::Configuration;
use tokio::time::Instant;

use super::Processes;
use crate::world::{API_KEY, PATIENCE, World, ago, texts};

const RAW: &str = "$serde_json::private::RawValue";
const NUMBER: &str = "$serde_json::private::Number";
/// Texts within texts, as many as fit a body.
const TEXTS: usize = 100;
/// The parser's own limit is 128, and begins anew in each text.
const LISTS: usize = 120;

/// Some 12,000 levels in 130 KB: more than a stack of 8 MB holds.
pub(super) fn unfolding(key: &str) -> String {
    let (open, close) = ("[".repeat(LISTS), "]".repeat(LISTS));
    (0..TEXTS).fold("1".to_owned(), |inner, _| {
        // A backslash as its code does not double from text to text.
        let text = inner.replace('\\', r"\u005c").replace('"', r"\u0022");
        format!(r#"{open}{{"{key}":"{text}"}}{close}"#)
    })
}

/// The same within the private key itself, and under each of its spellings.
fn spellings() -> [String; 4] {
    [
        unfolding(RAW),
        unfolding(&RAW.replace('$', r"\u0024")),
        unfolding(&RAW.replace("Raw", r"\u0052aw")),
        format!(r#"{{"{NUMBER}":"1","a":{}}}"#, unfolding(RAW)),
    ]
}

/// A stored instance as it could be made before such JSON was refused. Returns the URL of its webhooks.
async fn stored(world: &World, id: u64, callback_url: Option<&str>) -> String {
    let resource = format!(
        r#"{{"leads":{{"url":"/hubs/crm/leads","ignored":{}}}}}"#,
        unfolding(RAW)
    );
    let mut configuration = Configuration::default();
    for (key, value) in [
        ("username", API_KEY),
        ("base.url", &world.close.base_url()),
        ("event.notification.enabled", "true"),
        ("event.vendor.type", "polling"),
        ("event.poller.configuration", &resource),
    ] {
        configuration.set(key, value);
    }
    match callback_url {
        Some(url) => configuration.set("event.notification.callback.url", url),
        None => configuration.set("event.notification.type", "eventbridge"),
    }
    let now = ago(600);
    let instance = Instance::new(id.try_into().unwrap(), "Test", configuration, now);
    let table = world.instance_table();
    table.insert(&instance, true).await.unwrap();
    world.webhook_url(&instance.id.to_base64())
}

#[tokio::test]
async fn requests_with_json_in_texts_are_refused_and_the_function_lives() {
    let world = World::start().await;
    let webhook = json!({"event.vendor.type": "webhook"});
    let instance = world.provision(webhook).await;
    let (id, token) = (&instance.body["id"], instance.body["token"].as_str());
    let (path, element) = (
        format!("/instances/{id}"),
        format!("Element {}", token.unwrap()),
    );
    let processes = Processes::of(&world, "WebhookFunction");
    for nested in spellings() {
        let body = |inner: &str, beside: &str| {
            format!(
                r#"{{"element":{{"key":"closeio"}},"name":"Test","configuration":{{"username":"{API_KEY}"{inner}}}{beside}}}"#
            )
        };
        let beside = body("", &format!(r#","providerData":{nested}"#));
        let inside = body(&format!(r#","any":{nested}"#), "");
        for (method, path, authorization, body) in [
            ("POST", "/instances", None, beside.clone()),
            ("POST", "/instances", None, inside),
            ("PUT", &path, None, beside),
            ("PATCH", &path, None, format!(r#"{{"a":{nested}}}"#)),
            (
                "PATCH",
                &path,
                Some(element.as_str()),
                format!(r#"{{"a":{nested}}}"#),
            ),
            (
                "POST",
                &format!("{path}/backfill"),
                None,
                format!(r#"{{"from":{nested}}}"#),
            ),
        ] {
            let answer = world.call(method, path, authorization, body).await;
            let status = answer.status.as_u16();
            // The Element token alone may be refused before the body is read, and one that does not poll has no backfill.
            assert!(
                [400, 401, 409].contains(&status),
                "{method} {path}: {}",
                answer.body
            );
            processes.assert_alive();
        }
    }

    let body = format!(
        r#"{{"element":{{"key":"closeio"}},"name":"Test","configuration":{{"username":"{API_KEY}","other":{{"{RAW}":"1"}}}}}}"#
    );
    let answer = world.call("POST", "/instances", None, body).await;
    insta::assert_snapshot!(answer.body["message"].as_str().unwrap(), @"expected JSON: a member `$serde_json::private::RawValue`, whose name is not free");
    world.finish().await;
}

#[tokio::test]
async fn a_stored_configuration_with_json_in_texts_ends_no_function() {
    let world = World::start_with(|builder| {
        builder.environment("CallbackFunction", "CALLBACK_ALLOW_LOOPBACK", "true")
    })
    .await;
    let good = world.polling(&["leads"]).await;
    let url = stored(&world, 20_931, None).await;
    world.poll(good).await;
    let webhooks = Processes::of(&world, "WebhookFunction");
    let polls = Processes::of(&world, "PollerFunction");

    let body = r#"{"model":"lead","event":"delete","data":{"id":"lead_1"}}"#;
    for _ in 0..2 {
        let answer = world.deliver(&url, &[], body).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        let summary = world.try_poll(20_931).await;
        assert!(summary.is_err() || summary.unwrap()["failed"] != json!({}));
    }
    assert_eq!(world.poll(good).await["failed"], json!({}));
    webhooks.assert_alive();
    polls.assert_alive();
    world.finish().await;
}

#[tokio::test]
async fn a_batch_of_callbacks_outlives_a_stored_configuration_with_json_in_texts() {
    let world = World::start().await;
    stored(&world, 20_931, Some("https://127.0.0.1:9/")).await;
    world.known_instance(20_932, None).await;
    let detail = |id: u64, raw: &str| {
        format!(
            r#"{{"id":"479e76ad29a077976e08103ed6e66062","instanceId":{id},"instanceName":"Test","instanceTags":["Test"],"elementKey":"closeio","objectType":"lead","objectId":"lead_1","eventType":"UPDATED","action":"updated","date":"2026-06-19T12:06:45.242Z","channel":"polling","callback":true,"raw":{raw}}}"#
        )
    };
    let queue = world.stack.queue("CallbackQueue").unwrap();
    let send = |id: u64, raw: &str| {
        let detail = detail(id, raw);
        let body = format!(r#"{{"source":"closeio","other":{raw},"detail":{detail}}}"#);
        queue.send(Message::new(body)).unwrap();
    };
    let reasons = async |queue: &str, count: usize| {
        let messages = world.stack.queue(queue).unwrap().messages();
        let messages = messages.wait_for_count(count, PATIENCE).await.unwrap();
        let reason = |message: &Arc<Message>| message.text("reason").unwrap().to_owned();
        messages.iter().map(reason).collect::<Vec<_>>()
    };
    send(20_932, "{}");
    let dead_letters = "CallbackDeadLetterQueue";
    assert_eq!(reasons(dead_letters, 1).await, ["NoCallback"]);
    let processes = Processes::of(&world, "CallbackFunction");

    world.stack.disable_mappings();
    send(20_931, "{}");
    send(20_932, &unfolding(RAW));
    send(20_931, &unfolding(RAW));
    world.stack.enable_mappings();

    assert_eq!(reasons(dead_letters, 2).await, ["NoCallback"; 2]);
    let failures = reasons("CallbackFailureQueue", 2).await;
    assert_eq!(failures, ["BadConfiguration"; 2]);
    processes.assert_alive();
    world.finish().await;
}

#[tokio::test]
async fn a_webhook_with_json_in_texts_is_published_as_text_to_the_byte() {
    let world = World::start().await;
    let url = world.known_instance(20_931, None).await;
    let plain = r#"{"model":"lead","event":"delete","data":{"id":"lead_1"}}"#;
    world.deliver(&url, &[], plain).await;
    let processes = Processes::of(&world, "WebhookFunction");
    let mut bodies = Vec::new();
    for (number, nested) in spellings().iter().enumerate() {
        bodies.push(format!(
            r#"{{"event":{{"id":"ev_{number}","object_type":"lead","object_id":"lead_{number}","action":"updated","date_updated":"2026-06-19T12:04:01.705000","data":{nested}}}}}"#
        ));
        bodies.push(format!(
            r#"{{"model":"lead","event":"update","data":{{"id":"lead_{number}_2014","date_updated":"2026-06-19T12:04:01.705000","x":{nested}}}}}"#
        ));
    }
    for body in &bodies {
        let answer = world.deliver(&url, &[], body.clone()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }
    processes.assert_alive();
    let details = world.details();
    assert_eq!(texts(&details[1..], "rawText"), bodies);
    world.finish().await;
}

#[tokio::test]
async fn a_request_for_a_poll_with_json_in_texts_is_refused_and_the_function_lives() {
    let world = World::start().await;
    let good = world.polling(&["leads"]).await;
    world.poll(good).await;
    let processes = Processes::of(&world, "PollerFunction");
    let function = world.stack.function("PollerFunction").unwrap();
    // A tree that was made, not parsed, may have any key.
    let mut detail = json!(unfolding(RAW));
    for key in [RAW, NUMBER, RAW] {
        detail = Value::Object(Map::from_iter([(key.to_owned(), detail)]));
    }
    for detail in [
        detail.clone(),
        json!({"instanceId": detail.clone()}),
        json!({"a": detail, "instanceId": 0}),
    ] {
        let event =
            json!({"source": "closeio.poller", "detail-type": "poll.requested", "detail": detail});
        let error = function.invoke(&event).await.unwrap_err();
        assert_eq!(error.error_type, "UnknownInvocation");
        processes.assert_alive();
    }
    assert_eq!(world.poll(good).await["failed"], json!({}));
    world.finish().await;
}

#[tokio::test]
async fn a_request_for_a_poll_on_the_bus_with_json_in_texts_ends_no_process() {
    let world = World::start().await;
    let good = world.polling(&["leads"]).await;
    world.poll(good).await;
    let processes = Processes::of(&world, "PollerFunction");
    let name = world.stack.template().buses[0].name.clone();
    let config = sdk::config(&world.stack.bus().url()).unwrap();
    let bus = EventBus::new(&config, name, DEFAULT_MAX_BYTES);
    let entry = |id: u64| {
        let detail = format!(r#"{{"instanceId":{id},"x":{}}}"#, unfolding(RAW));
        let detail = shared::json::raw(&detail).unwrap();
        PutEventsEntry::new("closeio.poller", "poll.requested", ago(0), &detail)
    };
    let end = Instant::now() + PATIENCE;
    let taken = bus.publish_entries(&[entry(0), entry(good)], end).await;
    assert_eq!(taken, [0, 1]);
    let is_poll = |line: &&Arc<Line>| line.text.contains(r#""message":"polled""#);
    let are_two = |lines: &[Arc<Line>]| lines.iter().filter(is_poll).count() == 2;
    let output = world.stack.output();
    output.wait_for(PATIENCE, are_two).await.unwrap();
    processes.assert_alive();
    world.finish().await;
}

#[tokio::test]
async fn a_record_with_json_in_texts_is_judged_and_published() {
    let world = World::start().await;
    let configuration = json!({
        "leads": {"url": "/hubs/crm/leads?where=name='it' AND custom.x IS NOT NULL", "idField": "custom.key"},
        "others": {"url": "/hubs/crm/leads?where=name='other'"},
    });
    let id = world.polling_with(configuration).await;
    world.poll(id).await;
    let processes = Processes::of(&world, "PollerFunction");
    let stamp = format!("{:.6}+00:00", ago(120));
    let stamp = stamp.replace('Z', "");
    let record = |name: &str, nested: &str| {
        format!(
            r#"{{"id":"lead_{name}","name":"{name}","date_created":"{stamp}","date_updated":"{stamp}","custom":{{"key":"lead_{name}","x":{nested}}}}}"#
        )
    };
    let records = [
        record("it", &unfolding(RAW)),
        record("no", &unfolding(RAW)),
        record("other", "1"),
    ];
    let page = format!(
        r#"{{"cursor":null,"data":[{}],"x":{}}}"#,
        records.join(","),
        unfolding(RAW)
    );
    // The first page shows a custom field that is not known, and is read again.
    let search = RequestMatch::to("/data/search/").times(3);
    world.close.fail(search, CloseFault::text(200, &page));

    assert_eq!(world.poll(id).await["failed"], json!({}));
    processes.assert_alive();
    let mut details = world.details();
    // Which of two resources comes first is chance.
    details.sort_by_key(|detail| detail["objectId"].to_string());
    assert_eq!(texts(&details, "objectId"), ["lead_it", "lead_other"]);
    assert_eq!(details[0]["rawText"], records[0]);
    assert_eq!(details[1]["raw"]["name"], "other");
    world.finish().await;
}
