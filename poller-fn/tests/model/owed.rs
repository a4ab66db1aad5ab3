//! What the instance owes its consumers, worked out from what Close knows and what its owner wrote.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use shared::instance::backfill::{Backfill, BackfillStatus};

use crate::bus::Key;
use crate::close::entry::{Entry, Form};
use crate::close::log::RETENTION;
use crate::close::state::{Object, Version};
use crate::history::{Condition, Obscurity, Of, Polled};
use crate::instance;
use crate::world::World;

/// Close logs an object's change so soon after the object was stamped; an older stamp is another change's.
const STAMPING_DELAY: SignedDuration = SignedDuration::from_secs(1);
/// By so much the clock of a poll may be wrong that says where the log begins.
const SKEW: SignedDuration = SignedDuration::from_mins(3);

/// A change that a resource may publish.
pub(crate) struct Owed {
    /// Nothing, where one resource might have published it in one era, and another in another.
    pub(crate) of: Option<Of>,
    /// How it may appear, each with what Close shows of it: one way, but for what Close hides after a while.
    pub(crate) ways: Vec<(Key, String)>,
    /// It must be published: nothing came after it.
    pub(crate) is_due: bool,
    /// A backfill may publish it as well.
    pub(crate) is_backfilled: bool,
}

/// The rights and duties of one resource.
struct Terms<'a> {
    world: &'a World,
    of: Of,
    eras: &'a [Vec<Polled>],
    /// As its owner configured it, in the eras in which it was polled.
    variants: Vec<&'a Polled>,
    is_polled_at_last: bool,
    backfills: Vec<Backfill>,
    /// Where the log begins, as far as it was read.
    reach: Timestamp,
}

#[derive(Deserialize)]
struct Gap {
    resource: String,
    to: Timestamp,
}

/// Everything that may be on the bus.
pub(crate) fn all(world: &World) -> Vec<Owed> {
    let eras = world.eras();
    let owed = Of::ALL.into_iter().flat_map(|of| {
        let terms = Terms::new(world, of, &eras);
        terms
            .seen()
            .into_iter()
            .chain(terms.logged())
            .collect::<Vec<_>>()
    });
    merged(owed)
}

/// What appears in the same way is the same change, in whatever era it is owed.
fn merged(all: impl Iterator<Item = Owed>) -> Vec<Owed> {
    let mut places: HashMap<Key, usize> = HashMap::new();
    let mut merged: Vec<Owed> = Vec::new();
    for owed in all {
        let mut known = owed.ways.iter().filter_map(|(key, _)| places.get(key));
        let place = known.next().copied().unwrap_or(merged.len());
        let keys = owed.ways.iter().map(|(key, _)| (key.clone(), place));
        places.extend(keys);
        match merged.get_mut(place) {
            Some(same) => {
                same.of = same.of.filter(|of| Some(*of) == owed.of);
                same.ways.extend(owed.ways);
                same.is_due |= owed.is_due;
                same.is_backfilled |= owed.is_backfilled;
            }
            None => merged.push(owed),
        }
    }
    merged
}

/// Whether one of these resources reads objects and wants the version of that date.
pub(crate) fn wants(world: &World, resources: &[Polled], of: Of, key: &Key) -> bool {
    let close = world.close.borrow();
    let mut objects = close.objects.iter();
    let object = objects.find(|object| object.id == key.object_id);
    let version = object.and_then(|object| {
        let mut versions = object.versions.iter();
        Some((object, versions.find(|version| version.date == key.date)?))
    });
    let mut resources = resources.iter();
    let resource = resources.find(|resource| resource.of == of && !is_logged(resource));
    let both = resource.zip(version);
    both.is_some_and(|(resource, (object, version))| {
        world.start() <= version.date && fulfils(resource.condition, object, version)
    })
}

/// Whether a resource reads the event log.
pub(crate) fn is_logged(resource: &Polled) -> bool {
    resource.is_logged || matches!(resource.of, Of::Activities | Of::Events)
}

/// Whether what a resource reads never answers, as it is configured.
pub(crate) fn is_broken(world: &World, resource: &Polled) -> bool {
    let source = if is_logged(resource) {
        Of::Events
    } else {
        resource.of
    };
    world.close.borrow().trouble_of(source).is_some()
}

/// What an entry may be known by on the bus, in one of its forms.
pub(crate) fn keys(object: &Object, entry: &Entry, form: &Form) -> [Key; 2] {
    if entry.obscurity.is_some() {
        return [Key::unreadable(&entry.id), Key::unreadable(&entry.id)];
    }
    [shown(object, entry, form), hidden(object, entry, form)]
}

