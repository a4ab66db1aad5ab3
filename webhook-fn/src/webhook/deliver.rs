//! The protocol of a delivery: what is not on the bus yet is published, then recorded in the ledger.
//!
//! Poller-fn keeps the same ledger, so that a change which both channels report is published once. The proof of that runs this
//! code against models of the ledger and the bus.

use std::collections::HashSet;

use shared::event::Event;
use shared::event::bus::publication::Publication;
use shared::event::ledger_key::LedgerKey;
use shared::store::error::TableError;

/// The ledger and the bus.
pub trait Outlet {
    /// The keys that are recorded.
    fn recorded(
        &self,
        keys: &HashSet<LedgerKey>,
    ) -> impl Future<Output = Result<HashSet<LedgerKey>, TableError>>;

    /// Publishes events in their order.
    fn publish(&self, events: &[Event]) -> impl Future<Output = Publication>;

    /// Records keys.
    fn record(&self, keys: &HashSet<LedgerKey>) -> impl Future<Output = Result<(), TableError>>;
}

/// The result of a delivery.
#[derive(Debug)]
pub enum Delivered {
    /// All its events were on the bus before.
    Before,
    /// These were not, as far as the ledger knows.
    Now(Vec<Event>, Publication),
}

/// Publishes those of the events of one delivery that the ledger does not know, then records those that are on the bus. A
/// ledger that cannot be read knows nothing: better an event twice, with one id, than none. One that cannot be written makes
/// the delivery no failure.
pub async fn deliver(outlet: &impl Outlet, mut events: Vec<Event>) -> Delivered {
    let keys = events.iter().flat_map(Event::ledger_keys).collect();
    match outlet.recorded(&keys).await {
        Ok(recorded) => {
            events.retain(|event| !event.ledger_keys().any(|key| recorded.contains(&key)));
        }
        Err(error) => tracing::warn!(%error, "the ledger could not be read; publishing anyway"),
    }
    if events.is_empty() {
        return Delivered::Before;
    }
    let publication = outlet.publish(&events).await;
    let published = publication.published(&events);
    let keys: HashSet<_> = published.flat_map(Event::ledger_keys).collect();
    if !keys.is_empty()
        && let Err(error) = outlet.record(&keys).await
    {
        tracing::warn!(%error, "the ledger could not be written; a retry would publish again");
    }
    Delivered::Now(events, publication)
}
