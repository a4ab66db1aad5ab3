//! An instance's subscription, as a poll that holds the lease repairs it.

use jiff::Timestamp;
use shared::close::client::Account;
use shared::close::error::CloseError;
use shared::close::webhook::{
    CreatedSubscription, ListedEvent, ListedSubscription, SubscribedEvent, Subscription, Wanted,
};
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
    async fn webhooks(&self, account: Account<'_>) -> Result<Vec<ListedSubscription>, CloseError> {
        self.app.close.webhooks(account).await
    }

    async fn webhook(
        &self,
        account: Account<'_>,
        id: &str,
    ) -> Result<Option<Subscription>, CloseError> {
        self.app.close.webhook(account, id).await
    }

    async fn create_webhook(
        &self,
        account: Account<'_>,
        url: &str,
        events: &[SubscribedEvent],
    ) -> Result<CreatedSubscription, CloseError> {
        self.app.close.create_webhook(account, url, events).await
    }

    async fn set_webhook(
        &self,
        account: Account<'_>,
        id: &str,
        wanted: &Wanted<'_>,
    ) -> Result<Option<Vec<ListedEvent>>, CloseError> {
        self.app.close.set_webhook(account, id, wanted).await
    }

    async fn delete_webhook(&self, account: Account<'_>, id: &str) -> Result<(), CloseError> {
        self.app.close.delete_webhook(account, id).await
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
