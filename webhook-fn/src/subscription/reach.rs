//! What a request reaches of a subscription: Close, the table and the time.

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
use shared::subscription::outside::Outside;

use crate::app::App;
use crate::http::call::Call;

/// Close, the table and the time, for one request.
#[derive(Debug)]
pub struct Reach<'a> {
    app: &'a App,
    clock: Clock,
    public_url: &'a str,
}

impl<'a> Reach<'a> {
    /// That of a request.
    pub fn of(app: &'a App, call: &'a Call<'_>) -> Self {
        Self {
            app,
            clock: call.clock,
            public_url: &call.public_url,
        }
    }
}

impl Outside for Reach<'_> {
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

    async fn store(&self, instance: &Instance, is_polled: bool) -> Result<(), TableError> {
        let now = self.now();
        let instance = &Instance {
            webhook_url: Some(instance.id.webhook_url(self.public_url)),
            ..instance.clone()
        };
        let stored = self.app.instances.replace(instance, is_polled, now).await;
        self.app.cache.remove(instance.id);
        stored
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
