//! What an instance's subscription is made of: what Close has, and what is stored.

use jiff::Timestamp;

use crate::close::client::{Account, CloseClient};
use crate::close::error::CloseError;
use crate::close::webhook::{
    CreatedSubscription, ListedEvent, ListedSubscription, SubscribedEvent, Subscription, Wanted,
};
use crate::instance::Instance;
use crate::instance::id::InstanceId;
use crate::store::error::TableError;

/// Close's webhook subscriptions. Of a call that failed nobody knows whether it was done.
pub trait Webhooks {
    /// All subscriptions of the organization.
    fn webhooks(
        &self,
        account: Account<'_>,
    ) -> impl Future<Output = Result<Vec<ListedSubscription>, CloseError>>;

    /// A subscription, or nothing where Close has none of that id.
    fn webhook(
        &self,
        account: Account<'_>,
        id: &str,
    ) -> impl Future<Output = Result<Option<Subscription>, CloseError>>;

    /// Subscribes `url` to events.
    fn create_webhook(
        &self,
        account: Account<'_>,
        url: &str,
        events: &[SubscribedEvent],
    ) -> impl Future<Output = Result<CreatedSubscription, CloseError>>;

    /// Makes a subscription what it should be. Returns what it covers then, if Close has it.
    fn set_webhook(
        &self,
        account: Account<'_>,
        id: &str,
        wanted: &Wanted<'_>,
    ) -> impl Future<Output = Result<Option<Vec<ListedEvent>>, CloseError>>;

    /// Removes a subscription, if Close has it.
    fn delete_webhook(
        &self,
        account: Account<'_>,
        id: &str,
    ) -> impl Future<Output = Result<(), CloseError>>;
}

/// Close, the Instances table and the time. Of a call that failed nobody knows whether it was done.
pub trait Outside {
    /// The client of Close, or its model.
    type Close: Webhooks;

    /// Close.
    fn close(&self) -> &Self::Close;

    /// The instance as it is stored now, if there is one.
    fn get(&self, id: InstanceId) -> impl Future<Output = Result<Option<Instance>, TableError>>;

    /// Stores an instance over the one that `instance` was made from: a [`TableError::Conflict`] where somebody else has changed
    /// or removed that one.
    fn store(
        &self,
        instance: &Instance,
        is_polled: bool,
    ) -> impl Future<Output = Result<(), TableError>>;

    /// The time.
    fn now(&self) -> Timestamp;
}

impl Webhooks for CloseClient {
    async fn webhooks(&self, account: Account<'_>) -> Result<Vec<ListedSubscription>, CloseError> {
        self.webhooks(account).await
    }

    async fn webhook(
        &self,
        account: Account<'_>,
        id: &str,
    ) -> Result<Option<Subscription>, CloseError> {
        self.webhook(account, id).await
    }

    async fn create_webhook(
        &self,
        account: Account<'_>,
        url: &str,
        events: &[SubscribedEvent],
    ) -> Result<CreatedSubscription, CloseError> {
        self.create_webhook(account, url, events).await
    }

    async fn set_webhook(
        &self,
        account: Account<'_>,
        id: &str,
        wanted: &Wanted<'_>,
    ) -> Result<Option<Vec<ListedEvent>>, CloseError> {
        self.set_webhook(account, id, wanted).await
    }

    async fn delete_webhook(&self, account: Account<'_>, id: &str) -> Result<(), CloseError> {
        self.delete_webhook(account, id).await
    }
}
