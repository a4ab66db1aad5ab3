//! Close's subscription and the instance's item, for the repair of a subscription. Every call can fail.

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
use shared::subscription::outside::{Outside, Webhooks};

use crate::close::webhooks::{listed, parsed};
use crate::seat::Seat;

/// The repair of whoever holds the lease.
pub(crate) struct Repair<'a> {
    pub(crate) seat: &'a Seat,
    pub(crate) lease: &'a Lease,
    pub(crate) clock: &'a Clock,
}

impl Webhooks for Seat {
    async fn webhooks(&self, _: Account<'_>) -> Result<Vec<ListedSubscription>, CloseError> {
        let all = self.ask(|world| Ok(world.webhooks.borrow().list()));
        let all = all.await?.body.into_iter();
        Ok(all.filter_map(|one| parsed(&one)).collect())
    }

    async fn webhook(&self, _: Account<'_>, id: &str) -> Result<Option<Subscription>, CloseError> {
        let id = id.to_owned();
        let found = self.ask(move |world| Ok(world.webhooks.borrow().read(&id)));
        Ok(found.await?.body.and_then(|one| parsed(&one)))
    }

    async fn create_webhook(
        &self,
        _: Account<'_>,
        url: &str,
        events: &[SubscribedEvent],
    ) -> Result<CreatedSubscription, CloseError> {
        let (url, events) = (url.to_owned(), events.to_vec());
        let made = self
            .ask(move |world| world.webhooks.borrow_mut().create(&url, &events))
            .await?;
        parsed(&made.body).ok_or_else(|| CloseError::Unavailable("not read".to_owned()))
    }

    async fn set_webhook(
        &self,
        _: Account<'_>,
        id: &str,
        wanted: &Wanted<'_>,
    ) -> Result<Option<Vec<ListedEvent>>, CloseError> {
        let (id, url, events) = (id.to_owned(), wanted.url.to_owned(), wanted.events.to_vec());
        let status = wanted.status;
        let set = self.ask(move |world| {
            let wanted = Wanted {
                url: &url,
                events: &events,
                status,
            };
            Ok(world.webhooks.borrow_mut().set(&id, &wanted))
        });
        Ok(set.await?.body.map(|events| listed(&events)))
    }

    async fn delete_webhook(&self, _: Account<'_>, id: &str) -> Result<(), CloseError> {
        let id = id.to_owned();
        let deleted = self.ask(move |world| {
            world.webhooks.borrow_mut().delete(&id);
            Ok(())
        });
        deleted.await.map(drop)
    }
}

impl Outside for Repair<'_> {
    type Close = Seat;

    fn close(&self) -> &Self::Close {
        self.seat
    }

    async fn get(&self, _: InstanceId) -> Result<Option<Instance>, TableError> {
        let read = self.seat.call(|world| world.store.borrow().instance());
        let read = read.await;
        read.map(Some)
            .map_err(|fault| TableError::Unavailable(format!("{fault:?}")))
    }

    async fn store(&self, instance: &Instance, _: bool) -> Result<(), TableError> {
        let (lease, instance) = (self.lease.clone(), instance.clone());
        self.seat
            .write(move |world| world.store.borrow_mut().replace(&lease, &instance))
            .await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
