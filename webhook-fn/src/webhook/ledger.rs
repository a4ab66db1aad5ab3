//! The ledger, which a webhook does not wait for.

use std::collections::HashSet;
use std::time::Duration;

use shared::event::Event;
use shared::event::bus::publication::{Fate, Publication};
use shared::event::id::EventId;

use crate::app::App;
use crate::http::call::Call;

/// The ledger is a convenience: Close must not wait for it.
const LEDGER_TIMEOUT: Duration = Duration::from_millis(1_200);

/// The events that are on the bus already. A ledger that cannot be read knows nothing: better an event twice, with one id, than none.
pub async fn recorded(app: &App, call: &Call<'_>, ids: &[EventId]) -> HashSet<EventId> {
    match tokio::time::timeout(
        LEDGER_TIMEOUT,
        app.ledger.recorded(ids, call.clock.started()),
    )
    .await
    {
        Ok(Ok(recorded)) => recorded,
        Ok(Err(error)) => {
            tracing::warn!(%error, "the ledger could not be read; publishing anyway");
            HashSet::new()
        }
        Err(_elapsed) => {
            tracing::warn!("the ledger did not answer in time; publishing anyway");
            HashSet::new()
        }
    }
}

/// Records what is on the bus, and nothing else. If that fails, the webhook is still done.
pub async fn record(app: &App, call: &Call<'_>, events: &[Event], publication: &Publication) {
    let fates = events.iter().zip(publication.fates());
    let published = fates.filter(|(_, fate)| **fate == Fate::Published);
    let ids = published.map(|(event, _)| event.id);
    match tokio::time::timeout(LEDGER_TIMEOUT, app.ledger.record(ids, call.clock.started())).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%error, "the ledger could not be written; a retry would publish again");
        }
        Err(_elapsed) => {
            tracing::warn!("the ledger did not answer in time; a retry would publish again");
        }
    }
}
