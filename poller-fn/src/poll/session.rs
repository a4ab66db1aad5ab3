//! What one poll of one instance works with.

use jiff::{SignedDuration, Timestamp};
use shared::function::clock::Clock;
use shared::instance::Instance;
use shared::instance::id::InstanceId;
use shared::store::error::TableError;
use shared::store::instances::lease::{Acquired, Lease};
use shared::store::watermarks::Commit;

use crate::error::PollError;
use crate::outside::Outside;

/// No page is begun in the last seconds of an invocation: there must be time to publish and to commit it.
const MARGIN: SignedDuration = SignedDuration::from_secs(10);
/// A lease outlives its invocation by what clocks may differ. It is never renewed.
const LEASE_MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// One poll's hold of an instance.
#[derive(Debug)]
pub struct Session<'a, O> {
    /// Close, the tables and the bus.
    pub outside: &'a O,
    /// The instance, as it was when the lease was taken.
    pub instance: Box<Instance>,
    /// The right to poll it.
    pub lease: Lease,
    /// The time.
    pub clock: &'a Clock,
    /// When nothing more is begun.
    pub stop_at: Timestamp,
}

impl<'a, O: Outside> Session<'a, O> {
    /// Takes the lease, unless another poll has it, or the instance is not polled.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn begin(
        outside: &'a O,
        id: InstanceId,
        clock: &'a Clock,
        deadline: Timestamp,
    ) -> Result<Option<Self>, PollError> {
        let token = random_token()?;
        let lease = Lease { id, token };
        let expires = deadline.saturating_add(LEASE_MARGIN).unwrap_or(deadline);
        match outside.acquire(&lease, clock.now(), expires).await? {
            Acquired::Held(instance) => Ok(Some(Self {
                outside,
                instance,
                lease,
                clock,
                stop_at: deadline.saturating_sub(MARGIN).unwrap_or(deadline),
            })),
            Acquired::ByAnother | Acquired::NotPolled => Ok(None),
        }
    }

    /// Stores a unit of work.
    ///
    /// # Errors
    /// When the lease is lost, or the table does not answer.
    pub async fn commit(&self, commit: &Commit) -> Result<(), PollError> {
        Ok(self.outside.commit(&self.lease, commit).await?)
    }
}

fn random_token() -> Result<String, PollError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| PollError::Table(TableError::Unavailable(error.to_string())))?;
    Ok(hex::encode(bytes))
}
