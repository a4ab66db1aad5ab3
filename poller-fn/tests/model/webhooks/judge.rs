//! What must hold of a story.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use shared::event::id::EventId;
use shared::event::ledger_key::LedgerKey;
use shared::event::log_entry;
use shared::instance::settings::Settings;

use crate::bus::Published;
use crate::instance;
use crate::world::{Publisher, World};

/// A delivery that comes within so much of its entry comes before any reconciliation reads it.
const PROMPT: SignedDuration = SignedDuration::from_secs(500);

/// G6: the last form of each entry that the subscription covers is on the bus, since everything has come to rest.
pub(super) fn check_whole(world: &World) -> Result<(), String> {
    if let Some(violation) = world.violations().into_iter().next() {
        return Err(violation);
    }
    let stored = world.store.borrow().instance();
    let settings = Settings::stored(&stored.configuration);
    let settings = settings.map_err(|errors| format!("{errors:?}"))?;
    let wanted = settings.subscription.unwrap_or_default();
    let bus = world.bus.borrow();
    let there = bus.changes.iter().filter_map(|it| it.entry.clone());
    let there: HashSet<_> = there.chain(bus.refused.iter().cloned()).collect();
    for entry in &world.close.borrow().log {
        let Some(form) = entry.forms.last() else {
            continue;
        };
        let shown = &form.shown;
        let change = log_entry::to_change(shown, shown.clone().into(), world.now());
        let mut kinds = wanted.iter();
        let is_covered =
            kinds.any(|it| it.object_type == change.object_type && it.action == change.action);
        let Some(key) = change.entry.as_ref().filter(|_| is_covered) else {
            continue;
        };
        let is_owed = stored.created_date <= key.date;
        // A backfill may have published the same event, with its id, as the object is.
        let is_there = there.contains(&LedgerKey::of_entry(instance::id(), key))
            || bus.is_done(EventId::of(instance::id(), &change));
        if is_owed && !is_there {
            return Err(format!("lost: {shown}"));
        }
    }
    Ok(())
}

/// G9: Close has the subscription that is stored, and nothing is wrong with it.
pub(super) fn check_subscription(world: &World) -> Result<(), String> {
    let stored = world.store.borrow().instance();
    let webhooks = world.webhooks.borrow();
    let found = webhooks.subscription.as_ref();
    let is_right = found.is_some_and(|found| {
        Some(&found.id) == stored.subscription_id.as_ref()
            && found.delivers(&instance::url(), "lead", "updated")
            && found.delivers(&instance::url(), "contact", "updated")
    });
    if is_right {
        Ok(())
    } else {
        Err(format!(
            "{:?} is stored, and Close has {found:?}",
            stored.subscription_id
        ))
    }
}

/// G7: no entry is on the bus twice, but for what went wrong between; and what webhooks brought in time, no reconciliation did.
pub(super) fn check_once(world: &World, is_steady: bool) -> Result<(), String> {
    let bus = world.bus.borrow();
    let publishers = world.publishers.borrow();
    let publishers: HashMap<_, _> = publishers.iter().map(|it| (it.number, it)).collect();
    let mut first: HashMap<&LedgerKey, &Published> = HashMap::new();
    for change in &bus.changes {
        let Some(key) = &change.entry else { continue };
        let Some(before) = first.insert(key, change) else {
            continue;
        };
        let (one, other) = (publishers.get(&before.poll), publishers.get(&change.poll));
        if let (Some(one), Some(other)) = (one, other)
            && !may_repeat(one, other)
        {
            return Err(format!("twice: {}, by {one:?} and {other:?}", change.raw));
        }
    }
    if is_steady {
        return check_needed(world, &publishers);
    }
    Ok(())
}

fn may_repeat(one: &Publisher, other: &Publisher) -> bool {
    let overlap = one.began <= other.ended && other.began <= one.ended;
    one.is_troubled || other.is_troubled || overlap
}

/// While Close delivers, a reconciliation publishes nothing that a webhook brings in time.
fn check_needed(world: &World, publishers: &HashMap<usize, &Publisher>) -> Result<(), String> {
    let arrived = world.arrived.borrow();
    let is_prompt = |key: &LedgerKey, date: Timestamp| {
        arrived
            .get(key)
            .is_some_and(|arrived| *arrived < date + PROMPT)
    };
    for change in &world.bus.borrow().changes {
        let by = publishers.get(&change.poll);
        let is_reconciled = by.is_some_and(|by| !by.is_webhook && !by.is_troubled);
        if let Some(key) = change.entry.as_ref().filter(|_| is_reconciled)
            && is_prompt(key, change.key.date)
        {
            return Err(format!("its webhook came in time: {}", change.raw));
        }
    }
    Ok(())
}
