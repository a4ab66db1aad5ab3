//! What a request reaches of a subscription: Close, the table and the time.

use jiff::Timestamp;
use shared::close::client::CloseClient;
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
    type Close = CloseClient;

    fn close(&self) -> &Self::Close {
        &self.app.close
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
