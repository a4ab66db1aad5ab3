//! Entries of Close's event log that do not say which object changed and how, or not as Close does.

use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::instance::id::InstanceId;

use super::set;
use crate::functions::POLLER;
use crate::metric_lines::last;
use crate::world::{World, ago, query, texts};

/// Has Close answer the next so many requests for its log with these entries.
fn log(world: &World, entries: &[Value], times: usize) {
    let page = json!({"data": entries, "cursor_next": null, "cursor_previous": null});
    let requests = RequestMatch::to("/event/").times(times);
    world.close.fail(requests, CloseFault::json(200, page));
}

/// An entry with a member that holds something else.
fn with(id: &str, key: &str, value: Value) -> Value {
    let mut entry = json!({
        "id": id, "object_type": "lead", "object_id": "lead_1", "action": "updated", "date_updated": ago(100),
        "changed_fields": ["name"], "data": {"id": "lead_1"},
    });
    entry[key] = value;
    entry
}

#[tokio::test]
async fn each_is_published_once_as_unknown_with_the_id_that_its_webhook_has() {
    let world = World::start().await;
    let entries = [
        with("ev_1", "object_id", Value::Null),
        with("ev_2", "date_updated", json!(1_781_870_641)),
        with("ev_3", "action", json!(7)),
        with("ev_4", "object_type", Value::Null),
        json!({"object_id": "lead_1"}),
        json!(null),
    ];
    let mut all = entries.to_vec();
    all.push(with("ev_5", "changed_fields", json!([])));
    log(&world, &all, 3);
    let id = world.polling(&["events"]).await;

    let summary = world.poll(id).await;

    assert_eq!(
        (&summary["published"], &summary["failed"]),
        (&json!(7), &json!({}))
    );
    assert_eq!(last(&world, POLLER).value("UnreadableEntries"), Some(6.0));
    let details = world.details();
    let unknown = details.iter().filter(|it| it["eventType"] == "UNKNOWN");
    let unknown: Vec<_> = unknown.cloned().collect();
    let is_of = |entry: &Value| unknown.iter().any(|detail| detail["raw"] == *entry);
    assert!(entries.iter().all(is_of), "{unknown:#?}");
    for _ in 0..2 {
        assert_eq!(world.poll(id).await["published"], 0);
        assert_eq!(last(&world, POLLER).value("UnreadableEntries"), None);
    }

    let polled = set(texts(&unknown, "id"));
    let url = world.webhook_url(&InstanceId::try_from(id).unwrap().to_base64());
    for entry in &entries[..5] {
        let body = json!({"event": entry, "subscription_id": "whsub_1"});
        let answer = world.deliver(&url, &[], body.to_string()).await;
        assert_eq!(answer.status, StatusCode::OK, "{body}");
        let delivered = answer.body["events"][0].as_str().unwrap();
        assert!(polled.contains(delivered), "{body}");
    }
    world.finish().await;
}

#[tokio::test]
async fn without_an_object_type_it_is_the_event_of_one_resource() {
    let world = World::start().await;
    let logged = |name: &str| json!({"url": query(name), "source": "event-log"});
    let some = json!({
        "contacts": {"url": query("contacts")},
        "leads": logged("leads"),
        "opportunities": logged("opportunities"),
    });
    let mut more = some.clone();
    more["events"] = logged("events");
    for (number, configuration) in [some, more].into_iter().enumerate() {
        let untyped = with("ev_1", "object_type", Value::Null);
        log(&world, &[untyped], 1);
        let id = world.polling_with(configuration).await;

        let summary = world.poll(id).await;

        assert_eq!(summary["published"], 1);
        assert_eq!(world.details().len(), number + 1);
    }
    world.finish().await;
}

/// Nobody can tell when it was, so the next poll reads again whatever this one read with it.
#[tokio::test]
async fn one_without_a_date_that_the_bus_does_not_take_is_read_again() {
    let world = World::start().await;
    let undated = with("ev_1", "date_updated", json!(1_781_870_641));
    let entries = [with("ev_2", "object_id", json!("lead_2")), undated];
    log(&world, &entries, 1);
    let start = ago(4_000).to_string();
    let all = json!({"all": {"url": query("events")}});
    let id = world.polling_since(&start, all).await;
    world.stack.bus().refuse("AccessDeniedException", |entry| {
        let detail = entry.detail.as_deref();
        detail.is_some_and(|detail| detail.contains("UNKNOWN"))
    });
    let from = |world: &World| {
        let requests = world.close.requests().into_iter();
        let mut of_log = requests.filter(|request| request.path == "/event/");
        of_log.next_back().unwrap().query["date_updated__gte"].clone()
    };

    let summary = world.poll(id).await;
    assert_eq!(summary["published"], 1, "{summary}");
    let first = from(&world);
    world.stack.bus().accept_all();
    log(&world, &entries, 1);
    assert_eq!(world.poll(id).await["published"], 1);

    assert_eq!(from(&world), first);
    assert_eq!(texts(&world.details(), "objectId"), ["lead_2", "lead_1"]);
    world.finish().await;
}
