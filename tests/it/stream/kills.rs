//! Fifty times both functions are killed in the middle of their work on one stream, and nothing is lost.

use std::collections::{HashMap, HashSet};

use fastrand::Rng;
use jiff::SignedDuration;
use local_stack::close::data::change::Change;
use local_stack::control::fault::Calls;
use serde_json::{Value, json};

use super::reconciled;
use crate::functions::{POLLER, WEBHOOK};
use crate::owner::Owner;
use crate::polling::expire_lease;
use crate::world::{PATIENCE, World, ago};

const KILLS: usize = 50;
/// Between the times of two rounds of changes. The last round is older than the second in which the last poll begins.
const ROUND: SignedDuration = SignedDuration::from_secs(10);

/// Has both functions work until one is about to learn the outcome of some call, and kills both there. Returns whether it came
/// so far.
async fn work_and_kill(world: &World, owner: &Owner<'_>, rng: &mut Rng) -> bool {
    let calls = Calls::any().after_first(rng.usize(0..4));
    let held = if rng.bool() {
        world.stack.bus().hold(calls)
    } else {
        world.stack.store().hold(calls)
    };
    let poll = world.try_poll(owner.id);
    tokio::pin!(poll);
    let is_reached = tokio::select! {
        _ = &mut poll => false,
        reached = held.reached() => {
            for function in [POLLER, WEBHOOK] {
                world.stack.function(function).unwrap().kill().await;
            }
            reached.is_ok()
        }
    };
    drop(held);
    if is_reached {
        // The poll was killed, or had ended.
        let _ = poll.await;
    }
    is_reached
}

/// Each event's object, and what happened to it.
fn what(detail: &Value) -> (String, String) {
    let text = |key: &str| detail[key].as_str().unwrap().to_owned();
    (text("objectId"), text("action"))
}

#[tokio::test]
async fn fifty_kills_of_both_functions_lose_nothing() {
    let world = World::start().await;
    let mut rng = Rng::with_seed(20_931);
    let owner = reconciled(
        &world,
        json!({"event.objects": "lead.created,lead.deleted"}),
    )
    .await;
    let mut time = ago(3_000);
    let (mut kills, mut expected) = (0, HashSet::new());
    while kills < KILLS {
        let organization = &world.organization;
        let leads = organization.create_leads(rng.usize(1..4), Change::at(time));
        let leads = leads.unwrap();
        let change = Change::at(time + SignedDuration::from_secs(1));
        organization.delete_lead(&leads[0], change).unwrap();
        expected.insert((leads[0].clone(), "deleted".to_owned()));
        let created = leads.into_iter().map(|lead| (lead, "created".to_owned()));
        expected.extend(created);
        time += ROUND;
        kills += usize::from(work_and_kill(&world, &owner, &mut rng).await);
        expire_lease(&world, owner.id).await;
    }
    world.close.wait_until_delivered(PATIENCE).await.unwrap();
    while world.poll(owner.id).await["published"] != 0 {}

    let mut ids: HashMap<_, HashSet<String>> = HashMap::new();
    for detail in world.details() {
        let id = detail["id"].as_str().unwrap().to_owned();
        ids.entry(what(&detail)).or_default().insert(id);
    }
    assert_eq!(ids.keys().cloned().collect::<HashSet<_>>(), expected);
    // What was published twice for a kill bears one id.
    let many = ids.iter().find(|(_, ids)| 1 < ids.len());
    assert_eq!(many, None);
    world.finish().await;
}
