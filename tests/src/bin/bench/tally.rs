//! Counting what happens, without keeping it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use local_stack::aws::eventbridge::event::Event;
use local_stack::control::journal::Journal;
use serde::Deserialize;
use tokio::sync::mpsc::UnboundedReceiver;

/// How often each thing happened, by what tells one from another.
#[derive(Debug)]
pub(crate) struct Tally<T, K> {
    happened: UnboundedReceiver<Arc<T>>,
    key: fn(&T) -> Result<K>,
    counts: HashMap<K, usize>,
}

/// Of the detail of an event about a change.
#[derive(Deserialize)]
struct Change {
    id: String,
}

impl Tally<Event, u128> {
    /// Of events about changes, by their ids.
    pub(crate) fn of_changes(events: &Journal<Event>) -> Self {
        Self::new(events, |event| {
            let change: Change = event.parse_detail()?;
            u128::from_str_radix(&change.id, 16).context(change.id)
        })
    }
}

impl<T, K: Eq + Hash> Tally<T, K> {
    /// Of what happens from now on.
    pub(crate) fn new(journal: &Journal<T>, key: fn(&T) -> Result<K>) -> Self {
        Self {
            happened: journal.subscribe(),
            key,
            counts: HashMap::new(),
        }
    }

    /// Counts while `work` goes on; all that happened until it is done is counted.
    ///
    /// # Errors
    /// If something has no key.
    pub(crate) async fn during<R>(&mut self, work: impl Future<Output = R>) -> Result<R> {
        tokio::pin!(work);
        let done = loop {
            tokio::select! {
                done = &mut work => break done,
                Some(one) = self.happened.recv() => self.count(&one)?,
            }
        };
        while let Ok(one) = self.happened.try_recv() {
            self.count(&one)?;
        }
        Ok(done)
    }

    /// How much happened.
    pub(crate) fn total(&self) -> usize {
        self.counts.values().sum()
    }

    /// How often each happened.
    pub(crate) fn counts(&self) -> &HashMap<K, usize> {
        &self.counts
    }

    fn count(&mut self, one: &T) -> Result<()> {
        *self.counts.entry((self.key)(one)?).or_default() += 1;
        Ok(())
    }
}
