//! What a poll touches: Close, the tables and the bus.
//!
//! The functions work on the real ones ([`App`]). The proof that no change is lost works on models of them, where
//! every call can fail, be delayed or be the last.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde_json::value::RawValue;
use shared::close::client::{Account, Answer};
use shared::close::error::CloseError;
use shared::close::page::{Page, Request};
use shared::event::Event;
use shared::event::bus::publication::Publication;
use shared::event::entry::PutEventsEntry;
use shared::event::ledger_key::LedgerKey;
use shared::function::clock::Clock;
use shared::instance::health::Health;
use shared::instance::id::InstanceId;
use shared::store::error::TableError;
use shared::store::instances::lease::{Acquired, Lease, PollEnd};
use shared::store::watermarks::{Commit, StoredResource};
use tokio::time::Instant;

use crate::app::App;
use crate::held::Held;

/// Close, the tables and the bus.
pub trait Outside {
    /// Takes the lease of an instance and reads the instance.
    fn acquire(
        &self,
        lease: &Lease,
        now: Timestamp,
        expires: Timestamp,
    ) -> impl Future<Output = Result<Acquired, TableError>>;

    /// Stores that the instance is suspended, if the lease is still held and nobody has changed the instance since it was
    /// taken.
    fn suspend(
        &self,
        lease: &Lease,
        health: &Health,
    ) -> impl Future<Output = Result<(), TableError>>;

    /// Gives the lease back, with what the poll leaves behind.
    fn release(
        &self,
        lease: &Lease,
        end: &PollEnd<'_>,
    ) -> impl Future<Output = Result<(), TableError>>;

    /// All that is stored of an instance, by resource.
    fn load(
        &self,
        id: InstanceId,
    ) -> impl Future<Output = Result<HashMap<String, StoredResource>, TableError>>;

    /// Stores a unit of work, if the lease is still held.
    fn commit(
        &self,
        lease: &Lease,
        commit: &Commit,
    ) -> impl Future<Output = Result<(), TableError>>;

    /// Removes what is stored of one resource.
    fn forget(
        &self,
        id: InstanceId,
        resource: &str,
        stored: &StoredResource,
    ) -> impl Future<Output = Result<(), TableError>>;

    /// Reads a page at Close.
    fn read(
        &self,
        account: Account<'_>,
        request: &Request,
    ) -> impl Future<Output = Result<Answer<Page>, CloseError>>;

    /// Reads an object at Close, by its path.
    fn object(
        &self,
        account: Account<'_>,
        path: &str,
    ) -> impl Future<Output = Result<Answer<Option<Box<RawValue>>>, CloseError>>;

    /// Asks Close whether the API key is good.
    fn probe(&self, account: Account<'_>) -> impl Future<Output = Result<(), CloseError>>;

    /// The start of all webhook URLs, if the stack has the setting `PUBLIC_URL`.
    fn public_url(&self) -> Option<&str>;

    /// Gives the holder of a lease access to the subscription, at Close and in the table.
    fn subscriptions<'a>(
        &'a self,
        lease: &'a Lease,
        clock: &'a Clock,
    ) -> impl shared::subscription::outside::Outside + 'a;

    /// The keys that the ledger has.
    fn recorded(
        &self,
        keys: &HashSet<LedgerKey>,
        now: Timestamp,
    ) -> impl Future<Output = Result<HashSet<LedgerKey>, TableError>>;

    /// Records keys in the ledger.
    fn record(
        &self,
        keys: &HashSet<LedgerKey>,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), TableError>>;

    /// Publishes events in their order.
    fn publish(&self, events: &[Event], deadline: Instant) -> impl Future<Output = Publication>;

    /// Publishes what the poller itself has to say. Returns whether all of it is on the bus.
    fn notify(&self, entries: &[PutEventsEntry], deadline: Instant) -> impl Future<Output = bool>;
}

impl Outside for App {
    async fn acquire(
        &self,
        lease: &Lease,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<Acquired, TableError> {
        self.instances.acquire(lease, now, expires).await
    }

    async fn suspend(&self, lease: &Lease, health: &Health) -> Result<(), TableError> {
        self.instances.suspend(lease, health).await
    }

    async fn release(&self, lease: &Lease, end: &PollEnd<'_>) -> Result<(), TableError> {
        self.instances.release(lease, end).await
    }

    async fn load(&self, id: InstanceId) -> Result<HashMap<String, StoredResource>, TableError> {
        self.watermarks.load(id).await
    }

    async fn commit(&self, lease: &Lease, commit: &Commit) -> Result<(), TableError> {
        self.watermarks.commit(&self.instances, lease, commit).await
    }

    async fn forget(
        &self,
        id: InstanceId,
        resource: &str,
        stored: &StoredResource,
    ) -> Result<(), TableError> {
        self.watermarks.forget(id, resource, stored).await
    }

    async fn read(
        &self,
        account: Account<'_>,
        request: &Request,
    ) -> Result<Answer<Page>, CloseError> {
        self.close.read(account, request).await
    }

    async fn object(
        &self,
        account: Account<'_>,
        path: &str,
    ) -> Result<Answer<Option<Box<RawValue>>>, CloseError> {
        self.close.object(account, path).await
    }

    async fn probe(&self, account: Account<'_>) -> Result<(), CloseError> {
        self.close.probe(account).await
    }

    fn public_url(&self) -> Option<&str> {
        self.config.public_url.as_deref()
    }

    fn subscriptions<'a>(
        &'a self,
        lease: &'a Lease,
        clock: &'a Clock,
    ) -> impl shared::subscription::outside::Outside + 'a {
        Held {
            app: self,
            lease,
            clock,
        }
    }

    async fn recorded(
        &self,
        keys: &HashSet<LedgerKey>,
        now: Timestamp,
    ) -> Result<HashSet<LedgerKey>, TableError> {
        self.ledger.recorded(keys, now).await
    }

    async fn record(&self, keys: &HashSet<LedgerKey>, now: Timestamp) -> Result<(), TableError> {
        self.ledger.record(keys, now).await
    }

    async fn publish(&self, events: &[Event], deadline: Instant) -> Publication {
        self.bus.publish(events, deadline).await
    }

    async fn notify(&self, entries: &[PutEventsEntry], deadline: Instant) -> bool {
        let accepted = self.bus.publish_entries(entries, deadline).await;
        accepted.len() == entries.len()
    }
}
