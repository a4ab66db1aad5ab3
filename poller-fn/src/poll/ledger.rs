//! The ledger, in which webhook-fn and the poller find each other's events.

use std::collections::HashSet;

use jiff::SignedDuration;
use shared::event::Event;
use shared::event::bus::publication::Publication;
use shared::event::ledger_key::LedgerKey;
use shared::store::error::TableError;
use tokio::time::{Instant, timeout_at};

use crate::error::PollError;
use crate::outside::Outside;
use crate::poll::job::Job;
use crate::poll::judge::{Judged, Needed};
use crate::poll::worker::Worker;

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
        let heeds_ledger = |record: &&mut Judged| job.targets[record.target].backfill.is_none();
        let new = judged.iter_mut().filter(heeds_ledger);
        let new: Vec<_> = new
            .filter_map(|record| Some((record.keys()?, record)))
            .collect();
        let keys: HashSet<_> = new.iter().flat_map(|(keys, _)| keys.clone()).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let recorded = self.recorded(&keys).await?;
        for (keys, record) in new {
            if keys.iter().any(|key| recorded.contains(key)) {
                record.event = Needed::Recorded;
                self.summary.duplicates += 1;
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
                self.ledger_unread_since = None;
                self.stream.ledger_unread_since = None;
                Ok(recorded)
            }
            Err(error) => {
                let since = *self.ledger_unread_since.get_or_insert(now);
                self.stream.ledger_unread_since = Some(since);
                if now.duration_since(since) < PATIENCE {
                    return Err(PollError::Ledger(error));
                }
                tracing::warn!(instance.id = %session.instance.id, %error, "the ledger could not be read; publishing anyway");
                Ok(HashSet::new())
            }
        }
    }

    /// Records the events that are on the bus. Where that fails, a webhook that Close retries publishes its event once more.
    /// No write goes beyond `end`, for the commit comes next.
    pub(super) async fn record(&self, events: &[Event], publication: &Publication, end: Instant) {
        let published = publication.published(events);
        let keys: HashSet<_> = published.flat_map(Event::ledger_keys).collect();
        if keys.is_empty() || !self.settings.keeps_ledger() {
            return;
        }
        let session = self.session;
        let record = session.outside.record(&keys, session.clock.now());
        let late = || TableError::Unavailable("there was no time to write all".to_owned());
        let recorded = timeout_at(end, record).await;
        if let Err(error) = recorded.unwrap_or_else(|_elapsed| Err(late())) {
            tracing::warn!(instance.id = %session.instance.id, %error, "the ledger could not be written; a webhook would publish again");
        }
    }
}

impl Judged {
    /// The ledger keys of the record's event, if the record needs an event and is not a twin.
    fn keys(&self) -> Option<Vec<LedgerKey>> {
        match &self.event {
            Needed::Event(event) => Some(event.ledger_keys().collect()),
            Needed::None | Needed::Twin(_) | Needed::Recorded | Needed::Sent(_) => None,
        }
    }
}
