//! Close, the tables and the bus, with the faults that are planned for an invocation.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use poller_fn::outside::Outside;
use serde_json::value::RawValue;
use shared::close::client::{Account, Answer};
use shared::close::error::CloseError;
use shared::close::page::{Page, Request};
use shared::event::Event;
use shared::event::bus::publication::{Fate, Publication};
use shared::event::entry::PutEventsEntry;
use shared::event::ledger_key::LedgerKey;
use shared::function::clock::Clock;
use shared::instance::health::Health;
use shared::instance::id::InstanceId;
use shared::store::error::TableError;
use shared::store::instances::lease::{Acquired, Lease, PollEnd};
use shared::store::watermarks::{Commit, StoredResource};
use tokio::time::{Instant, timeout_at};

use crate::bus::Bus;
use crate::history::{Fault, Trouble};
use crate::remembered;
use crate::repair::Repair;
use crate::seat::{Seat, table_error};

impl Outside for Seat {
    async fn acquire(
        &self,
        lease: &Lease,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<Acquired, TableError> {
        let lease = lease.clone();
        let acquired = self.call(move |world| {
            let acquired = world.store.borrow_mut().acquire(&lease, now, expires);
            (acquired, world.eras())
        });
        let (acquired, mut eras) = acquired.await.map_err(table_error)?;
        self.resources.replace(eras.pop().unwrap_or_default());
        self.era.set(eras.len());
        Ok(acquired)
    }

    async fn suspend(&self, lease: &Lease, health: &Health) -> Result<(), TableError> {
        let (lease, health) = (lease.clone(), health.clone());
        let result = self.call(move |world| world.store.borrow_mut().suspend(&lease, &health));
        result.await.map_err(table_error)?
    }

    async fn release(&self, lease: &Lease, end: &PollEnd<'_>) -> Result<(), TableError> {
        let (lease, health) = (lease.clone(), end.health.clone());
        let (next_poll_at, stream) = (end.next_poll_at, end.stream.cloned());
        let result = self
            .call(move |world| {
                let store = world.store.borrow();
                let objection = store.objection(next_poll_at, &health, world.now());
                drop(store);
                if let Some(what) = objection {
                    world.violate(what);
                }
                world.store.borrow_mut().release(&lease, &health, stream)
            })
            .await;
        result.map_err(table_error)?
    }

    async fn load(&self, _: InstanceId) -> Result<HashMap<String, StoredResource>, TableError> {
        let loaded = self.call(|world| world.store.borrow().load()).await;
        loaded.map_err(table_error)
    }

    async fn commit(&self, lease: &Lease, commit: &Commit) -> Result<(), TableError> {
        let (lease, commit) = (lease.clone(), commit.clone());
        self.write(move |world| {
            let objections = world.store.borrow().objections(&commit, world.now());
            world.store.borrow_mut().commit(&lease, &commit)?;
            let remembered = remembered::objection(world, &commit);
            for what in objections.into_iter().chain(remembered) {
                world.violate(what);
            }
            Ok(())
        })
        .await
    }

    async fn forget(
        &self,
        _: InstanceId,
        resource: &str,
        _: &StoredResource,
    ) -> Result<(), TableError> {
        let resource = resource.to_owned();
        self.write(move |world| {
            world.store.borrow_mut().forget(&resource);
            Ok(())
        })
        .await
    }

    async fn read(&self, _: Account<'_>, request: &Request) -> Result<Answer<Page>, CloseError> {
        let silence = self.world.is_silent.get().then_some(Trouble::Hangs);
        let trouble = silence.or_else(|| self.world.close.borrow().trouble(request));
        if let Some(trouble) = trouble {
            return Err(self.stumble(trouble).await);
        }
        self.lookups.borrow_mut().go_on();
        let asked = request.clone();
        let answer = self
            .ask(move |world| world.close.borrow_mut().read(&asked, world.now()))
            .await
            .map_err(|error| without_cursor(error, request));
        self.note(request, &answer);
        answer
    }

    async fn object(
        &self,
        _: Account<'_>,
        path: &str,
    ) -> Result<Answer<Option<Box<RawValue>>>, CloseError> {
        let lookup = self.lookups.borrow_mut().begin(path);
        let path = path.to_owned();
        let answer = self
            .ask(move |world| world.close.borrow().object(&path, world.now()))
            .await?;
        let mut lookups = self.lookups.borrow_mut();
        lookups.end(&lookup, answer.pause.is_some());
        Ok(answer)
    }

    async fn probe(&self, _: Account<'_>) -> Result<(), CloseError> {
        self.ask(|_| Ok(())).await.map(drop)
    }

    fn public_url(&self) -> Option<&str> {
        None
    }

    fn subscriptions<'a>(
        &'a self,
        lease: &'a Lease,
        clock: &'a Clock,
    ) -> impl shared::subscription::outside::Outside + 'a {
        Repair {
            seat: self,
            lease,
            clock,
        }
    }

    async fn recorded(
        &self,
        keys: &HashSet<LedgerKey>,
        _: Timestamp,
    ) -> Result<HashSet<LedgerKey>, TableError> {
        let keys = keys.clone();
        let recorded = self.call(move |world| world.ledger.borrow().known(&keys));
        recorded.await.map_err(table_error)
    }

    async fn record(&self, keys: &HashSet<LedgerKey>, _: Timestamp) -> Result<(), TableError> {
        let keys = keys.clone();
        let recorded = self.call(move |world| world.ledger.borrow_mut().record(keys));
        recorded.await.map_err(table_error)
    }

    async fn publish(&self, events: &[Event], deadline: Instant) -> Publication {
        if events.is_empty() {
            return Publication::default();
        }
        self.lookups.borrow_mut().go_on();
        let fates = self.fates(events);
        let (poll, taken, put_fates) = (self.number, events.to_vec(), fates.clone());
        let put = self.call(move |world| {
            if let Some(what) = Bus::objection(&taken) {
                world.violate(what);
            }
            let now = world.now();
            world.bus.borrow_mut().put(poll, &taken, &put_fates, now);
        });
        match timeout_at(deadline, put).await {
            Ok(Ok(())) => publication(fates),
            failed => {
                if !matches!(failed, Ok(Err(Fault::Fail))) {
                    self.excuse();
                }
                publication(vec![Fate::Unpublished; events.len()])
            }
        }
    }

    async fn notify(&self, entries: &[PutEventsEntry], _: Instant) -> bool {
        let said = entries.to_vec();
        let said = self
            .call(move |world| world.bus.borrow_mut().say(&said, world.now()))
            .await;
        said.is_ok()
    }
}

/// Only a request with a cursor can have one that expired.
fn without_cursor(error: CloseError, request: &Request) -> CloseError {
    match error {
        CloseError::ExpiredCursor if !request.has_cursor() => {
            CloseError::Unavailable("it has no cursor".to_owned())
        }
        other => other,
    }
}

fn publication(fates: Vec<Fate>) -> Publication {
    Publication::new(fates, Some("a fault".to_owned()))
}
