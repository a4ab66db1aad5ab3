//! The subscription of an instance that has none: nobody asks for it.

use jiff::Timestamp;
use shared::close::client::Account;
use shared::close::error::CloseError;
use shared::close::webhook::{
    CreatedSubscription, ListedEvent, ListedSubscription, SubscribedEvent, Subscription, Wanted,
};
use shared::instance::Instance;
use shared::instance::id::InstanceId;
use shared::store::error::TableError;
use shared::subscription::outside::Outside;

pub(crate) struct Unsubscribed;

fn nobody() -> CloseError {
    CloseError::Unavailable("the instance has no subscription".to_owned())
}

impl Outside for Unsubscribed {
    async fn webhooks(&self, _: Account<'_>) -> Result<Vec<ListedSubscription>, CloseError> {
        Err(nobody())
    }

    async fn webhook(&self, _: Account<'_>, _: &str) -> Result<Option<Subscription>, CloseError> {
        Err(nobody())
    }

    async fn create_webhook(
        &self,
        _: Account<'_>,
        _: &str,
        _: &[SubscribedEvent],
    ) -> Result<CreatedSubscription, CloseError> {
        Err(nobody())
    }

    async fn set_webhook(
        &self,
        _: Account<'_>,
        _: &str,
        _: &Wanted<'_>,
    ) -> Result<Option<Vec<ListedEvent>>, CloseError> {
        Err(nobody())
    }

    async fn delete_webhook(&self, _: Account<'_>, _: &str) -> Result<(), CloseError> {
        Err(nobody())
    }

    async fn get(&self, _: InstanceId) -> Result<Option<Instance>, TableError> {
        Ok(None)
    }

    async fn store(&self, _: &Instance, _: bool) -> Result<(), TableError> {
        Err(TableError::Conflict)
    }

    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}
