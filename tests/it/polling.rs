//! What a poll publishes, whatever happens meanwhile.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use local_stack::aws::eventbridge::entry::PutEventsEntry;
use local_stack::close::data::change::Change;
use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use local_stack::close::settings::{IndexDelay, ThrottleBody};
use local_stack::control::fault::{Calls, Failure, Fault};
use serde_json::{Value, json};

use crate::world::{PATIENCE, World, ago, query, texts};

mod backfill;
mod custom_fields;
pub(crate) mod dispatch;
mod event_log;
mod found;
pub(crate) mod health;
mod identity;
mod kills;
mod objects;
mod progress;
mod refusals;
mod unreadable;

/// The ids of the objects, each once, sorted.
fn set(ids: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    ids.into_iter().collect()
}

/// Makes leads that were updated so many seconds ago, all at one time. Returns their ids.
fn leads(world: &World, count: usize, seconds: i64) -> Vec<String> {
    let change = Change::at(ago(seconds)).quiet();
    world.organization.create_leads(count, change).unwrap()
}

#[tokio::test]
async fn leads_and_contacts_are_published_once() {
    let world = World::start().await;
    let lead = world
        .organization
        .create_lead(json!({"name": "Hooli"}), Change::at(ago(60)))
        .unwrap();
    let contact = world
        .organization
        .create_contact(&lead, json!({"name": "Ann"}), Change::at(ago(50)))
        .unwrap();
    let id = world.polling(&["accounts", "contacts"]).await;

    assert_eq!(world.poll(id).await["published"], 2);
    assert_eq!(world.poll(id).await["published"], 0);

    let details = world.details();
    // Which of two resources comes first is chance.
    let is_lead = |detail: &Value| detail["objectType"] == "lead";
    let (leads, contacts): (Vec<_>, Vec<_>) = details.iter().cloned().partition(is_lead);
    assert_eq!(texts(&leads, "objectId"), [lead]);
    assert_eq!(texts(&contacts, "objectId"), [contact]);
    assert_eq!(texts(&contacts, "objectType"), ["contact"]);
    assert_eq!(texts(&details, "channel"), ["polling", "polling"]);
    world.finish().await;
}

#[tokio::test]
async fn a_record_indexed_late_and_one_exactly_at_the_watermark_are_published() {
    let world = World::start().await;
    let lead = world
        .organization
        .create_lead(json!({}), Change::at(ago(900)).quiet())
        .unwrap();
    let create = |change: Change| {
        world
            .organization
            .create_contact(&lead, json!({}), change.quiet())
            .unwrap()
    };
    let watermark = ago(300);
    let first = create(Change::at(watermark));
    let late = create(Change::at(ago(400)).indexed(IndexDelay::UntilReleased));
    let id = world.polling(&["contacts"]).await;
    world.poll(id).await;
    assert_eq!(
        texts(&world.details(), "objectId"),
        std::slice::from_ref(&first)
    );

    let tie = create(Change::at(watermark));
    world.organization.release_index();
    world.poll(id).await;

    let published = texts(&world.details(), "objectId");
    assert_eq!(published.len(), 3);
    assert_eq!(set(published), set([first, late, tie]));
    world.finish().await;
}

#[tokio::test]
async fn five_hundred_records_of_one_timestamp_are_all_published_once() {
    let world = World::start().await;
    let before = leads(&world, 3, 400);
    let ties = leads(&world, 500, 300);
    let after = leads(&world, 250, 200);
    let id = world.polling(&["leads"]).await;

    assert_eq!(world.poll(id).await["published"], 753);

    let published = texts(&world.details(), "objectId");
    assert_eq!(published.len(), 753);
    assert_eq!(
        set(published),
        set(before.into_iter().chain(ties).chain(after))
    );
    world.finish().await;
}

