//! Backfills of an instance that has webhooks alone.

use local_stack::close::data::change::Change;
use reqwest::StatusCode;
use serde_json::json;

use super::reconciled;
use crate::owner::deliver_signed;
use crate::world::{World, ago};

#[tokio::test]
async fn what_webhooks_brought_is_published_again_from_the_log_and_as_it_is_now() {
    let world = World::start().await;
    let owner = reconciled(&world, json!({"event.objects": "lead.created"})).await;
    let change = Change::at(ago(300));
    let lead = world.organization.create_lead(json!({}), change).unwrap();
    owner.events(1).await;
    let contact = Change::at(ago(200)).quiet();
    world
        .organization
        .create_contacts(&lead, 1, contact)
        .unwrap();
    world.poll(owner.id).await;
    for (resource, channel) in [("events", "webhook"), ("leads", "polling")] {
        let before = world.details().len();
        let (from, to) = (ago(3_000).to_string(), ago(10).to_string());
        let body = json!({"resource": resource, "from": from, "to": to});
        let answer = owner.call("POST", "/backfill", &body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);

        let summary = world.poll(owner.id).await;

        assert_eq!(summary["failed"], json!({}));
        let details = world.details();
        let [again] = &details[before..] else {
            panic!("{:?}", &details[before..])
        };
        assert_eq!(
            (&again["objectId"], &again["channel"]),
            (&json!(lead), &json!(channel))
        );
        // The contact has given the lead another date.
        assert_eq!(again["id"] == details[0]["id"], resource == "events");
        let backfill = &owner.shown().await["backfill"];
        assert_eq!(
            (&backfill["status"], &backfill["published"]),
            (&json!("done"), &json!(1))
        );
        assert_eq!(
            (&summary["missed"], &summary["expected"]),
            (&json!(0), &json!(0))
        );
    }
    let count = world.details().len();
    let body = world.details()[0]["raw"].to_string();
    let key = owner.key().await.unwrap();
    let status = deliver_signed(&world, &owner.url, &key, body).await;
    assert_eq!((status, world.details().len()), (StatusCode::OK, count));
    let body = json!({"resource": "calls", "from": ago(3_000).to_string()});
    let refused = owner.call("POST", "/backfill", &body).await;
    assert_eq!(
        refused.body["errors"][0]["message"],
        "expected one of events, leads, contacts, opportunities, tasks"
    );
    world.finish().await;
}
