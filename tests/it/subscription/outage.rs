//! A function that fails for a while loses nothing.

use std::collections::BTreeSet;

use local_stack::close::data::change::Change;
use local_stack::control::fault::{Calls, Failure, Fault};
use serde_json::{Value, json};

use crate::owner::Owner;
use crate::world::{PATIENCE, World, texts};

/// Changes of each kind, while the function does not work.
fn change_things(world: &World) -> BTreeSet<(String, &'static str)> {
    let organization = &world.organization;
    let mut changes = BTreeSet::new();
    for round in 0..2 {
        let name = json!({"name": format!("Lead {round}")});
        let lead = organization.create_lead(name, Change::now()).unwrap();
        let contact = organization
            .create_contact(&lead, json!({}), Change::now())
            .unwrap();
        let gone = organization.create_lead(json!({}), Change::now()).unwrap();
        organization.delete_lead(&gone, Change::now()).unwrap();
        changes.extend([
            (lead, "created"),
            (contact, "created"),
            (gone.clone(), "created"),
            (gone, "deleted"),
        ]);
    }
    changes
}

fn changes(details: &[Value]) -> Vec<(String, String)> {
    let (objects, actions) = (texts(details, "objectId"), texts(details, "action"));
    objects.into_iter().zip(actions).collect()
}

/// Lets `break_down` make the function fail, changes things, waits until Close has tried in vain, lets `repair` make it work
/// again, and expects each change, under one id.
async fn assert_nothing_is_lost(
    world: World,
    break_down: impl FnOnce(&World),
    repair: impl FnOnce(&World),
) {
    let _owner = Owner::subscribed(&world, json!({"event.objects": "leads,contacts"})).await;
    break_down(&world);
    let expected = change_things(&world);
    let tried = world
        .close
        .wait_for_deliveries(PATIENCE, |attempts| expected.len() <= attempts.len())
        .await
        .unwrap();
    assert!(tried.iter().all(|attempt| attempt.status == Some(503)));
    assert_eq!(world.events().len(), 0);

    repair(&world);
    world.close.wait_until_delivered(PATIENCE).await.unwrap();

    let details = world.details();
    let published: BTreeSet<_> = changes(&details).into_iter().collect();
    let wanted = published.iter().filter(|(_, action)| action != "updated");
    let wanted: BTreeSet<_> = wanted
        .map(|(object, action)| (object.clone(), action.as_str()))
        .collect();
    assert_eq!(wanted, expected);
    // Where an answer comes too late, an event comes twice. Its id is the same then.
    let ids: BTreeSet<_> = texts(&details, "id").into_iter().collect();
    assert_eq!(ids.len(), published.len());
    world.finish().await;
}

#[tokio::test]
async fn while_the_bus_takes_nothing() {
    let world = World::start().await;
    assert_nothing_is_lost(
        world,
        |world| {
            let bus = world.stack.bus();
            bus.refuse("ThrottlingException", |_| true);
        },
        |world| world.stack.bus().accept_all(),
    )
    .await;
}

#[tokio::test]
async fn while_the_table_does_not_answer() {
    let world = World::start().await;
    assert_nothing_is_lost(
        world,
        |world| {
            let reads = Calls::of("GetItem").table("InstancesTable");
            // Each delivery tries three times.
            let fault = Fault::new(Failure::Throttled, reads).times(60);
            world.stack.store().fail(fault);
        },
        |_| {},
    )
    .await;
}

#[tokio::test]
async fn while_its_processes_are_killed() {
    let world = World::start().await;
    let owner = Owner::subscribed(&world, json!({"event.objects": "leads"})).await;
    let held = world.stack.bus().hold(Calls::any().source("closeio"));
    let lead = world
        .organization
        .create_lead(json!({}), Change::now())
        .unwrap();
    held.reached().await.unwrap();
    let function = world.stack.function("WebhookFunction").unwrap();
    function.kill().await;
    drop(held);

    world.close.wait_until_delivered(PATIENCE).await.unwrap();

    // It was on the bus before Close could know, so it comes again, with the same id.
    let details = owner.events(2).await;
    assert_eq!(texts(&details, "objectId"), [lead.clone(), lead]);
    assert_eq!(details[0]["id"], details[1]["id"]);
    world.finish().await;
}
