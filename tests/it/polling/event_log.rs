//! What a poll reads in Close's event log.

use std::time::Duration;

use jiff::SignedDuration;
use local_stack::close::data::change::Change;
use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use local_stack::close::settings::IndexDelay;
use serde_json::{Value, json};

use crate::world::{PATIENCE, World, ago, query, texts};

/// What each event says: its object's type, its action, its kind.
fn said(details: &[Value]) -> Vec<String> {
    let said = |detail: &Value| {
        let word = |key: &str| detail[key].as_str().unwrap().to_owned();
        [word("objectType"), word("action"), word("eventType")].join(" ")
    };
    details.iter().map(said).collect()
}

#[tokio::test]
async fn everything_that_close_logs_is_published_with_deletions_and_merges() {
    let world = World::start().await;
    let at = |seconds| Change::at(ago(seconds));
    let organization = &world.organization;
    let kept = organization.create_lead(json!({}), at(900)).unwrap();
    let merged = organization.create_lead(json!({}), at(800)).unwrap();
    let task = organization
        .create_task(&kept, "lead", json!({"text": "Call"}), at(700))
        .unwrap();
    organization.complete_task(&task, at(600)).unwrap();
    organization.merge_leads(&merged, &kept, at(500)).unwrap();
    organization.delete_lead(&kept, at(400)).unwrap();
    let id = world
        .polling_since(
            &ago(1_000).to_string(),
            json!({"events": {"url": query("events")}}),
        )
        .await;

    let summary = world.poll(id).await;

    let details = world.details();
    let log: Vec<_> = organization.events();
    assert_eq!(summary["published"], log.len());
    assert!(details.iter().all(|detail| log.contains(&detail["raw"])));
    let said = said(&details);
    for expected in [
        "lead created CREATED",
        "task.lead completed UPDATED",
        "lead merged UPDATED",
        "lead deleted DELETED",
    ] {
        assert!(
            said.iter().any(|one| one == expected),
            "{expected}: {said:?}"
        );
    }
    assert_eq!(world.poll(id).await["published"], 0);
    world.finish().await;
}

#[tokio::test]
async fn an_entry_that_is_consolidated_comes_again_and_one_shown_late_is_read_again() {
    let world = World::start().await;
    world.close.set_consolidation(Duration::from_secs(10));
    let organization = &world.organization;
    let lead = organization
        .create_lead(json!({}), Change::at(ago(280)).quiet())
        .unwrap();
    let edit = |name: &str, change: Change| {
        organization
            .edit_lead(&lead, json!({"name": name}), change)
            .unwrap()
    };
    let first = edit("One", Change::at(ago(200)));
    let other = organization
        .create_lead(
            json!({}),
            Change::at(ago(220)).visible(IndexDelay::UntilReleased),
        )
        .unwrap();
    let leads = json!({"leads": {"url": query("leads"), "source": "event-log"}});
    let id = world.polling_since(&ago(300).to_string(), leads).await;
    assert_eq!(world.poll(id).await["published"], 1);

    edit("Two", Change::at(first + SignedDuration::from_millis(20)));
    organization.release_events();
    assert_eq!(world.poll(id).await["published"], 2);

    let details = world.details();
    assert_eq!(texts(&details, "objectId"), [lead.clone(), other, lead]);
    let entry = |detail: &Value| detail["raw"]["id"].clone();
    assert_eq!(entry(&details[0]), entry(&details[2]));
    assert_ne!(details[0]["id"], details[2]["id"]);
    assert_eq!(world.poll(id).await["published"], 0);
    world.finish().await;
}

#[tokio::test]
async fn one_walk_serves_all_and_each_entry_is_published_once() {
    let world = World::start().await;
    let organization = &world.organization;
    let at = |seconds| Change::at(ago(seconds));
    let lead = organization.create_lead(json!({}), at(500)).unwrap();
    let contact = organization
        .create_contact(&lead, json!({}), at(400))
        .unwrap();
    organization.delete_contact(&contact, at(300)).unwrap();
    let configuration = json!({
        "events": {"url": query("events")},
        "contacts": {"url": query("contacts")},
        "leads": {"url": query("leads"), "source": "event-log"},
        "activities": {"url": query("activities")},
    });
    let id = world
        .polling_since(&ago(600).to_string(), configuration)
        .await;

    world.poll(id).await;

    let details = world.details();
    let ids: std::collections::HashSet<_> = texts(&details, "id").into_iter().collect();
    assert_eq!(ids.len(), details.len());
    let said = said(&details);
    assert!(
        said.contains(&"contact deleted DELETED".to_owned()),
        "{said:?}"
    );
    // Those of contacts that still are come from the search, which has none.
    assert!(
        !said.contains(&"contact created CREATED".to_owned()),
        "{said:?}"
    );
    world.close.clear_faults();
    let walks = RequestMatch::to("/event/");
    let before = world.close.count(&walks);
    world.poll(id).await;
    assert_eq!(world.close.count(&walks) - before, 1);
    world.finish().await;
}

#[tokio::test]
async fn a_backlog_is_published_in_order_and_whole() {
    let world = World::start().await;
    let organization = &world.organization;
    for batch in 0..30_i64 {
        let change = Change::at(ago(3_600 - 100 * batch)).spread(3);
        organization.create_leads(100, change).unwrap();
    }
    let id = world
        .polling_since(
            &ago(4_000).to_string(),
            json!({"all": {"url": query("events")}}),
        )
        .await;

    let summary = world.poll(id).await;

    assert_eq!(summary["published"], organization.events().len());
    let dates = |detail: &Value| detail["raw"]["date_updated"].as_str().unwrap().to_owned();
    assert!(world.details().iter().map(dates).is_sorted());
    // 60 pages hold them all. Each burst takes some more to find where it begins.
    let requests = summary["requests"].as_u64().unwrap();
    assert!(requests < 60 * 3, "{requests}");
    assert_eq!(world.poll(id).await["published"], 0);
    world.finish().await;
}

