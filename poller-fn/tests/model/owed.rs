//! What the instance owes its consumers, worked out from what Close knows and what its owner wrote.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use shared::backfill::{Backfill, Status};

use crate::bus::Key;
use crate::close::log::{Entry, Form, RETENTION};
use crate::close::{Object, Version};
use crate::history::{Condition, Of, Polled};
use crate::instance;
use crate::world::World;

/// Close logs an object's change so soon after the object was stamped; an older stamp is another change's.
const STAMPING_DELAY: SignedDuration = SignedDuration::from_secs(1);
/// By so much the clock of a poll may be wrong that says where the log begins.
const SKEW: SignedDuration = SignedDuration::from_mins(3);

/// A change that a resource may publish.
pub(crate) struct Owed {
    pub(crate) of: Of,
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
    resource: &'a Polled,
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
    let resources = world.setup.resources.iter();
    resources
        .flat_map(|resource| {
            let terms = Terms::new(world, resource);
            if is_logged(resource) {
                terms.logged()
            } else {
                terms.seen()
            }
        })
        .collect()
}

/// Whether a resource that reads objects wants the version of that date.
pub(crate) fn wants(world: &World, of: Of, key: &Key) -> bool {
    let close = world.close.borrow();
    let mut objects = close.objects.iter();
    let object = objects.find(|object| object.id == key.object_id);
    let version = object.and_then(|object| {
        let mut versions = object.versions.iter();
        Some((object, versions.find(|version| version.date == key.date)?))
    });
    let mut resources = world.setup.resources.iter();
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

impl<'a> Terms<'a> {
    fn new(world: &'a World, resource: &'a Polled) -> Self {
        let name = resource.of.path();
        let mut backfills = world.store.borrow().backfills();
        backfills.retain(|backfill| backfill.resource == name);
        Self {
            world,
            resource,
            backfills,
            reach: reach(world, name),
        }
    }

    /// Of objects, the versions.
    fn seen(&self) -> Vec<Owed> {
        let close = self.world.close.borrow();
        let objects = close.objects.iter();
        let versions = objects
            .filter(|object| object.of == self.resource.of)
            .flat_map(|object| object.versions.iter().map(move |version| (object, version)));
        let is_broken = close.quirks.broken == Some(self.resource.of);
        versions
            .filter(|(object, version)| fulfils(self.resource.condition, object, version))
            .filter_map(|(object, version)| {
                let json = version.json.as_ref()?.get().to_owned();
                let key = Key::new(object.of.object_type(), &object.id, version.date, "updated");
                let is_last = object.versions.last().map(|last| last.date) == Some(version.date);
                let is_due = is_last && !is_broken;
                self.owed(vec![(key, json)], is_due, version.date, version.visible)
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
        let claimed = entries.filter(|(object, entry)| self.claims(object.of, entry.action));
        let forms = claimed
            .flat_map(|(object, entry)| entry.forms.iter().map(move |form| (object, entry, form)));
        forms
            .filter_map(|(object, entry, form)| self.form(object, entry, form))
            .collect()
    }

    fn form(&self, object: &Object, entry: &Entry, form: &Form) -> Option<Owed> {
        let quirks = &self.world.setup.quirks;
        let is_wanted = fulfils(self.resource.condition, object, subject(object, form));
        let shown = is_wanted.then(|| (shown(object, entry, form), form.shown.get().to_owned()));
        let hidden = quirks.is_hiding.then(|| {
            let key = Key::new(object.of.object_type(), &object.id, form.own, entry.action);
            (key, form.hidden.get().to_owned())
        });
        let is_last = entry.forms.last().map(|last| last.own) == Some(form.own);
        let is_due = is_wanted && is_last && quirks.broken != Some(Of::Events);
        let ways: Vec<_> = shown.into_iter().chain(hidden).collect();
        self.owed(ways, is_due, form.own, form.visible)
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
        let is_kept = !is_logged(self.resource) || self.world.now() - RETENTION < date;
        let mut done = backfills.filter(|backfill| {
            backfill.status == Status::Done && visible <= backfill.requested_date
        });
        let is_polled = self.world.start() <= date;
        let is_due = (is_polled && self.reach <= date) || (is_kept && done.next().is_some());
        (is_polled || is_backfilled).then_some(Owed {
            of: self.resource.of,
            ways,
            is_due: is_last && is_due,
            is_backfilled,
        })
    }

    /// Whose an entry is: everything's, but for what another resource publishes, if only by itself.
    fn claims(&self, of: Of, action: &str) -> bool {
        if self.resource.of != Of::Events {
            return self.resource.of == of;
        }
        let is_seen = matches!(action, "created" | "updated");
        let mut others = self.world.setup.resources.iter();
        !others.any(|other| other.of == of && (is_seen || is_logged(other)))
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

fn shown(object: &Object, entry: &Entry, form: &Form) -> Key {
    let version = &object.versions[form.version];
    let delay = form.own - version.date;
    let is_stamped = version.json.is_some() && !delay.is_negative() && delay <= STAMPING_DELAY;
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
