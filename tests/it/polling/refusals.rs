//! What EventBridge refuses of a poll, and what that does to the watermark and to the others.

use local_stack::aws::eventbridge::entry::PutEventsEntry;
use local_stack::close::data::change::Change;
use local_stack::control::fault::{Calls, Failure, Fault};
use serde_json::{Value, json};

use super::{leads, set};
use crate::functions::POLLER;
use crate::metric_lines::last;
use crate::world::{World, ago, query, texts};

const DENIED: &str = "AccessDeniedException";

/// Whether an entry is about something with this in it.
fn is_about(text: &str) -> impl Fn(&PutEventsEntry) -> bool + Send + 'static {
    let text = text.to_owned();
    move |entry| {
        let detail = entry.detail.as_deref();
        detail.is_some_and(|detail| detail.contains(&text))
    }
}

fn failure(code: &str) -> Failure {
    let code = code.to_owned();
    Failure::Error { status: 400, code }
}

/// The numbers of a poll's summary.
fn numbers(summary: &Value) -> [Option<u64>; 3] {
    ["published", "unpublishable", "unpublished"].map(|key| summary[key].as_u64())
}

#[tokio::test]
async fn an_entry_refused_for_another_reason_is_the_next_polls() {
    let world = World::start().await;
    let created = leads(&world, 12, 100);
    let id = world.polling(&["leads"]).await;
    world.stack.bus().refuse(DENIED, is_about(&created[5]));

    let denied = world.poll(id).await;

    assert_eq!(numbers(&denied), [Some(11), Some(0), Some(1)]);
    assert_eq!(denied["failed"], json!({"leads": "PublishFailed"}));
    let line = last(&world, POLLER);
    assert_eq!(line.value("PublishFailures"), Some(1.0));
    assert_eq!(line.value("EventsUnpublishable"), None);

    world.stack.bus().accept_all();
    let repaired = world.poll(id).await;
    assert_eq!(numbers(&repaired), [Some(1), Some(0), Some(0)]);
    assert_eq!(texts(&world.details(), "objectId")[11], created[5]);
    assert_eq!(world.poll(id).await["published"], 0);
    world.finish().await;
}

#[tokio::test]
async fn each_event_of_a_poll_counts_by_what_became_of_it() {
    let world = World::start().await;
    let created = leads(&world, 12, 100);
    let id = world.polling(&["leads"]).await;
    let bus = world.stack.bus();
    bus.refuse("MalformedDetail", is_about(&created[3]));
    bus.refuse(DENIED, is_about(&created[5]));

    let summary = world.poll(id).await;

    assert_eq!(numbers(&summary), [Some(10), Some(1), Some(1)]);
    let line = last(&world, POLLER);
    assert_eq!(line.value("EventsUnpublishable"), Some(1.0));
    assert_eq!(line.value("PublishFailures"), Some(1.0));
    bus.accept_all();
    assert_eq!(
        numbers(&world.poll(id).await),
        [Some(1), Some(0), Some(0)],
        "what is unpublishable is not tried again"
    );
    world.finish().await;
}

#[tokio::test]
async fn a_backfill_does_not_count_as_published_what_nobody_can_publish() {
    let world = World::start().await;
    let created = leads(&world, 3, 80_000);
    let since = ago(60).to_string();
    let leads = json!({"leads": {"url": query("leads")}});
    let id = world.polling_since(&since, leads).await;
    world
        .stack
        .bus()
        .refuse("MalformedDetail", is_about(&created[1]));
    let body = json!({"resource": "leads", "from": ago(90_000), "to": ago(70_000)});
    let path = format!("/instances/{id}");
    let backfill = format!("{path}/backfill");
    world.call("POST", &backfill, None, body.to_string()).await;

    assert_eq!(numbers(&world.poll(id).await), [Some(2), Some(1), Some(0)]);

    let shown = world.call("GET", &path, None, "").await.body;
    let shown = &shown["backfill"];
    assert_eq!(
        (&shown["status"], &shown["published"]),
        (&json!("done"), &json!(2))
    );
    world.finish().await;
}

#[tokio::test]
async fn nothing_overtakes_an_event_of_its_object_that_is_not_on_the_bus() {
    let world = World::start().await;
    let organization = &world.organization;
    let create = |name: &str, seconds| {
        let change = Change::at(ago(seconds));
        organization
            .create_lead(json!({"name": name}), change)
            .unwrap()
    };
    let rename = |lead: &str, seconds| {
        let change = Change::at(ago(seconds));
        organization
            .edit_lead(lead, json!({"name": "Hooli"}), change)
            .unwrap();
    };
    let (first, second) = (create("A", 1_000), create("B", 990));
    rename(&first, 500);
    rename(&second, 490);
    let leads = json!({"leads": {"url": query("leads"), "source": "event-log"}});
    let id = world.polling_with(leads).await;
    let bus = world.stack.bus();
    let is_first = is_about(&first);
    bus.refuse(DENIED, move |entry| {
        entry.detail_type.as_deref() == Some("lead.created") && is_first(entry)
    });
    let published = || {
        let details = world.details();
        let (ids, actions) = (texts(&details, "objectId"), texts(&details, "action"));
        ids.into_iter().zip(actions).collect::<Vec<_>>()
    };
    let event = |lead: &str, action: &str| (lead.to_owned(), action.to_owned());

    let denied = world.poll(id).await;

    assert_eq!(numbers(&denied), [Some(2), Some(0), Some(2)]);
    let of_second = [event(&second, "created"), event(&second, "updated")];
    assert_eq!(published(), of_second);
    bus.accept_all();
    world.poll(id).await;
    let of_first = [event(&first, "created"), event(&first, "updated")];
    assert_eq!(published()[2..], of_first);
    world.finish().await;
}

