//! That every poll gets forward: nothing counts as published that is not, and nothing holds what could go on.

use std::time::Duration;

use local_stack::close::data::change::Change;
use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use local_stack::close::settings::{IndexDelay, ThrottleBody};
use serde_json::{Value, json};

use super::{leads, set};
use crate::world::{API_KEY, World, ago, query, texts};

const SEARCH: &str = "/data/search/";
const LOG: &str = "/event/";

/// What the poller's next polls read of the log, page by page.
fn show(world: &World, pages: &[&[&Value]]) {
    for (number, entries) in pages.iter().enumerate() {
        let is_last = number + 1 == pages.len();
        let cursor = (!is_last).then(|| format!("page {number}"));
        let page = json!({"data": entries, "cursor_next": cursor, "cursor_previous": null});
        world
            .close
            .fail(RequestMatch::to(LOG), CloseFault::json(200, page));
    }
}

/// Makes a lead with an opportunity.
fn opportunity(world: &World) {
    let lead = leads(world, 1, 300).remove(0);
    let change = Change::at(ago(200));
    let organization = &world.organization;
    organization
        .create_opportunity(&lead, json!({}), change)
        .unwrap();
}

#[tokio::test]
async fn an_entry_that_came_twice_is_published_once_and_again_if_it_was_refused() {
    let world = World::start().await;
    let organization = &world.organization;
    let lead = |seconds| {
        let change = Change::at(ago(seconds));
        organization.create_lead(json!({}), change).unwrap()
    };
    let [first, second, third] = [300, 290, 280].map(lead);
    let log = organization.events();
    let entry = |lead: &str| log.iter().find(|it| it["object_id"] == lead).unwrap();
    let [one, two, three] = [&first, &second, &third].map(|lead| entry(lead));
    // Another entry came in between, so the last of the first page is the first of the second.
    show(&world, &[&[three, two], &[two, one]]);
    let all = json!({"all": {"url": query("events")}});
    let id = world.polling_since(&ago(400).to_string(), all).await;
    let refused = second.clone();
    world
        .stack
        .bus()
        .refuse("AccessDeniedException", move |entry| {
            let detail = entry.detail.as_deref();
            detail.is_some_and(|detail| detail.contains(&refused))
        });

    assert_eq!(world.poll(id).await["published"], 2);
    world.stack.bus().accept_all();
    let again = world.poll(id).await;

    assert_eq!(again["published"], 1);
    let published = texts(&world.details(), "objectId");
    assert_eq!(set(published), set([first, second, third]));
    assert_eq!(world.details().len(), 3);
    assert_eq!(world.poll(id).await["published"], 0);
    world.finish().await;
}

#[tokio::test]
async fn a_poll_that_has_no_time_for_a_window_leaves_the_next_one_less_to_do() {
    // Of its 15 s a poll reads for 5.
    let world = World::start_with(|stack| stack.timeout("PollerFunction", Duration::from_secs(15)));
    let world = world.await;
    let change = Change::at(ago(80_000)).spread(1);
    let created = world.organization.create_leads(600, change).unwrap();
    let all = json!({"all": {"url": query("events")}});
    let id = world.polling_since(&ago(90_000).to_string(), all).await;
    let slow = CloseFault::Delay(Duration::from_millis(500));
    world
        .close
        .fail(RequestMatch::to(LOG).times(usize::MAX), slow);

    let mut polls = 0;
    while texts(&world.details(), "id").len() < created.len() {
        polls += 1;
        assert!(polls <= 8, "{} after {polls}", world.details().len());
        world.poll(id).await;
    }

    assert_eq!(set(texts(&world.details(), "objectId")), set(created));
    world.finish().await;
}

