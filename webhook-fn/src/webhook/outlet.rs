//! The ledger, which a webhook does not wait for long, and the bus.

use std::collections::HashSet;
use std::time::Duration;

use jiff::SignedDuration;
use shared::event::Event;
use shared::event::bus::publication::Publication;
use shared::event::ledger_key::LedgerKey;
use shared::store::error::TableError;

use super::deliver::Outlet;
use crate::app::App;
use crate::http::call::Call;

/// The time that publishing leaves for the ledger and the answer.
const ANSWER_MARGIN: SignedDuration = SignedDuration::from_secs(3);
/// The ledger is a convenience: Close must not wait for it.
const LEDGER_TIMEOUT: Duration = Duration::from_millis(1_200);

/// The function's own ledger and bus, for one webhook.
pub struct AppOutlet<'a> {
    /// The tables and the bus.
    pub app: &'a App,
    /// The request, which has a deadline.
    pub call: &'a Call<'a>,
}

impl Outlet for AppOutlet<'_> {
    async fn recorded(&self, keys: &HashSet<LedgerKey>) -> Result<HashSet<LedgerKey>, TableError> {
        in_time(self.app.ledger.recorded(keys, self.call.clock.started())).await
    }

    async fn publish(&self, events: &[Event]) -> Publication {
        let call = self.call;
        let stop_at = call.deadline.saturating_sub(ANSWER_MARGIN);
        let stop_at = call.clock.instant_at(stop_at.unwrap_or(call.deadline));
        let bus = self.app.bus.traced(call.trace_header);
        let publication = bus.publish(events, stop_at).await;
        let counts = publication.counts();
        tracing::info!(
            published = counts.published,
            unpublishable = counts.unpublishable,
            unpublished = counts.unpublished,
            "the events of a webhook were sent"
        );
        publication
    }

    async fn record(&self, keys: &HashSet<LedgerKey>) -> Result<(), TableError> {
        in_time(self.app.ledger.record(keys, self.call.clock.started())).await
    }
}

async fn in_time<T>(call: impl Future<Output = Result<T, TableError>>) -> Result<T, TableError> {
    let late = || TableError::Unavailable("it did not answer in time".to_owned());
    let answer = tokio::time::timeout(LEDGER_TIMEOUT, call).await;
    answer.unwrap_or_else(|_elapsed| Err(late()))
}