/// Whether a condition refuses what an entry is about, in some era.
pub(crate) fn may_be_refused(world: &World, object: &Object, form: &Form) -> bool {
    let eras = world.eras();
    let mut resources = eras
        .iter()
        .flatten()
        .filter(|it| it.of == object.of && is_logged(it));
    resources.any(|resource| !fulfils(resource.condition, object, subject(object, form)))
}

impl<'a> Terms<'a> {
    fn new(world: &'a World, of: Of, eras: &'a [Vec<Polled>]) -> Self {
        let name = of.path();
        let mut backfills = world.store.borrow().backfills();
        backfills.retain(|backfill| backfill.resource == name);
        let find = |era: &'a Vec<Polled>| era.iter().find(|polled| polled.of == of);
        Self {
            world,
            of,
            eras,
            variants: eras.iter().filter_map(find).collect(),
            is_polled_at_last: eras.last().and_then(find).is_some(),
            backfills,
            reach: reach(world, name),
        }
    }

    /// Of objects, the versions. The last one of each is owed whatever the resource was read in, one time or another.
    fn seen(&self) -> Vec<Owed> {
        let close = self.world.close.borrow();
        let objects = close.objects.iter().enumerate();
        let versions =
            objects
                .filter(|(_, object)| object.of == self.of)
                .flat_map(|(number, object)| {
                    let versions = object.versions.iter().enumerate();
                    versions.map(move |(place, version)| (number, object, place, version))
                });
        let searches = self.variants.iter().filter(|variant| !is_logged(variant));
        let searches: Vec<_> = searches.collect();
        let is_mixed = searches.len() < self.variants.len();
        versions
            .filter(|(_, object, _, version)| {
                let mut searches = searches.iter();
                searches.any(|variant| fulfils(variant.condition, object, version))
            })
            .filter_map(|(number, object, place, version)| {
                let json = version.json.as_ref()?.get().to_owned();
                let key = Key::new(object.of.object_type(), &object.id, version.date, "updated");
                let is_last = object.versions.last().map(|last| last.date) == Some(version.date);
                let mut ways = vec![(key, json)];
                let mut is_kept = true;
                if is_mixed {
                    // The log may have told of it, with another action, and may no longer reach back to it, or to one that is
                    // dated ahead.
                    let entries = close.log.iter().filter(|entry| entry.object == number);
                    let forms =
                        entries.flat_map(|entry| entry.forms.iter().map(move |form| (entry, form)));
                    let stamping =
                        forms.filter(|(_, form)| form.version == place && form.is_stamping);
                    for (entry, form) in stamping {
                        let is_same_event = matches!(entry.action, "created" | "updated");
                        if is_same_event {
                            ways.extend(self.ways(object, entry, form));
                        }
                        is_kept &= is_same_event;
                        is_kept &= version.date <= form.own && self.reach <= form.own;
                    }
                }
                let is_due = is_last && is_kept && self.is_wanted(object, version);
                self.owed(ways, is_due, version.date, version.visible)
            })
            .collect()
    }

    /// Of entries of the log, the forms.
    fn logged(&self) -> Vec<Owed> {
        let close = self.world.close.borrow();
        let entries = close
            .log
            .iter()
            .map(|entry| (&close.objects[entry.object], entry));
        let logged = self
            .variants
            .iter()
            .filter(|variant| is_logged(variant))
            .count();
        let is_always_logged = logged == self.variants.len();
        let claimed = entries.filter(|(object, entry)| {
            let mut eras = self.eras.iter();
            0 < logged && eras.any(|era| self.claims(era, object.of, entry))
        });
        let forms = claimed
            .flat_map(|(object, entry)| entry.forms.iter().map(move |form| (object, entry, form)));
        forms
            .filter_map(|(object, entry, form)| {
                let ways = self.ways(object, entry, form);
                let is_last = entry.forms.last().map(|last| last.own) == Some(form.own);
                let mut eras = self.eras.iter();
                let is_ours = eras.all(|era| self.claims(era, object.of, entry));
                let is_wanted = match entry.obscurity {
                    None => self.is_wanted(object, subject(object, form)),
                    Some(_) => self.is_readable(),
                };
                let is_due = is_always_logged && is_ours && is_last && is_wanted;
                let owed = self.owed(ways, is_due, form.own, form.visible);
                match entry.obscurity {
                    // Nobody can tell when it was.
                    Some(Obscurity::Undated) => Some(Owed {
                        is_backfilled: true,
                        of: None,
                        ways: self.ways(object, entry, form),
                        is_due: owed.is_some_and(|owed| owed.is_due),
                    }),
                    _ => owed,
                }
            })
            .collect()
    }