#[tokio::test]
async fn an_edit_in_the_middle_of_a_walk_loses_nobody() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for second in 0..250 {
        ids.extend(leads(&world, 1, 1_000 - second));
    }
    let id = world.polling(&["leads"]).await;
    let mut second_page = world.close.hold(RequestMatch::to("/data/search/").after(1));

    let (summary, edits) = tokio::join!(world.poll(id), async {
        second_page.reached(PATIENCE).await.unwrap();
        // Read, the record at which the next page starts, and not yet read.
        let edit = |index: usize| {
            let edited = json!({"name": "Edited"});
            let lead = &ids[index];
            let date = world
                .organization
                .edit_lead(lead, edited, Change::now().quiet())
                .unwrap();
            (lead.clone(), format!("{date:.3}"))
        };
        let edits = [10, 99, 198, 199, 240].map(edit);
        second_page.release();
        edits
    });
    assert_eq!(summary["failed"], json!({}));
    // The edits are dated after the first poll's start: a later one publishes them.
    let published = || {
        let details = world.details();
        let versions = std::iter::zip(texts(&details, "objectId"), texts(&details, "date"));
        versions.collect::<HashSet<_>>()
    };
    let all_edits = async {
        while !edits.iter().all(|edit| published().contains(edit)) {
            world.poll(id).await;
        }
    };
    tokio::time::timeout(PATIENCE, all_edits).await.unwrap();

    assert_eq!(set(texts(&world.details(), "objectId")), set(ids.clone()));
    world.finish().await;
}

#[tokio::test]
async fn killed_between_publish_and_commit_it_publishes_again_with_the_same_ids() {
    let world = World::start().await;
    leads(&world, 5, 100);
    let id = world.polling(&["leads"]).await;
    let held = world.stack.bus().hold(Calls::any().source("closeio"));

    let (outcome, ()) = tokio::join!(world.try_poll(id), async {
        held.reached().await.unwrap();
        world.stack.function("PollerFunction").unwrap().kill().await;
    });
    outcome.unwrap_err();
    let first = set(texts(&world.details(), "id"));
    assert_eq!(first.len(), 5);
    // The dead poll's lease runs out only after its invocation would have ended.
    expire_lease(&world, id).await;
    assert_eq!(world.poll(id).await["published"], 5);

    assert_eq!(world.details().len(), 10);
    assert_eq!(set(texts(&world.details(), "id")), first);
    assert_eq!(world.poll(id).await["published"], 0);
    world.finish().await;
}

#[tokio::test]
async fn a_commit_that_fails_is_made_up_for_by_the_next_poll() {
    let world = World::start().await;
    leads(&world, 3, 100);
    let id = world.polling(&["leads"]).await;
    let commits = Calls::of("TransactWriteItems");
    world
        .stack
        .store()
        .fail(Fault::new(Failure::Internal, commits).times(3));

    assert_eq!(
        world.poll(id).await["failed"],
        json!({"leads": "TableUnavailable"})
    );
    assert_eq!(world.poll(id).await["failed"], json!({}));

    assert_eq!(world.details().len(), 6);
    assert_eq!(set(texts(&world.details(), "id")).len(), 3);
    world.finish().await;
}

#[tokio::test]
async fn of_two_polls_of_one_instance_one_works_and_one_quits() {
    let world = World::start().await;
    leads(&world, 3, 100);
    let id = world.polling(&["leads"]).await;
    let mut search = world.close.hold(RequestMatch::to("/data/search/"));

    let (first, second) = tokio::join!(world.poll(id), async {
        search.reached(PATIENCE).await.unwrap();
        let second = world.poll(id).await;
        search.release();
        second
    });

    assert_eq!(
        (&first["polled"], &first["published"]),
        (&json!(true), &json!(3))
    );
    assert_eq!(
        (&second["polled"], &second["requests"]),
        (&json!(false), &json!(0))
    );
    assert_eq!(world.details().len(), 3);
    world.finish().await;
}

#[tokio::test]
async fn a_lease_whose_answer_was_lost_is_taken_again() {
    let world = World::start().await;
    leads(&world, 1, 100);
    let id = world.polling(&["leads"]).await;
    let lease = Calls::of("UpdateItem").table("InstancesTable");
    let lost = Fault::new(Failure::Disconnected, lease).after_performing();
    world.stack.store().fail(lost);

    assert_eq!(world.poll(id).await["published"], 1);
    world.finish().await;
}

#[tokio::test]
async fn of_ten_entries_only_the_three_that_failed_are_sent_again() {
    let world = World::start().await;
    let created = leads(&world, 10, 100);
    let id = world.polling(&["leads"]).await;
    world.forget_calls();
    world
        .stack
        .bus()
        .refuse_positions(&[1, 4, 8], "ThrottlingException");

    assert_eq!(world.poll(id).await["published"], 10);

    let calls = world.stack.bus().calls().snapshot();
    let sent: Vec<Vec<_>> = calls
        .iter()
        .map(|call| call.entries.iter().map(detail_id).collect())
        .collect();
    assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), [10, 3]);
    assert_eq!(
        sent[1],
        [1, 4, 8].map(|index: usize| sent[0][index].clone())
    );
    assert_eq!(set(texts(&world.details(), "objectId")), set(created));
    assert_eq!(world.details().len(), 10);
    world.finish().await;
}

