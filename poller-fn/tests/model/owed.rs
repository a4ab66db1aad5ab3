//! What the instance owes its consumers, worked out from what Close knows and what its owner wrote.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::bus::Key;
use crate::close::log::{Entry, Form};
use crate::close::{Object, Version};
use crate::history::{Condition, Of, Polled};
use crate::instance;
use crate::world::World;

/// Close logs an object's change so soon after the object was stamped; an older stamp is another change's.
const STAMPING_DELAY: SignedDuration = SignedDuration::from_secs(1);

/// A change that a resource may publish.
pub(crate) struct Owed {
    pub(crate) of: Of,
    /// How it may appear, each with what Close shows of it: one way, but for what Close hides after a while.
    pub(crate) ways: Vec<(Key, String)>,
    /// It must be published: nothing came after it.
    pub(crate) is_due: bool,
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
            if is_logged(resource) {
                logged(world, resource)
            } else {
                seen(world, resource)
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
    resource
        .zip(version)
        .is_some_and(|(resource, (object, version))| {
            instance::start() <= version.date && fulfils(resource.condition, object, version)
        })
}

pub(crate) fn is_logged(resource: &Polled) -> bool {
    resource.is_logged || matches!(resource.of, Of::Activities | Of::Events)
}

/// Of objects, the versions.
fn seen(world: &World, resource: &Polled) -> Vec<Owed> {
    let close = world.close.borrow();
    let mut owed = Vec::new();
    for object in close
        .objects
        .iter()
        .filter(|object| object.of == resource.of)
    {
        for (place, version) in object.versions.iter().enumerate() {
            let Some(json) = &version.json else { continue };
            if version.date < instance::start() || !fulfils(resource.condition, object, version) {
                continue;
            }
            let key = Key::new(object.of.object_type(), &object.id, version.date, "updated");
            owed.push(Owed {
                of: resource.of,
                ways: vec![(key, json.get().to_owned())],
                is_due: place + 1 == object.versions.len()
                    && close.quirks.broken != Some(resource.of),
            });
        }
    }
    owed
}

/// Of entries of the log, the forms.
fn logged(world: &World, resource: &Polled) -> Vec<Owed> {
    let close = world.close.borrow();
    let reach = reach(world, resource);
    let mut owed = Vec::new();
    for entry in &close.log {
        let object = &close.objects[entry.object];
        if !claims(world, resource, object.of, entry.action) {
            continue;
        }
        for (place, form) in entry.forms.iter().enumerate() {
            if form.own < instance::start() {
                continue;
            }
            let is_wanted = fulfils(resource.condition, object, subject(object, form));
            let shown =
                is_wanted.then(|| (shown(object, entry, form), form.shown.get().to_owned()));
            let hidden = close.quirks.is_hiding.then(|| {
                let key = Key::new(object.of.object_type(), &object.id, form.own, entry.action);
                (key, form.hidden.get().to_owned())
            });
            owed.push(Owed {
                of: resource.of,
                ways: shown.into_iter().chain(hidden).collect(),
                is_due: is_wanted
                    && place + 1 == entry.forms.len()
                    && reach <= form.own
                    && close.quirks.broken != Some(Of::Events),
            });
        }
    }
    owed
}

/// Whose an entry is: everything's, but for what another resource publishes, if only by itself.
fn claims(world: &World, resource: &Polled, of: Of, action: &str) -> bool {
    if resource.of != Of::Events {
        return resource.of == of;
    }
    let is_seen = matches!(action, "created" | "updated");
    let mut others = world.setup.resources.iter();
    !others.any(|other| other.of == of && (is_seen || is_logged(other)))
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

/// Where the log begins for a resource that was told that it is not whole.
fn reach(world: &World, resource: &Polled) -> Timestamp {
    let bus = world.bus.borrow();
    let gaps = bus
        .notices
        .iter()
        .filter(|notice| notice.detail_type == "instance.gap");
    let gaps = gaps.filter_map(|notice| serde_json::from_str::<Gap>(&notice.detail).ok());
    let gaps = gaps.filter(|gap| gap.resource == resource.of.path());
    gaps.map(|gap| gap.to).max().unwrap_or(Timestamp::MIN)
}
