//! An instance's subscription, as a poll that holds the lease repairs it.

use jiff::Timestamp;
use shared::close::client::CloseClient;
use shared::function::clock::Clock;
use shared::instance::Instance;
use shared::instance::id::InstanceId;
use shared::store::error::TableError;
use shared::store::instances::lease::Lease;
use shared::subscription::outside::Outside;

use crate::app::App;

/// Close and the table, for the holder of a lease.
#[derive(Debug)]
pub struct Held<'a> {
    /// Close and the tables.
    pub app: &'a App,
    /// The right to poll the instance.
    pub lease: &'a Lease,
    /// The time.
    pub clock: &'a Clock,
}

impl Outside for Held<'_> {
    type Close = CloseClient;

    fn close(&self) -> &Self::Close {
        &self.app.close
    }

    async fn get(&self, id: InstanceId) -> Result<Option<Instance>, TableError> {
        self.app.instances.get(id).await
    }

    /// Whether the instance is polled stays as it is: only its owner changes that.
    async fn store(&self, instance: &Instance, _is_polled: bool) -> Result<(), TableError> {
        self.app
            .instances
            .replace_subscription(self.lease, instance)
            .await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
