//! What happened, in order, with a way to wait for it.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::sync::{mpsc, watch};

/// An append-only record. Waiting is by notification, so a test never sleeps.
#[derive(Debug)]
pub struct Journal<T> {
    state: Mutex<State<T>>,
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct State<T> {
    items: Vec<Arc<T>>,
    /// Above this the oldest half goes, so that a stack may run for days.
    limit: usize,
    subscribers: Vec<mpsc::UnboundedSender<Arc<T>>>,
}

impl<T> Journal<T> {
    /// An empty journal that keeps about `limit` items.
    pub fn new(limit: usize) -> Self {
        Self {
            state: Mutex::new(State {
                items: Vec::new(),
                limit,
                subscribers: Vec::new(),
            }),
            changed: watch::Sender::new(()),
        }
    }

    /// Appends `item` and wakes whoever waits.
    pub fn push(&self, item: T) {
        self.push_shared(Arc::new(item));
    }

    /// The same for an item that others hold too.
    pub(crate) fn push_shared(&self, item: Arc<T>) {
        {
            let mut state = self.lock();
            let sent =
                |subscriber: &mpsc::UnboundedSender<_>| subscriber.send(item.clone()).is_ok();
            state.subscribers.retain(sent);
            if state.limit <= state.items.len() {
                let half = state.items.len() / 2;
                state.items.drain(..half);
            }
            state.items.push(item);
        }
        self.changed.send_replace(());
    }

    /// Everything up to now.
    pub fn snapshot(&self) -> Vec<Arc<T>> {
        self.lock().items.clone()
    }

    /// Forgets everything up to now.
    pub fn clear(&self) {
        self.lock().items.clear();
    }

    /// Everything from now on.
    pub fn subscribe(&self) -> mpsc::UnboundedReceiver<Arc<T>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.lock().subscribers.push(sender);
        receiver
    }

    /// Waits until `enough` accepts what the journal holds, and returns that.
    ///
    /// # Errors
    /// If that does not happen within `timeout`; the message lists what was there.
    pub async fn wait_for(
        &self,
        timeout: Duration,
        enough: impl Fn(&[Arc<T>]) -> bool,
    ) -> Result<Vec<Arc<T>>>
    where
        T: Debug,
    {
        let mut changed = self.changed.subscribe();
        let waiting = async {
            loop {
                changed.mark_unchanged();
                let items = self.snapshot();
                if enough(&items) {
                    return items;
                }
                // The sender lives as long as `self`, so this cannot fail.
                let _ = changed.changed().await;
            }
        };
        if let Ok(items) = tokio::time::timeout(timeout, waiting).await {
            return Ok(items);
        }
        let items = self.snapshot();
        let count = items.len();
        bail!("not within {timeout:?}; there were {count}: {items:#?}")
    }

    /// Waits until the journal holds at least `count` items.
    ///
    /// # Errors
    /// If that does not happen within `timeout`.
    pub async fn wait_for_count(&self, count: usize, timeout: Duration) -> Result<Vec<Arc<T>>>
    where
        T: Debug,
    {
        self.wait_for(timeout, |items| count <= items.len()).await
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_waiter_sees_what_comes_later() -> Result<()> {
        let journal = Arc::new(Journal::new(usize::MAX));
        let writer = journal.clone();
        let waiting = journal.wait_for(SOON, |items| items.iter().any(|item| **item == 2));
        let (seen, ()) = tokio::join!(waiting, async move {
            writer.push(1);
            tokio::task::yield_now().await;
            writer.push(2);
        });
        assert_eq!(seen?.len(), 2);
        Ok(())
    }

    #[tokio::test]
    async fn a_wait_in_vain_lists_what_was_there() {
        let journal = Journal::new(usize::MAX);
        journal.push("only this");
        let error = journal.wait_for_count(2, Duration::ZERO).await;
        let error = error.expect_err("too few");
        assert!(error.to_string().contains("only this"), "{error}");
    }

    #[test]
    fn the_oldest_half_goes_above_the_limit() {
        let journal = Journal::new(4);
        (0..5).for_each(|number| journal.push(number));
        let kept: Vec<_> = journal.snapshot().iter().map(|item| **item).collect();
        assert_eq!(kept, [2, 3, 4]);
    }
}