#[tokio::test]
async fn a_refused_event_is_on_the_bus_in_another_form_before_the_next_of_its_object() {
    let world = World::start().await;
    let organization = &world.organization;
    let change = |seconds| Change::at(ago(seconds));
    let poison = json!({"name": "poison"});
    let lead = organization.create_lead(poison, change(1_000)).unwrap();
    let cure = json!({"name": "Hooli"});
    organization.edit_lead(&lead, cure, change(500)).unwrap();
    let leads = json!({"leads": {"url": query("leads"), "source": "event-log"}});
    let id = world.polling_with(leads).await;
    world.stack.bus().refuse("MalformedDetail", |entry| {
        is_about(r#""raw":"#)(entry) && entry.detail_type.as_deref() == Some("lead.created")
    });

    world.poll(id).await;

    assert_eq!(texts(&world.details(), "action"), ["created", "updated"]);
    world.finish().await;
}

#[tokio::test]
async fn calls_too_large_for_the_region_are_halved_and_the_poll_comes_to_its_end() {
    let world = World::start().await;
    let create = |kilobytes: usize, seconds| {
        let lead = json!({"description": "x".repeat(1024 * kilobytes)});
        let change = Change::at(ago(seconds)).quiet();
        world.organization.create_lead(lead, change).unwrap()
    };
    let mut all: Vec<_> = (0..9).map(|number| create(60, 1_000 - number)).collect();
    let large = create(300, 100);
    all.push(large.clone());
    let id = world.polling(&["leads"]).await;
    world.stack.bus().set_maximum_bytes(256 * 1024);

    let summary = world.poll(id).await;

    assert_eq!(numbers(&summary), [Some(10), Some(0), Some(0)]);
    assert_eq!(summary["failed"], json!({}));
    let details = world.details();
    assert_eq!(texts(&details, "objectId"), all);
    let whole: Vec<_> = details
        .iter()
        .filter(|it| it.get("raw").is_some())
        .collect();
    assert_eq!(whole.len(), 9);
    assert!(300 * 1024 < details[9]["rawOmitted"]["bytes"].as_u64().unwrap());
    assert_eq!(details[9]["objectId"], large);
    world.finish().await;
}

#[tokio::test]
async fn a_call_refused_for_one_entry_is_halved_until_that_stands_alone() {
    let world = World::start().await;
    let created = leads(&world, 10, 100);
    let id = world.polling(&["leads"]).await;
    let bus = world.stack.bus();
    let is_bad = is_about(&created[7]);
    bus.refuse_calls(failure("ValidationException"), move |entry| {
        is_about(r#""raw":"#)(entry) && is_bad(entry)
    });
    bus.refuse_calls(failure("SerializationException"), is_about(&created[2]));
    world.forget_calls();

    let summary = world.poll(id).await;

    assert_eq!(numbers(&summary), [Some(9), Some(1), Some(0)]);
    let details = world.details();
    let published = set(texts(&details, "objectId"));
    let mut expected = set(created.clone());
    expected.remove(&created[2]);
    assert_eq!(published, expected);
    let as_text: Vec<_> = details
        .iter()
        .filter(|detail| detail.get("rawText").is_some())
        .map(|detail| detail["objectId"].clone())
        .collect();
    assert_eq!(as_text, [created[7].clone()]);
    // Of ten entries two: no search for them takes more than 19 calls, and each is tried in its other forms.
    let calls = bus.calls().snapshot().len();
    assert!(calls <= 19 + 3, "{calls}");
    world.finish().await;
}

#[tokio::test]
async fn a_poll_whose_calls_are_denied_makes_one_and_the_next_publishes_all() {
    let world = World::start().await;
    let created = leads(&world, 25, 100);
    let id = world.polling(&["leads"]).await;
    let bus = world.stack.bus();
    let denied = Fault::new(failure(DENIED), Calls::any().source("closeio"));
    bus.fail(denied);
    world.forget_calls();

    let summary = world.poll(id).await;

    assert_eq!(numbers(&summary), [Some(0), Some(0), Some(25)]);
    assert_eq!(bus.calls().snapshot().len(), 1);
    assert_eq!(numbers(&world.poll(id).await), [Some(25), Some(0), Some(0)]);
    assert_eq!(set(texts(&world.details(), "objectId")), set(created));
    world.finish().await;
}
