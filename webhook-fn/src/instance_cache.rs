//! The instances that webhooks came for lately.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared::instance::Instance;
use shared::instance::id::InstanceId;
use shared::instance::settings::Settings;
use tokio::time::Instant;

/// A change made through another sandbox takes this long to be noticed by this one.
const MAX_AGE: Duration = Duration::from_mins(1);
/// Instances kept, usually of a few KB each.
const CAPACITY: usize = 1_000;
/// Bytes of their configurations, which take a few times as many when they are read. A function has 128 MB or more.
const MAX_BYTES: usize = 8 * 1024 * 1024;

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
pub struct InstanceCache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    known: HashMap<InstanceId, (Instant, Arc<Known>)>,
    /// Of their configurations.
    bytes: usize,
}

impl InstanceCache {
    /// The instance, if it was read within the last minute.
    pub fn get(&self, id: InstanceId) -> Option<Remembered> {
        let kept = self.lock();
        let (read_at, known) = kept.known.get(&id)?;
        let age = read_at.elapsed();
        (age < MAX_AGE).then(|| Remembered {
            known: Arc::clone(known),
            age,
        })
    }

    /// Keeps an instance that was just read.
    pub fn insert(&self, entry: Arc<Known>) {
        let mut kept = self.lock();
        kept.remove(entry.instance.id);
        let bytes = size(&entry);
        if CAPACITY <= kept.known.len() || MAX_BYTES < kept.bytes + bytes {
            *kept = Kept::default();
        }
        kept.bytes += bytes;
        kept.known
            .insert(entry.instance.id, (Instant::now(), entry));
    }

    /// Forgets an instance that is about to change, or that was read anew.
    pub fn remove(&self, id: InstanceId) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn remove(&mut self, id: InstanceId) {
        if let Some((_, entry)) = self.known.remove(&id) {
            self.bytes -= size(&entry);
        }
    }
}

fn size(known: &Known) -> usize {
    known.instance.configuration.size()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use shared::instance::Instance;
    use shared::instance::configuration::Configuration;
    use shared::instance::id::InstanceId;
    use shared::instance::settings::Settings;

    use super::{CAPACITY, InstanceCache, Known, MAX_BYTES};

    fn id(number: usize) -> InstanceId {
        u64::try_from(number).unwrap().try_into().unwrap()
    }

    fn known(number: usize, bytes: usize) -> Arc<Known> {
        let mut configuration = Configuration::default();
        configuration.set("username", "");
        let key = bytes - configuration.size();
        configuration.set("username", &"k".repeat(key));
        let settings = Settings::stored(&configuration).unwrap();
        let instance = Instance::new(id(number), "Test", configuration, Timestamp::UNIX_EPOCH);
        Arc::new(Known { instance, settings })
    }

    /// How many of `count` instances of this size are kept.
    fn kept(count: usize, bytes: usize) -> usize {
        let cache = InstanceCache::default();
        for number in 1..=count {
            cache.insert(known(number, bytes));
            assert!(cache.get(id(number)).is_some());
        }
        (1..=count)
            .filter(|number| cache.get(id(*number)).is_some())
            .count()
    }

    #[test]
    fn is_bounded_by_number_and_by_bytes() {
        assert_eq!(kept(CAPACITY, 100), CAPACITY);
        assert_eq!(kept(CAPACITY + 1, 100), 1);
        let quarter = MAX_BYTES / 4;
        assert_eq!(kept(4, quarter), 4);
        assert_eq!(kept(5, quarter), 1);
        assert_eq!(kept(4, quarter + 1), 1);
    }

    #[test]
    fn what_is_replaced_or_forgotten_counts_no_more() {
        let cache = InstanceCache::default();
        for _ in 0..10 {
            cache.insert(known(1, MAX_BYTES / 2));
        }
        cache.insert(known(2, MAX_BYTES / 2));
        cache.remove(id(1));
        cache.remove(id(1));
        cache.insert(known(3, MAX_BYTES / 2));
        assert!(cache.get(id(1)).is_none());
        assert!(cache.get(id(2)).is_some() && cache.get(id(3)).is_some());
    }
}
