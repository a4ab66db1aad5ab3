//! What must be true in the end, from what was true at Close, without asking the poller's own rules.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use poller_fn::poll::summary::Summary;
use serde_json::value::RawValue;
use shared::event::id::EventId;
use shared::instance::backfill::{Backfill, BackfillStatus};
use shared::json;
use shared::json::path::members;

use crate::bus::{Key, Published};
use crate::history::Of;
use crate::owed::{self, Owed};
use crate::seat::Seat;
use crate::world::World;

/// An invocation that has ended.
pub(crate) struct Done {
    number: usize,
    started: Timestamp,
    ended: Timestamp,
    /// What it published may come again.
    is_excused: bool,
    /// The objects whose records it may have published without some of their custom fields.
    lacking: HashSet<String>,
    summary: Option<Summary>,
    era: usize,
    /// What it was shown, did not stumble over, and has not published.
    kept_back: Vec<Key>,
}

/// What may be on the bus, by what it is known by there.
struct Ledger<'a> {
    owed: &'a [Owed],
    places: HashMap<&'a Key, usize>,
}

impl Done {
    pub(crate) fn new(seat: &Seat, started: Timestamp, summary: Option<Summary>) -> Self {
        let kept_back = summary.as_ref().map(|summary| kept_back(seat, summary));
        Self {
            number: seat.number,
            started,
            ended: seat.world.now(),
            is_excused: seat.is_excused(),
            lacking: seat.lacking(),
            summary,
            era: seat.era.get(),
            kept_back: kept_back.unwrap_or_default(),
        }
    }

    /// What it did not read to its end: everything, if it did not end by itself.
    pub(crate) fn failed(&self) -> Vec<&str> {
        match &self.summary {
            Some(summary) => summary.failed.keys().map(String::as_str).collect(),
            None => vec!["instance"],
        }
    }
}

fn kept_back(seat: &Seat, summary: &Summary) -> Vec<Key> {
    let world = &seat.world;
    let reading = seat.reading.borrow();
    let resources = seat.resources.borrow();
    let due = reading.due().filter(|(of, key)| {
        !summary.failed.contains_key(of.path())
            && !world.bus.borrow().has(key)
            && owed::wants(world, &resources, *of, key)
    });
    due.map(|(_, key)| key.clone()).collect()
}

/// After an undisturbed poll: it came to its end, and nothing is missing.
pub(crate) fn check_end(world: &World, done: &Done) -> Result<(), String> {
    let summary = done.summary.as_ref();
    let summary = summary.filter(|summary| summary.polled);
    let summary = summary.ok_or("an undisturbed poll did not begin")?;
    let mut failed = summary.failed.iter();
    if let Some((resource, reason)) = failed.find(|(resource, _)| !is_broken(world, resource)) {
        return Err(format!("an undisturbed poll failed: {resource}: {reason}"));
    }
    let mut backfills = world.store.borrow().backfills().into_iter();
    let is_pending = |backfill: &Backfill| {
        backfill.status == BackfillStatus::Pending && !is_broken(world, &backfill.resource)
    };
    if let Some(pending) = backfills.find(is_pending) {
        return Err(format!("an undisturbed poll left {pending:?}"));
    }
    let bus = world.bus.borrow();
    let owed = owed::all(world);
    let mut due = owed.iter().filter(|owed| owed.is_due);
    match due.find(|owed| !owed.ways.iter().any(|(key, _)| bus.has(key))) {
        Some(lost) => Err(format!("lost: {:?} of {:?}", lost.ways, lost.of)),
        None => Ok(()),
    }
}

/// After everything.
pub(crate) fn check(world: &World, done: &[Done]) -> Result<(), String> {
    if let Some(violation) = world.violations().into_iter().next() {
        return Err(violation);
    }
    if let Some(late) = done.iter().find(|done| !done.kept_back.is_empty()) {
        return Err(format!(
            "poll {} kept back {:?}",
            late.number, late.kept_back
        ));
    }
    if let Some(again) = done
        .last()
        .and_then(|last| last.summary.as_ref())
        .filter(|last| 0 < last.published)
    {
        return Err(format!(
            "a poll after everything published {}",
            again.published
        ));
    }
    let owed = owed::all(world);
    let ledger = Ledger::new(&owed);
    let bus = world.bus.borrow();
    ledger.check_true(&bus.changes, done)?;
    check_ids(&bus.changes)?;
    ledger.check_order(&bus.changes)?;
    ledger.check_repeats(&bus.changes, done)
}

/// A broken endpoint fails those who read it, and nobody else.
pub(crate) fn is_broken(world: &World, label: &str) -> bool {
    let resource = label.trim_start_matches("backfill of ");
    let eras = world.eras();
    let mut resources = eras.iter().flatten();
    resources.any(|other| other.of.path() == resource && owed::is_broken(world, other))
}