#[tokio::test]
async fn an_endpoint_that_fails_is_tried_four_times_and_the_others_are_read() {
    let world = World::start().await;
    opportunity(&world);
    let resources = ["leads", "contacts", "accounts", "opportunities"];
    let id = world.polling(&resources).await;
    let search = RequestMatch::to(SEARCH).times(usize::MAX);
    world.close.fail(search.clone(), CloseFault::status(503));

    let summary = world.poll(id).await;

    assert_eq!(
        summary["failed"],
        json!({"leads": "CloseUnavailable", "contacts": "CloseUnavailable", "accounts": "CloseUnavailable"})
    );
    assert_eq!(world.close.count(&search), 4);
    assert_eq!(texts(&world.details(), "objectType"), ["opportunity"]);
    world.finish().await;
}

#[tokio::test]
async fn who_has_to_wait_lets_the_others_go_first() {
    let world = World::start().await;
    opportunity(&world);
    let id = world.polling(&["leads", "opportunities"]).await;
    let wait = CloseFault::throttled(Duration::from_secs(1), ThrottleBody::Empty);
    world.close.fail(RequestMatch::to(SEARCH), wait);
    let before = world.close.requests().len();

    assert_eq!(world.poll(id).await["published"], 2);

    let requests = world.close.requests().split_off(before);
    assert_eq!(requests.last().unwrap().path, SEARCH, "{requests:?}");
    world.finish().await;
}

#[tokio::test]
async fn what_close_hides_is_not_waited_for() {
    let world = World::start().await;
    let hours_ago = |hours: i64| Change::at(ago(3_600 * hours));
    for hours in [5, 4] {
        let change = hours_ago(hours);
        world.organization.create_lead(json!({}), change).unwrap();
    }
    let id = world.polling_hidden(ago(3_600 * 6)).await;
    let wait = CloseFault::throttled(Duration::from_secs(100), ThrottleBody::Empty);
    let objects = RequestMatch::to("/lead/*").times(usize::MAX);
    world.close.fail(objects.clone(), wait);

    let summary = world.poll(id).await;

    assert_eq!(summary["published"], world.organization.events().len());
    assert_eq!(world.close.count(&objects), 1);
    assert!(world.details().iter().all(|it| it["dataHidden"] == true));
    world.finish().await;
}

#[tokio::test]
async fn a_change_that_the_search_has_not_shown_yet_is_found_by_the_log_after_a_switch() {
    let world = World::start().await;
    let organization = &world.organization;
    let late = Change::at(ago(480)).indexed(IndexDelay::UntilReleased);
    let late = organization.create_lead(json!({}), late).unwrap();
    let shown = organization
        .create_lead(json!({}), Change::at(ago(60)))
        .unwrap();
    let searched = json!({"leads": {"url": query("leads")}});
    let id = world.polling_since(&ago(900).to_string(), searched).await;
    world.poll(id).await;
    assert_eq!(texts(&world.details(), "objectId"), [shown.as_str()]);

    let logged = json!({"leads": {"url": query("leads"), "source": "event-log"}});
    let change = json!({"configuration": {"event.poller.configuration": logged}});
    let path = format!("/instances/{id}");
    let answer = world.call("PATCH", &path, None, change.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    world.poll(id).await;

    assert_eq!(texts(&world.details(), "objectId"), [shown, late]);
    assert_eq!(world.poll(id).await["published"], 0);
    world.finish().await;
}

#[tokio::test]
async fn a_backfill_outlives_a_key_that_is_refused_for_a_while() {
    let world = World::start().await;
    leads(&world, 3, 80_000);
    let since = ago(60).to_string();
    let resources = json!({"leads": {"url": query("leads")}});
    let id = world.polling_since(&since, resources).await;
    let path = format!("/instances/{id}");
    let body = json!({"resource": "leads", "from": ago(90_000), "to": ago(70_000)});
    let backfill = format!("{path}/backfill");
    world.call("POST", &backfill, None, body.to_string()).await;
    let status = async || {
        let shown = world.call("GET", &path, None, "").await.body;
        shown["backfill"]["status"].clone()
    };

    world.organization.revoke_key(API_KEY);
    world.poll(id).await;
    assert_eq!(status().await, "pending");
    world.organization.add_key(API_KEY);
    assert_eq!(world.poll(id).await["published"], 3);

    assert_eq!(status().await, "done");
    world.finish().await;
}
