//! What a poll measures.

use std::time::Duration;

use local_stack::close::data::change::Change;
use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use local_stack::close::settings::ThrottleBody;
use local_stack::control::fault::{Calls, Failure, Fault};
use serde_json::json;
use shared::store::instances::lease::Lease;

use super::{assert_reached, is_reached};
use crate::functions::POLLER;
use crate::metric_lines::{last, lines};
use crate::polling::health::refuse;
use crate::world::{API_KEY, PATIENCE, World, ago};

/// A search at Close.
fn searches() -> RequestMatch {
    RequestMatch::to("/data/search/")
}

/// A lead that was changed so many seconds ago.
fn lead(world: &World, seconds: i64) {
    let change = Change::at(ago(seconds)).quiet();
    world.organization.create_leads(1, change).unwrap();
}

/// The template with so little time for poller-fn that a poll gives up soon.
fn hurried_template() -> std::path::PathBuf {
    let template = include_str!("../../../template.yaml");
    let hurried = template.replace("Timeout: 300", "Timeout: 12");
    assert_ne!(hurried, template);
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("hurried-template.yaml");
    std::fs::write(&path, hurried).unwrap();
    path
}

#[tokio::test]
async fn an_idle_poll_measures_its_request_and_that_it_is_not_behind() {
    let world = World::start().await;
    lead(&world, 86_400);
    let id = world.polling(&["leads"]).await;
    world.poll(id).await;
    let first = last(&world, POLLER);
    assert_eq!(first.value("EventsPublished"), Some(1.0));
    world.forget_calls();

    world.poll(id).await;

    let line = last(&world, POLLER);
    let values = line
        .values
        .iter()
        .map(|(name, (_, value))| (name.as_str(), *value));
    let expected = [
        ("EventsDuplicate", 1.0),
        ("EventsPublished", 0.0),
        ("PollLagSeconds", 0.0),
        ("PollRequests", 1.0),
    ];
    assert_eq!(values.collect::<Vec<_>>(), expected);
    // To measure takes no call: the lease is taken and given back, and what is stored is read.
    assert_eq!(world.stack.store().calls().snapshot().len(), 3);
    assert!(!is_reached("PollLagAlarm", [&first, &line]));
    world.finish().await;
}

#[tokio::test]
async fn who_has_not_been_read_to_the_end_lags_until_that_is_done() {
    let world = World::start().await;
    lead(&world, 86_400);
    let id = world.polling(&["leads", "contacts"]).await;
    world.close.fail(
        searches().containing("\"contact\"").times(usize::MAX),
        CloseFault::status(503),
    );

    let summary = world.poll(id).await;

    // Contacts have not been read since January; leads have.
    assert_eq!(summary["failed"], json!({"contacts": "CloseUnavailable"}));
    let line = last(&world, POLLER);
    assert_reached("PollLagAlarm", [&line]);
    assert_eq!(line.value("PollFailures"), Some(1.0));

    world.close.clear_faults();
    world.poll(id).await;
    assert_eq!(last(&world, POLLER).value("PollLagSeconds"), Some(0.0));

    // Nothing has changed for a day, but all was read a moment ago.
    world
        .close
        .fail(searches().times(usize::MAX), CloseFault::status(503));
    world.poll(id).await;
    let line = last(&world, POLLER);
    assert!(line.value("PollLagSeconds").unwrap() < 60.0, "{line:?}");
    assert!(!is_reached("PollLagAlarm", [&line]));
    assert_eq!(line.value("PollFailures"), Some(2.0));
    world.finish().await;
}