impl<'a> Ledger<'a> {
    fn new(owed: &'a [Owed]) -> Self {
        let places = owed
            .iter()
            .enumerate()
            .flat_map(|(place, owed)| owed.ways.iter().map(move |(key, _)| (key, place)));
        Self {
            owed,
            places: places.collect(),
        }
    }

    /// Everything on the bus happened, is wanted, and is as Close shows it.
    fn check_true(&self, changes: &[Published], done: &[Done]) -> Result<(), String> {
        let lacking: HashMap<_, _> = done
            .iter()
            .map(|done| (done.number, &done.lacking))
            .collect();
        let is_true = |change: &&Published| {
            let may_lack = lacking[&change.poll].contains(&change.key.object_id);
            let place = self.places.get(&change.key);
            place.is_some_and(|place| {
                let mut ways = self.owed[*place].ways.iter();
                ways.any(|(key, raw)| {
                    let is_shown = *raw == change.raw || (may_lack && is_part(&change.raw, raw));
                    *key == change.key && is_shown
                })
            })
        };
        match changes.iter().find(|change| !is_true(change)) {
            Some(change) => Err(format!("made up: {:?} {}", change.key, change.raw)),
            None => Ok(()),
        }
    }

    /// Within a poll and a resource the dates of an object never decrease, but from one that lay in the future.
    fn check_order(&self, changes: &[Published]) -> Result<(), String> {
        let mut last: HashMap<(usize, Of, &str), &Published> = HashMap::new();
        for change in changes {
            let owed = &self.owed[self.places[&change.key]];
            let Some(of) = owed.of.filter(|_| !owed.is_backfilled) else {
                continue;
            };
            let place = (change.poll, of, change.key.object_id.as_str());
            let before = last.insert(place, change);
            let before = before.filter(|before| before.key.date <= before.time);
            if let Some(before) = before.filter(|before| change.key.date < before.key.date) {
                return Err(format!(
                    "out of order: {:?} after {:?}",
                    change.key, before.key
                ));
            }
        }
        Ok(())
    }

    /// A change comes again only after a poll that could not know that it had published it, or beside one.
    fn check_repeats(&self, changes: &[Published], done: &[Done]) -> Result<(), String> {
        let done: HashMap<_, _> = done.iter().map(|done| (done.number, done)).collect();
        let mut publishers: HashMap<usize, Vec<&Done>> = HashMap::new();
        for change in changes {
            let place = self.places[&change.key];
            if self.owed[place].is_backfilled {
                continue;
            }
            let publisher = done[&change.poll];
            let before = publishers.entry(place).or_default();
            if let Some(first) = before.iter().find(|first| !may_repeat(first, publisher)) {
                let (first, second) = (first.number, publisher.number);
                return Err(format!(
                    "twice, by poll {first} and poll {second}: {:?}",
                    change.key
                ));
            }
            before.push(publisher);
        }
        Ok(())
    }
}

/// Whether a record is a whole one, but for some of its custom fields.
fn is_part(record: &str, whole: &str) -> bool {
    let (Ok(record), Ok(whole)) = (json::raw(record), json::raw(whole)) else {
        return false;
    };
    let (kept, all) = (members(&record), members(&whole));
    let is_custom = |(key, _): &&(&str, &RawValue)| key.starts_with("\"custom.");
    let find = |(key, value): &(&str, &RawValue)| {
        let mut all = all.iter();
        all.any(|(name, other)| name == key && other.get() == value.get())
    };
    let count = |members: &[(&str, &RawValue)]| members.iter().filter(|it| !is_custom(it)).count();
    kept.iter().all(find) && count(&kept) == count(&all)
}

fn may_repeat(first: &Done, second: &Done) -> bool {
    if first.number == second.number {
        return false;
    }
    // What is read another way is known by something else.
    first.era != second.era
        || first.is_excused
        || (second.started < first.ended && second.is_excused)
}

/// One id for one change, and one change for one id.
fn check_ids(changes: &[Published]) -> Result<(), String> {
    let pairs: HashSet<(EventId, &Key)> = changes
        .iter()
        .map(|change| (change.id, &change.key))
        .collect();
    let ids: HashSet<_> = pairs.iter().map(|(id, _)| id).collect();
    let keys: HashSet<_> = pairs.iter().map(|(_, key)| key).collect();
    if ids.len() == pairs.len() && keys.len() == pairs.len() {
        Ok(())
    } else {
        Err(format!("{} ids for {} changes", ids.len(), keys.len()))
    }
}
