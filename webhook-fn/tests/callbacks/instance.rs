//! The Instances table: what is noted of a callback is written under the conditions of `shared::store::instances::callback_state`.

use std::collections::BTreeMap;

use shared::instance::Instance;
use shared::instance::callback_state::{CallbackChange, CallbackState, Count};
use shared::instance::configuration::Configuration;
use shared::instance::id::InstanceId;
use shared::store::error::TableError;

use crate::history::{Owner, epoch};

/// Whether a notification is wanted.
const ENABLED: &str = "event.notification.enabled";
const URL: &str = "event.notification.callback.url";
const FIRST_ID: u64 = 20_931;

/// The table.
pub(crate) struct Instances {
    rows: BTreeMap<InstanceId, Instance>,
}

impl Instances {
    pub(crate) fn new(owners: &[Owner]) -> Self {
        let row = |(place, owner): (usize, &Owner)| {
            let mut instance = Instance::new(id(place), "Test", configuration(place), epoch());
            instance.callback.waiting = owner.crowd;
            (instance.id, instance)
        };
        Self {
            rows: owners.iter().enumerate().map(row).collect(),
        }
    }

    pub(crate) fn get(&self, id: InstanceId) -> Option<Instance> {
        self.rows.get(&id).cloned()
    }

    /// Sets another callback URL, or one again.
    pub(crate) fn point(&mut self, place: usize, to: usize) {
        self.change(place, |instance| {
            let configuration = &mut instance.configuration;
            configuration.set(ENABLED, "true");
            configuration.set(URL, &url(place, to));
            instance.callback_since = instance.version;
        });
    }

    pub(crate) fn remove_callback(&mut self, place: usize) {
        self.change(place, |instance| {
            instance.configuration.set(ENABLED, "false");
            instance.callback_since = instance.version;
        });
    }

    pub(crate) fn remove(&mut self, place: usize) {
        self.rows.remove(&id(place));
    }

    fn change(&mut self, place: usize, change: impl FnOnce(&mut Instance)) {
        if let Some(instance) = self.rows.get_mut(&id(place)) {
            instance.version += 1;
            change(instance);
        }
    }

    /// Notes how a callback fares, if what is stored is still what the change was made from.
    pub(crate) fn note(
        &mut self,
        id: InstanceId,
        change: &CallbackChange,
    ) -> Result<(), TableError> {
        let instance = self.rows.get(&id).ok_or(TableError::Conflict)?;
        let state = &instance.callback;
        let is_good = instance.callback_since == change.since
            && match change.waiting {
                Count::Add(less @ ..0) => -less <= state.waiting,
                _ => true,
            }
            && change
                .open
                .is_none_or(|open| state.failing_since == Some(open.failing_since));
        if !is_good {
            return Err(TableError::Conflict);
        }
        self.note_whatever_is_stored(id, change)
    }

    pub(crate) fn note_whatever_is_stored(
        &mut self,
        id: InstanceId,
        change: &CallbackChange,
    ) -> Result<(), TableError> {
        let instance = self.rows.get_mut(&id).ok_or(TableError::Conflict)?;
        apply(change, &mut instance.callback);
        Ok(())
    }
}

/// Changes the members one by one.
fn apply(change: &CallbackChange, state: &mut CallbackState) {
    match change.waiting {
        Count::Add(more) => state.waiting += more,
        Count::Set(total) => state.waiting = total,
    }
    if change.is_another_url {
        *state = CallbackState {
            waiting: state.waiting,
            since: change.since,
            ..CallbackState::default()
        };
    }
    if change.is_delivered {
        state.last_success = Some(change.now);
        state.failing_since = None;
        state.open_until = None;
    }
    if let Some(failure) = &change.failure {
        state.last_failure = Some(change.now);
        state.last_reason = Some(failure.reason.clone());
        if failure.is_first {
            state.failing_since = Some(change.now);
        }
    }
    state.gone |= change.is_gone;
    state.open_until = change.open.map(|open| open.until).or(state.open_until);
    state.slow_until = change.slow_until.or(state.slow_until);
}

pub(crate) fn id(place: usize) -> InstanceId {
    let number = FIRST_ID + u64::try_from(place).expect("there are few");
    number.try_into().expect("it is an id")
}

/// Which owner and which of its receivers a URL is.
pub(crate) fn place_of(url: &str) -> (usize, usize) {
    let mut parts = url
        .rsplit('/')
        .map(|part| part.parse().expect("it is a number"));
    let which = parts.next().expect("it is a URL of ours");
    (parts.next().expect("it is a URL of ours"), which)
}

pub(crate) fn has_callback(instance: &Instance) -> bool {
    instance.configuration.get(ENABLED) == Some("true")
}

fn url(place: usize, which: usize) -> String {
    format!("https://receiver.example.com/{place}/{which}")
}

fn configuration(place: usize) -> Configuration {
    let mut configuration = Configuration::default();
    configuration.set("username", "api_key");
    configuration.set("event.vendor.type", "webhook");
    configuration.set(ENABLED, "true");
    configuration.set(URL, &url(place, 0));
    configuration
}