#[tokio::test]
async fn what_close_hides_is_fetched_or_said_to_be_hidden() {
    let world = World::start().await;
    let organization = &world.organization;
    let hours_ago = |hours: i64| Change::at(ago(3_600 * hours));
    let lead = organization
        .create_lead(json!({"name": "Hooli"}), hours_ago(5))
        .unwrap();
    let gone = organization.create_lead(json!({}), hours_ago(4)).unwrap();
    organization.delete_lead(&gone, hours_ago(3)).unwrap();
    let id = world.polling_hidden(ago(3_600 * 6)).await;

    world.poll(id).await;

    let details = world.details();
    let of = |object: &str| {
        details
            .iter()
            .find(|detail| detail["objectId"] == object)
            .unwrap()
    };
    assert_eq!(of(&lead)["dataHidden"], true);
    assert_eq!(of(&lead)["current"], organization.lead(&lead).unwrap());
    assert_eq!(of(&lead)["raw"]["data"], Value::Null);
    assert_eq!(
        (&of(&gone)["dataHidden"], &of(&gone)["current"]),
        (&json!(true), &Value::Null)
    );
    world.finish().await;
}

/// Close has many kinds of objects under another name than the event log.
#[tokio::test]
async fn what_close_hides_is_fetched_wherever_close_has_it() {
    let world = World::start().await;
    let organization = &world.organization;
    let hours_ago = |hours: i64| Change::at(ago(3_600 * hours));
    let lead = organization.create_lead(json!({}), hours_ago(5)).unwrap();
    let kinds = [
        "custom",
        "emailthread",
        "status_change/lead",
        "status_change/opportunity",
        "lead_merge",
        "whatsapp_message",
    ];
    let ids: Vec<_> = kinds
        .iter()
        .map(|kind| {
            let id = organization.create_activity(&lead, kind, json!({}), hours_ago(4));
            let id = id.unwrap();
            organization
                .edit_activity(&id, json!({}), hours_ago(4))
                .unwrap();
            id
        })
        .collect();
    let task = organization.create_task(&lead, "voicemail", json!({}), hours_ago(4));
    let task = task.unwrap();
    let id = world.polling_hidden(ago(3_600 * 6)).await;

    world.poll(id).await;

    let details = world.details();
    for object in ids.iter().chain([&task]) {
        let mut found = details
            .iter()
            .filter(|detail| detail["objectId"] == **object);
        let detail = found.next().unwrap();
        assert_eq!(detail["dataHidden"], true, "{detail}");
        assert_eq!(detail["current"]["id"], **object, "{detail}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_gap_is_said_where_the_log_no_longer_reaches_back() {
    let world = World::start().await;
    let day = 24 * 3_600;
    let lead = world
        .organization
        .create_lead(json!({}), Change::at(ago(29 * day)))
        .unwrap();
    let start = ago(40 * day);
    let id = world
        .polling_since(&start.to_string(), json!({"all": {"url": query("events")}}))
        .await;

    assert_eq!(world.poll(id).await["published"], 1);
    assert_eq!(texts(&world.details(), "objectId"), [lead]);
    // The log was idle since; that is no gap.
    assert_eq!(world.poll(id).await["published"], 0);

    let gaps = world.notices_of("instance.gap");
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!(
        (&gaps[0]["instanceId"], &gaps[0]["resource"]),
        (&json!(id), &json!("all"))
    );
    assert_eq!(gaps[0]["from"], json!(start));
    world.finish().await;
}

#[tokio::test]
async fn a_change_while_the_log_is_walked_loses_nothing() {
    let world = World::start().await;
    let organization = &world.organization;
    let mut leads = Vec::new();
    for second in 0..120 {
        leads.extend(
            organization
                .create_leads(1, Change::at(ago(400 - second)))
                .unwrap(),
        );
    }
    let id = world
        .polling_since(
            &ago(500).to_string(),
            json!({"all": {"url": query("events")}}),
        )
        .await;
    let mut second_page = world.close.hold(RequestMatch::to("/event/").after(1));
    tokio::join!(world.poll(id), async {
        second_page.reached(PATIENCE).await.unwrap();
        for lead in &leads[..60] {
            organization
                .edit_lead(lead, json!({"name": "Edited"}), Change::now())
                .unwrap();
        }
        second_page.release();
    });
    let wanted = organization.events();
    let is_whole = || {
        let raw: Vec<_> = world
            .details()
            .iter()
            .map(|detail| detail["raw"].clone())
            .collect();
        wanted.iter().all(|entry| raw.contains(entry))
    };
    let poll = async {
        while !is_whole() {
            world.poll(id).await;
        }
    };
    tokio::time::timeout(PATIENCE, poll).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn a_cursor_that_expires_begins_the_window_again() {
    let world = World::start().await;
    world
        .organization
        .create_leads(120, Change::at(ago(400)).spread(1))
        .unwrap();
    let id = world
        .polling_since(
            &ago(500).to_string(),
            json!({"all": {"url": query("events")}}),
        )
        .await;
    let expired = CloseFault::json(400, json!({"error": "Expired cursor"}));
    world
        .close
        .fail(RequestMatch::to("/event/").after(1).times(1), expired);

    let summary = world.poll(id).await;

    assert_eq!(
        (&summary["published"], &summary["failed"]),
        (&json!(120), &json!({}))
    );
    world.finish().await;
}
