//! The ledger, in which webhook-fn and the poller find each other's events.

use std::collections::HashSet;

use jiff::SignedDuration;
use shared::event::Event;
use shared::event::bus::publication::Fate;
use shared::event::ledger_key::LedgerKey;
use shared::store::error::TableError;

use crate::error::PollError;
use crate::outside::Outside;
use crate::poll::job::Job;
use crate::poll::judge::{Judged, Needed};
use crate::poll::worker::Worker;

/// Entries of one call, each with two keys: `BatchGetItem` takes a hundred.
const ENTRIES: usize = 50;
/// How long nothing is published for want of the ledger. Then an event twice, with one id, is better than one that comes too late.
const PATIENCE: SignedDuration = SignedDuration::from_mins(15);

impl<O: Outside> Worker<'_, O> {
    /// Leaves out the events that are on the bus by a webhook. A backfill publishes what is there again.
    ///
    /// # Errors
    /// When the ledger cannot be read, and has not been so for long.
    pub async fn leave_out_recorded(
        &mut self,
        job: &Job<'_>,
        judged: &mut [Judged],
    ) -> Result<(), PollError> {
        if !self.settings.keeps_ledger() {
            return Ok(());
        }
        let mut new: Vec<_> = judged
            .iter_mut()
            .filter(|record| job.targets[record.target].backfill.is_none())
            .filter_map(|record| Some((record.keys()?, record)))
            .collect();
        for entries in new.chunks_mut(ENTRIES) {
            let keys = entries.iter().flat_map(|(keys, _)| keys.clone()).collect();
            let recorded = self.recorded(&keys).await?;
            for (keys, record) in entries {
                if keys.iter().any(|key| recorded.contains(key)) {
                    record.event = Needed::Recorded;
                    self.summary.duplicates += 1;
                }
            }
        }
        Ok(())
    }

    async fn recorded(
        &mut self,
        keys: &HashSet<LedgerKey>,
    ) -> Result<HashSet<LedgerKey>, PollError> {
        let (session, now) = (self.session, self.session.clock.now());
        match session.outside.recorded(keys, now).await {
            Ok(recorded) => {
                self.stream.ledger_unread_since = None;
                Ok(recorded)
            }
            Err(error) => {
                let since = *self.stream.ledger_unread_since.get_or_insert(now);
                if now.duration_since(since) < PATIENCE {
                    return Err(PollError::Ledger(error));
                }
                tracing::warn!(instance.id = %session.instance.id, %error, "the ledger could not be read; publishing anyway");
                Ok(HashSet::new())
            }
        }
    }

    /// Records the events that are on the bus. Where that fails, a webhook that Close retries publishes its event once more.
    pub(super) async fn record(&self, events: &[Event], fates: &[Fate]) {
        let published = events.iter().zip(fates);
        let published = published.filter(|(_, fate)| **fate == Fate::Published);
        let keys: HashSet<_> = published
            .flat_map(|(event, _)| event.ledger_keys())
            .collect();
        if keys.is_empty() || !self.settings.keeps_ledger() {
            return;
        }
        let session = self.session;
        let recorded: Result<(), TableError> =
            session.outside.record(&keys, session.clock.now()).await;
        if let Err(error) = recorded {
            tracing::warn!(instance.id = %session.instance.id, %error, "the ledger could not be written; a webhook would publish again");
        }
    }
}

impl Judged {
    /// The keys of the event that the record needs, if it needs one of its own.
    fn keys(&self) -> Option<Vec<LedgerKey>> {
        match &self.event {
            Needed::Event(event) => Some(event.ledger_keys().collect()),
            Needed::None | Needed::Twin(_) | Needed::Recorded | Needed::Sent(_) => None,
        }
    }
}