#[tokio::test]
async fn a_poll_that_cannot_give_its_lease_back_measures_what_it_published() {
    let world = World::start().await;
    lead(&world, 300);
    let id = world.polling(&["leads"]).await;
    // The first of them takes the lease.
    let release = Calls::of("UpdateItem").table("InstancesTable");
    let fault = Fault::new(Failure::Internal, release.after_first(1));
    world.stack.store().fail(fault.times(3));

    world.try_poll(id).await.unwrap_err();

    let line = last(&world, POLLER);
    assert_eq!(line.value("EventsPublished"), Some(1.0));
    assert_eq!(line.value("PollFailures"), Some(1.0));
    assert_eq!(world.details().len(), 1);
    let function = world.stack.function(POLLER).unwrap();
    let is_said = |line: &str| line.contains("\"failed\":1") && line.contains(&id.to_string());
    function.wait_for_output(PATIENCE, is_said).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn the_line_in_the_log_says_how_far_behind_a_poll_is() {
    let world = World::start().await;
    let id = world.polling(&["leads"]).await;
    world.poll(id).await;
    let function = world.stack.function(POLLER).unwrap();
    let is_summary = |line: &str| {
        line.contains("\"message\":\"polled\"")
            && line.contains(&format!("\"instance.id\":\"{id}\""))
            && line.contains("\"lag_seconds\":0")
    };
    function
        .wait_for_output(PATIENCE, is_summary)
        .await
        .unwrap();
    world.finish().await;
}

#[tokio::test]
async fn whom_close_refuses_is_no_lag_but_an_alarm_of_its_own_until_it_is_suspended() {
    let world = World::start().await;
    let id = world.polling(&["leads"]).await;
    world.organization.revoke_key(API_KEY);

    world.poll(id).await;

    let line = last(&world, POLLER);
    assert_reached("InstancesRefusedAlarm", [&line]);
    assert!(!is_reached("InstancesSuspendedAlarm", [&line]));
    assert_eq!(line.value("PollLagSeconds"), None);

    refuse(&world, id, 99).await;
    // The hundredth refusal, and the probe that follows.
    for _ in 0..2 {
        world.poll(id).await;
        let line = last(&world, POLLER);
        assert_reached("InstancesSuspendedAlarm", [&line]);
        assert!(!is_reached("InstancesRefusedAlarm", [&line]));
        assert_eq!(line.value("PollLagSeconds"), None);
    }

    world.organization.add_key(API_KEY);
    world.poll(id).await;
    let line = last(&world, POLLER);
    assert!(!is_reached("InstancesSuspendedAlarm", [&line]));
    assert!(!is_reached("InstancesRefusedAlarm", [&line]));
    assert_eq!(line.value("PollLagSeconds"), Some(0.0));
    world.finish().await;
}

#[tokio::test]
async fn what_the_bus_does_not_take_from_a_poll_is_an_alarm() {
    let world = World::start_with(|builder| builder.template(hurried_template())).await;
    lead(&world, 100);
    let id = world.polling(&["leads"]).await;
    world.stack.bus().refuse("ThrottlingException", |_| true);

    world.poll(id).await;

    let line = last(&world, POLLER);
    assert_reached("PollerPublishFailuresAlarm", [&line]);
    assert_eq!(line.value("PublishFailures"), Some(1.0));
    assert_eq!(line.value("EventsPublished"), Some(0.0));

    world.stack.bus().accept_all();
    world.poll(id).await;
    let line = last(&world, POLLER);
    assert!(!is_reached("PollerPublishFailuresAlarm", [&line]));
    assert_eq!(line.value("EventsPublished"), Some(1.0));
    world.finish().await;
}

#[tokio::test]
async fn what_the_bus_refuses_in_every_form_from_a_poll_is_an_alarm() {
    let world = World::start().await;
    lead(&world, 100);
    let id = world.polling(&["leads"]).await;
    world.stack.bus().refuse("MalformedDetail", |entry| {
        entry.source.as_deref() == Some("closeio")
    });

    world.poll(id).await;

    let line = last(&world, POLLER);
    assert_reached("PollerUnpublishableAlarm", [&line]);
    assert!(!is_reached("PollerPublishFailuresAlarm", [&line]));
    world.finish().await;
}

#[tokio::test]
async fn each_429_is_counted() {
    let world = World::start().await;
    let id = world.polling(&["leads"]).await;
    let throttled = CloseFault::throttled(Duration::from_millis(10), ThrottleBody::Empty);
    world.close.fail(searches().times(2), throttled);

    world.poll(id).await;

    let line = last(&world, POLLER);
    assert_eq!(line.value("RateLimited"), Some(2.0));
    // Of these, the first asked for the custom fields.
    assert_eq!(line.value("PollRequests"), Some(4.0));
    world.finish().await;
}

#[tokio::test]
async fn a_record_without_a_date_is_counted_when_it_is_published() {
    let world = World::start().await;
    let id = world.polling(&["leads"]).await;
    let page = json!({"data": [{"__object_type": "lead", "id": "lead_1", "date_updated": null}], "cursor": null});
    world
        .close
        .fail(searches().times(2), CloseFault::json(200, page));
    for expected in [Some(1.0), None] {
        world.poll(id).await;
        assert_eq!(last(&world, POLLER).value("UndatedRecords"), expected);
    }
    world.finish().await;
}

#[tokio::test]
async fn who_finds_another_poll_at_work_measures_nothing() {
    let world = World::start().await;
    let id = world.polling(&["leads"]).await;
    world.poll(id).await;
    let before = lines(&world, POLLER).len();
    let lease = Lease {
        id: id.try_into().unwrap(),
        token: "of the tests".to_owned(),
    };
    let table = world.instance_table();
    table.acquire(&lease, ago(0), ago(-60)).await.unwrap();
    world.poll(id).await;
    assert_eq!(lines(&world, POLLER).len(), before);
    world.finish().await;
}
