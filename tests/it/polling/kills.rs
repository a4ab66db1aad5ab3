//! Fifty times the function is killed in the middle of a poll, and nothing is lost.

use std::collections::HashSet;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use local_stack::close::data::change::Change;
use local_stack::close::faults::request_match::RequestMatch;
use local_stack::control::fault::Calls;
use serde_json::{Value, json};

use super::expire_lease;
use crate::world::{PATIENCE, World, ago, query, texts};

const KILLS: usize = 50;
/// The last changes must still be older than the second in which the poll that reads them begins.
const ROUND: SignedDuration = SignedDuration::from_secs(5);

/// Versions of objects: id and date.
type Versions = HashSet<(String, String)>;

/// Creates some leads, contacts and opportunities, some at one moment, and edits some.
fn change(world: &World, rng: &mut Rng, mut time: Timestamp) {
    let organization = &world.organization;
    for _ in 0..rng.usize(3..8) {
        time += SignedDuration::from_millis(rng.i64(1..200));
        let change = Change::at(time).quiet();
        let leads = organization.lead_ids();
        let changed = match (rng.u8(0..5), rng.choice(&leads)) {
            (0, Some(lead)) => organization.create_contacts(lead, rng.usize(1..4), change),
            (1, Some(lead)) => organization.create_opportunities(lead, rng.usize(1..4), change),
            (2 | 3, Some(lead)) => {
                let edited = json!({"name": format!("Edited at {time}")});
                let date = organization.edit_lead(lead, edited, change);
                date.map(|_| vec![lead.clone()])
            }
            _ => organization.create_leads(rng.usize(1..6), change),
        };
        changed.unwrap();
    }
}

/// What is now.
fn versions(world: &World) -> Versions {
    let organization = &world.organization;
    let version = |object: Option<Value>| {
        let object = object.unwrap();
        let text = |key: &str| object[key].as_str().unwrap().to_owned();
        let date: Timestamp = text("date_updated").parse().unwrap();
        (text("id"), format!("{date:.3}"))
    };
    let leads = organization.lead_ids().into_iter();
    let contacts = organization.contact_ids().into_iter();
    let opportunities = organization.opportunity_ids().into_iter();
    leads
        .map(|id| version(organization.lead(&id)))
        .chain(contacts.map(|id| version(organization.contact(&id))))
        .chain(opportunities.map(|id| version(organization.opportunity(&id))))
        .collect()
}

/// Polls until the function is about to learn the outcome of some call, and kills it there. Returns whether it came so far.
async fn poll_and_kill(world: &World, id: u64, rng: &mut Rng) -> bool {
    let function = world.stack.function("PollerFunction").unwrap();
    let poll = world.try_poll(id);
    tokio::pin!(poll);
    let nth = rng.usize(0..4);
    let is_reached = match rng.u8(0..3) {
        0 => {
            let mut held = world.close.hold(RequestMatch::to("/").after(nth));
            tokio::select! {
                _ = &mut poll => false,
                reached = held.reached(PATIENCE) => {
                    function.kill().await;
                    reached.is_ok()
                }
            }
        }
        service => {
            let calls = Calls::any().after_first(nth);
            let held = match service {
                1 => world.stack.bus().hold(calls),
                _ => world.stack.store().hold(calls),
            };
            tokio::select! {
                _ = &mut poll => false,
                reached = held.reached() => {
                    function.kill().await;
                    reached.is_ok()
                }
            }
        }
    };
    if is_reached {
        poll.await.unwrap_err();
    }
    world.close.clear_faults();
    is_reached
}

/// Polls until there is nothing more to do.
async fn quiesce(world: &World, id: u64) {
    expire_lease(world, id).await;
    loop {
        let summary = world.poll(id).await;
        assert_eq!(summary["failed"], json!({}));
        if summary["published"] == 0 {
            return;
        }
    }
}

#[tokio::test]
async fn fifty_kills_lose_nothing() {
    let world = World::start().await;
    let mut rng = Rng::with_seed(20_931);
    let resource = |name: &str| json!({"url": query(name), "pageSize": 4});
    let configuration = json!({
        "leads": resource("leads"),
        "contacts": resource("contacts"),
        "opportunities": resource("opportunities"),
    });
    let mut time = ago(580);
    let id = world.polling_since(&time.to_string(), configuration).await;
    let (mut kills, mut expected) = (0, Versions::new());
    while kills < KILLS {
        change(&world, &mut rng, time);
        expected.extend(versions(&world));
        time += ROUND;
        kills += usize::from(poll_and_kill(&world, id, &mut rng).await);
        quiesce(&world, id).await;
    }
    let details = world.details();
    let versions = std::iter::zip(texts(&details, "objectId"), texts(&details, "date"));
    let (published, ids): (Vec<_>, Vec<_>) = versions.zip(texts(&details, "id")).unzip();
    let missing: Vec<_> = expected
        .iter()
        .filter(|version| !published.contains(version))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    // What was published twice for a kill bears one id.
    let distinct: HashSet<_> = published.iter().collect();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), distinct.len());
    world.finish().await;
}
