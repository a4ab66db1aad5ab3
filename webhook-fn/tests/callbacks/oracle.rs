//! What must be true when all is over.

use crate::history::Act;
use crate::instance;
use crate::world::{Event, World};

/// Says what is wrong, if anything is.
pub(crate) fn check(world: &World) -> Result<(), String> {
    for (number, event) in world.events.borrow().iter().enumerate() {
        let outcomes = event.deliveries + event.ends;
        if outcomes == 0 {
            return Err(format!("event {number} is lost"));
        }
        if 1 + event.excuses < outcomes {
            return Err(format!("event {number} came too often: {event:?}"));
        }
        if 0 < event.ends && is_good(world, event) {
            return Err(format!(
                "event {number} was given up, and its receiver takes it"
            ));
        }
    }
    if world.history.is_faultless() {
        check_waiting(world)?;
    }
    Ok(())
}

/// Whether its receiver takes it at any time, and its instance has that receiver all the time.
fn is_good(world: &World, event: &Event) -> bool {
    let history = &world.history;
    let is_changed = history
        .steps
        .iter()
        .any(|step| step.owner == event.place && !matches!(step.act, Act::Burst { .. }));
    !is_changed && history.owners[event.place].receivers[0].takes(event.is_task)
}

/// Where nothing goes wrong, those that wait are counted.
fn check_waiting(world: &World) -> Result<(), String> {
    for (place, owner) in world.history.owners.iter().enumerate() {
        let instance = world.instances.borrow().get(instance::id(place));
        let waiting = instance.map(|instance| instance.callback.waiting);
        if waiting.is_some_and(|waiting| waiting != owner.crowd) {
            return Err(format!(
                "{waiting:?} of {place} wait, and not {}",
                owner.crowd
            ));
        }
    }
    Ok(())
}