fn detail_id(entry: &PutEventsEntry) -> String {
    let detail: Value = serde_json::from_str(entry.detail.as_deref().unwrap()).unwrap();
    detail["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_poisonous_record_never_stops_a_poll() {
    let world = World::start().await;
    let poison = world
        .organization
        .create_lead(json!({"name": "poison"}), Change::at(ago(90)).quiet())
        .unwrap();
    leads(&world, 3, 80);
    let id = world.polling(&["leads"]).await;
    world.forget_calls();
    let poisonous = poison.clone();
    world.stack.bus().refuse("MalformedDetail", move |entry| {
        entry
            .detail
            .as_deref()
            .is_some_and(|detail| detail.contains(&poisonous))
    });

    let summary = world.poll(id).await;

    assert_eq!(
        (&summary["published"], &summary["unpublishable"]),
        (&json!(3), &json!(1))
    );
    let calls = world.stack.bus().calls().snapshot();
    let again: Value =
        serde_json::from_str(calls[1].entries[0].detail.as_deref().unwrap()).unwrap();
    assert_eq!(again.get("raw"), None);
    assert!(again["rawText"].as_str().unwrap().contains("poison"));
    let lines = world.stack.function("PollerFunction").unwrap().output();
    assert!(
        lines
            .iter()
            .any(|line| line.contains("event.unpublishable") && line.contains(&poison))
    );
    assert_eq!(world.poll(id).await["published"], 0);
    world.finish().await;
}

#[tokio::test]
async fn a_new_instance_starts_at_its_creation() {
    let world = World::start().await;
    leads(&world, 2, 100);
    let configuration = json!({
        "event.vendor.type": "polling",
        "event.poller.configuration": {"leads": {"url": query("leads")}},
    });
    let id = world.provision(configuration).await.body["id"]
        .as_u64()
        .unwrap();

    assert_eq!(world.poll(id).await["published"], 0);
    world.finish().await;
}

#[tokio::test]
async fn new_and_changed_records_are_told_apart() {
    let world = World::start().await;
    let organization = &world.organization;
    let new = organization
        .create_lead(json!({}), Change::at(ago(500)).quiet())
        .unwrap();
    let changed = Change::at(ago(400)).created_at(ago(5_000)).quiet();
    let changed = organization.create_lead(json!({}), changed).unwrap();
    let id = world
        .polling_since(
            &ago(1_000).to_string(),
            json!({"leads": {"url": query("leads")}}),
        )
        .await;
    // Made after the watermark and edited since: new to whoever follows.
    let edited = Change::at(ago(300)).created_at(ago(900)).quiet();
    let edited = organization.create_lead(json!({}), edited).unwrap();

    world.poll(id).await;

    let details = world.details();
    assert_eq!(texts(&details, "objectId"), [new, changed, edited]);
    assert_eq!(
        texts(&details, "eventType"),
        ["CREATED", "UPDATED", "CREATED"]
    );
    let types: Vec<_> = world
        .events()
        .iter()
        .map(|event| event.detail_type.clone())
        .collect();
    assert_eq!(types, ["lead.created", "lead.updated", "lead.created"]);
    world.finish().await;
}

#[tokio::test]
async fn raw_is_the_record_byte_for_byte() {
    let world = World::start().await;
    let id = world.polling(&["leads"]).await;
    let record = |n: &str| {
        format!(
            r#"{{"z":1.10e+2,"id":"lead_1","date_updated":"2026-06-19T11:04:37.985000+00:00","n":{n},"a":"é\u0001 \"","e":[]}}"#
        )
    };
    // An integer of more than 64 bits cannot be JSON on the bus.
    let (small, large) = (
        record("-9223372036854775808"),
        record("9223372036854775808"),
    );

    for record in [&small, &large] {
        let body: Value =
            serde_json::from_str(&format!(r#"{{"data":[{record}],"cursor":null}}"#)).unwrap();
        let search = RequestMatch::to("/data/search/").times(1);
        world.close.fail(search, CloseFault::json(200, body));
        world.poll(id).await;
        // Without this the second would be the change already seen.
        world
            .stack
            .store()
            .client()
            .delete_item()
            .table_name(world.stack.store().table("WatermarksTable").unwrap())
            .key("instanceId", AttributeValue::N(id.to_string()))
            .key(
                "resource",
                AttributeValue::S("leads#seen#0000000000".to_owned()),
            )
            .send()
            .await
            .unwrap();
    }

    let details: Vec<_> = world
        .events()
        .iter()
        .map(|event| event.detail.get().to_owned())
        .collect();
    assert!(
        details[0].ends_with(&format!(r#","raw":{small}}}"#)),
        "{}",
        details[0]
    );
    let text = serde_json::to_string(&large).unwrap();
    assert!(
        details[1].ends_with(&format!(r#","rawText":{text}}}"#)),
        "{}",
        details[1]
    );
    world.finish().await;
}

#[tokio::test]
async fn what_close_limits_is_waited_for() {
    let world = World::start().await;
    leads(&world, 1, 100);
    let id = world.polling(&["leads"]).await;
    let throttled = CloseFault::throttled(Duration::from_millis(300), ThrottleBody::Nested2023);
    world
        .close
        .fail(RequestMatch::to("/data/search/").times(2), throttled);
    world.close.fail(
        RequestMatch::to("/data/search/").times(1),
        CloseFault::status(502),
    );
    world.close.fail(
        RequestMatch::to("/data/search/").times(1),
        CloseFault::CloseConnection,
    );

    let summary = world.poll(id).await;

    // The first request asked for the custom fields.
    assert_eq!(
        (&summary["published"], &summary["requests"]),
        (&json!(1), &json!(6))
    );
    world.finish().await;
}

#[tokio::test]
async fn one_resources_trouble_stops_no_other() {
    let world = World::start().await;
    let lead = world
        .organization
        .create_lead(json!({}), Change::at(ago(100)).quiet())
        .unwrap();
    world
        .organization
        .create_contact(&lead, json!({}), Change::at(ago(90)).quiet())
        .unwrap();
    let id = world.polling(&["leads", "contacts"]).await;
    let rejected = CloseFault::json(400, json!({"error": "no"}));
    world.close.fail(
        RequestMatch::to("/data/search/").containing("\"lead\""),
        rejected,
    );

    let summary = world.poll(id).await;
    assert_eq!(summary["failed"], json!({"leads": "Rejected"}));
    assert_eq!(texts(&world.details(), "objectType"), ["contact"]);

    // Its watermark stayed, so nothing is lost once the trouble is over.
    world.close.clear_faults();
    assert_eq!(world.poll(id).await["published"], 1);
    world.finish().await;
}

#[tokio::test]
async fn a_refused_key_fails_its_own_instance_alone() {
    let world = World::start().await;
    leads(&world, 1, 100);
    let good = world.polling(&["leads"]).await;
    let revoked = "api_revoked_secret_of_the_tests";
    let bad = json!({
        "username": revoked,
        "event.vendor.type": "polling",
        "event.poller.configuration": {"leads": {"url": query("leads")}},
    });
    let bad = world.provision(bad).await.body["id"].as_u64().unwrap();

    world.stack.tick("PollerFunction").await.unwrap();
    polls_ended(&world, 2).await;

    assert_eq!(world.details()[0]["instanceId"], good);
    assert_eq!(
        world.poll(bad).await["failed"],
        json!({"leads": "Unauthorized"})
    );
    world.finish().await;
}

#[tokio::test]
async fn the_schedule_polls_each_instance_when_it_is_due_and_not_before() {
    let world = World::start().await;
    let instances: HashSet<_> = [
        world.polling(&["leads"]).await,
        world.polling(&["contacts"]).await,
    ]
    .into();
    world.forget_calls();

    assert_eq!(
        world.stack.tick("PollerFunction").await.unwrap(),
        json!({"dispatched": 2})
    );
    polls_ended(&world, 2).await;

    let requested: HashSet<_> = requested(&world).into_iter().collect();
    assert_eq!(requested, instances);
    assert_eq!(
        world.stack.tick("PollerFunction").await.unwrap(),
        json!({"dispatched": 0})
    );
    world.finish().await;
}

/// Waits until so many polls have come to their end.
async fn polls_ended(world: &World, count: usize) {
    let is_end = |text: &str| text.contains("\"message\":\"polled\"");
    let output = world.stack.output();
    let ended = output.wait_for(PATIENCE, |lines| {
        count <= lines.iter().filter(|line| is_end(&line.text)).count()
    });
    ended.await.unwrap();
}

/// The instances for which a poll was requested.
fn requested(world: &World) -> Vec<u64> {
    let events = world.stack.bus().events().snapshot();
    let requests = events
        .iter()
        .filter(|event| event.detail_type == "poll.requested");
    requests
        .map(|event| {
            event.parse_detail::<Value>().unwrap()["instanceId"]
                .as_u64()
                .unwrap()
        })
        .collect()
}

#[tokio::test]
async fn an_idle_poll_asks_little() {
    let world = World::start().await;
    let id = world.polling(&["leads", "contacts"]).await;
    world.poll(id).await;
    world.forget_calls();
    let searches = world.close.count(&RequestMatch::to("/data/search/"));

    world.poll(id).await;

    assert_eq!(
        world.close.count(&RequestMatch::to("/data/search/")) - searches,
        2
    );
    assert_eq!(world.stack.bus().calls().snapshot().len(), 0);
    let calls = world.stack.store().calls().snapshot();
    let operations: Vec<_> = calls.iter().map(|call| call.operation.as_str()).collect();
    assert_eq!(operations, ["UpdateItem", "Query", "UpdateItem"]);
    world.finish().await;
}

#[tokio::test]
async fn a_record_of_the_future_is_published_once_and_moves_nothing() {
    let world = World::start().await;
    let future = world
        .organization
        .create_lead(json!({}), Change::at(ago(-3_600)).quiet())
        .unwrap();
    let id = world.polling(&["leads"]).await;
    world.poll(id).await;
    let present = world
        .organization
        .create_lead(json!({}), Change::at(ago(60)).quiet())
        .unwrap();
    world.poll(id).await;
    world.poll(id).await;

    assert_eq!(texts(&world.details(), "objectId"), [future, present]);
    world.finish().await;
}

/// What time does to the lease of a poll that died.
pub(crate) async fn expire_lease(world: &World, id: u64) {
    let client = world.stack.store().client();
    let update = client
        .update_item()
        .table_name(world.stack.store().table("InstancesTable").unwrap());
    let update = update.key("id", AttributeValue::N(id.to_string()));
    let update = update.update_expression("SET leaseExpiresAt = :past");
    let past = AttributeValue::N("0".to_owned());
    update
        .expression_attribute_values(":past", past)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn only_records_that_fulfil_the_condition_are_published_and_the_rest_is_passed() {
    let world = World::start().await;
    let create = |name: &str, seconds: i64| {
        let fields = json!({"name": name});
        let change = Change::at(ago(seconds)).quiet();
        world.organization.create_lead(fields, change).unwrap()
    };
    create("Hooli", 500);
    let acme = create("Acme & Co", 400);
    let late = create("Acme, too", 300);
    create("Globex", 200);
    let bound = ago(450);
    let condition = format!(
        "date_updated>${{date}} AND (name LIKE 'Acme%' OR name IS NULL) AND date_created >= '{bound}'"
    );
    let url = format!("/hubs/crm/leads?where={condition}");
    let id = world.polling_with(json!({"leads": {"url": url}})).await;

    let summary = world.poll(id).await;

    assert_eq!(texts(&world.details(), "objectId"), [acme, late]);
    assert_eq!(summary["published"], 2);
    // Close is asked for what it can tell, the creation date; the rest is told here.
    assert_eq!(summary["filtered"], 1);
    assert_eq!(world.poll(id).await["published"], 0);
    world.finish().await;
}

#[tokio::test]
async fn a_wait_is_kept_in_every_form_of_retry_after() {
    let world = World::start().await;
    let lead = leads(&world, 1, 60).remove(0);
    // Longer than a poll has, so that it ends at once; taken as two seconds, it would go on.
    let until = ago(-540);
    let dates = [
        "%a, %d %b %Y %H:%M:%S GMT",
        "%A, %d-%b-%y %H:%M:%S GMT",
        "%a %b %e %H:%M:%S %Y",
    ];
    let dates = dates.map(|form| until.strftime(form).to_string());
    for retry_after in dates.iter().map(String::as_str).chain(["540"]) {
        let throttled = CloseFault::throttled_before(&[
            ("ratelimit", "limit=100; remaining=0; reset=-1"),
            ("ratelimit-reset", "-1"),
            ("retry-after", retry_after),
        ]);
        let search = RequestMatch::to("/data/search/");
        world.close.fail(search.clone(), throttled);
        let id = world.polling(&["leads"]).await;
        let before = world.close.count(&search);
        assert_eq!(world.poll(id).await["published"], 0, "{retry_after}");
        assert_eq!(world.close.count(&search), before + 1, "{retry_after}");
        assert_eq!(world.poll(id).await["published"], 1);
    }
    assert_eq!(texts(&world.details(), "objectId"), vec![lead; 4]);
    world.finish().await;
}