    /// How a form of an entry may appear, if some era wants it.
    fn ways(&self, object: &Object, entry: &Entry, form: &Form) -> Vec<(Key, String)> {
        if entry.obscurity.is_some() {
            return vec![(Key::unreadable(&entry.id), form.shown.get().to_owned())];
        }
        let mut logged = self.variants.iter().filter(|variant| is_logged(variant));
        let is_wanted = logged.any(|it| fulfils(it.condition, object, subject(object, form)));
        let shown = is_wanted.then(|| (shown(object, entry, form), form.shown.get().to_owned()));
        let is_hiding = self.world.setup.quirks.is_hiding;
        let hidden = is_hiding.then(|| (hidden(object, entry, form), form.hidden.get().to_owned()));
        shown.into_iter().chain(hidden).collect()
    }

    /// Whether every era wants it, and can have it.
    fn is_wanted(&self, object: &Object, version: &Version) -> bool {
        let mut variants = self.variants.iter();
        self.is_readable() && variants.all(|it| fulfils(it.condition, object, version))
    }

    /// Whether every era can have it.
    fn is_readable(&self) -> bool {
        let mut variants = self.variants.iter();
        self.is_polled_at_last && variants.all(|variant| !is_broken(self.world, variant))
    }

    /// What is owed of a change, if anything: by polling from its start on, or by a backfill.
    fn owed(
        &self,
        ways: Vec<(Key, String)>,
        is_last: bool,
        date: Timestamp,
        visible: Timestamp,
    ) -> Option<Owed> {
        let covers = |backfill: &&Backfill| backfill.from <= date && date < backfill.to;
        let mut backfills = self.backfills.iter().filter(covers).peekable();
        let is_backfilled = backfills.peek().is_some();
        let is_logged = self.variants.iter().any(|variant| is_logged(variant));
        let is_kept = !is_logged || self.world.now() - RETENTION < date;
        let mut done = backfills.filter(|backfill| {
            backfill.status == BackfillStatus::Done && visible <= backfill.requested_date
        });
        let is_polled = self.world.start() <= date;
        let is_due = (is_polled && self.reach <= date) || (is_kept && done.next().is_some());
        (is_polled || is_backfilled).then_some(Owed {
            of: Some(self.of),
            ways,
            is_due: is_last && is_due,
            is_backfilled,
        })
    }

    /// Whose an entry is: everything's, but for what another resource publishes, if only by itself.
    fn claims(&self, era: &[Polled], of: Of, entry: &Entry) -> bool {
        if entry.obscurity == Some(Obscurity::Untyped) {
            let mut logged = era.iter().filter(|polled| is_logged(polled));
            let all = era.iter().find(|polled| polled.of == Of::Events);
            return all
                .or_else(|| logged.next())
                .is_some_and(|owner| owner.of == self.of);
        }
        if self.of != Of::Events {
            return self.of == of;
        }
        let is_seen = entry.obscurity.is_none() && matches!(entry.action, "created" | "updated");
        !era.iter()
            .any(|other| other.of == of && (is_seen || is_logged(other)))
    }
}

/// What an entry is about: where the object is gone, that before.
fn subject<'a>(object: &'a Object, form: &Form) -> &'a Version {
    let version = &object.versions[form.version];
    if version.json.is_none() && 0 < form.version {
        &object.versions[form.version - 1]
    } else {
        version
    }
}

fn hidden(object: &Object, entry: &Entry, form: &Form) -> Key {
    Key::new(object.of.object_type(), &object.id, form.own, entry.action)
}

fn shown(object: &Object, entry: &Entry, form: &Form) -> Key {
    let version = &object.versions[form.version];
    let delay = form.own - version.date;
    let is_just_before = !delay.is_negative() && delay <= STAMPING_DELAY;
    // A merge says of no field that it changed.
    let may_stamp = form.is_stamping && version.json.is_some() && entry.action != "merged";
    let is_stamped = may_stamp && is_just_before;
    let date = if is_stamped { version.date } else { form.own };
    Key::new(object.of.object_type(), &object.id, date, entry.action)
}

fn fulfils(condition: Condition, object: &Object, version: &Version) -> bool {
    match condition {
        Condition::Any => true,
        Condition::Rank(rank) => rank <= version.rank,
        Condition::CreatedSince(_) => {
            instance::created_since(condition).is_some_and(|since| since <= object.created)
        }
    }
}

/// Where the log begins for a resource that was told, and rightly, that it is not whole.
fn reach(world: &World, resource: &str) -> Timestamp {
    let bus = world.bus.borrow();
    let notices = bus.notices.iter();
    let gaps = notices.filter(|(_, notice)| notice.detail_type == "instance.gap");
    let gaps = gaps.filter_map(|(time, notice)| {
        let gap: Gap = shared::json::read(&notice.detail).ok()?;
        Some((*time, gap))
    });
    let gaps = gaps.filter(|(_, gap)| gap.resource == resource);
    let gaps = gaps.map(|(time, gap)| gap.to.min(time - RETENTION + SKEW));
    gaps.max().unwrap_or(Timestamp::MIN)
}
