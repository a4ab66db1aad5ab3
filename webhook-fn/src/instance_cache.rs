//! The instances that webhooks came for lately.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use shared::instance::Instance;
use shared::instance_id::InstanceId;
use shared::settings::Settings;
use std::sync::Arc;
use tokio::time::Instant;

/// A change made through another sandbox takes this long to be noticed by this one.
const MAX_AGE: Duration = Duration::from_mins(1);
/// Instances kept, a few KB each.
const CAPACITY: usize = 1_000;

/// An instance and what its configuration means.
#[derive(Debug)]
pub struct Known {
    /// As stored.
    pub instance: Instance,
    /// As read.
    pub settings: Settings,
}

/// An instance that was read a while ago.
#[derive(Debug)]
pub struct Remembered {
    /// As it was read.
    pub known: Arc<Known>,
    /// How long ago.
    pub age: Duration,
}

/// Instances by id, none older than a minute.
#[derive(Debug, Default)]
pub struct InstanceCache {
    known: Mutex<HashMap<InstanceId, (Instant, Arc<Known>)>>,
}

impl InstanceCache {
    /// The instance, if it was read within the last minute.
    pub fn get(&self, id: InstanceId) -> Option<Remembered> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (read_at, known) = known.get(&id)?;
        let age = read_at.elapsed();
        (age < MAX_AGE).then(|| Remembered {
            known: Arc::clone(known),
            age,
        })
    }

    /// Keeps an instance that was just read.
    pub fn insert(&self, entry: Arc<Known>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if CAPACITY <= known.len() {
            known.clear();
        }
        known.insert(entry.instance.id, (Instant::now(), entry));
    }

    /// Forgets an instance that is about to change.
    pub fn remove(&self, id: InstanceId) {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
    }
}
