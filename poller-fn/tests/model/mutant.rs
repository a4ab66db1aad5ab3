//! Adapters that turn a right poller into a wrong one. A proof that does not notice proves nothing.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use poller_fn::outside::Outside;
use serde_json::value::RawValue;
use shared::close::client::{Account, Answer};
use shared::close::error::CloseError;
use shared::close::list::List;
use shared::close::page::{Page, Request};
use shared::event::{Entry, Event};
use shared::event_bus::{PublishError, Published};
use shared::health::Health;
use shared::instance_id::InstanceId;
use shared::instance_table::{Acquired, Lease};
use shared::table::TableError;
use shared::watermark_table::{Commit, StoredResource};
use tokio::time::Instant;

use crate::close::TICK;
use crate::seat::Seat;

/// What a withheld publication may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Asks for what is dated after a moment, not from that moment on.
    StrictlyAfter,
    /// Commits a unit, and publishes it then.
    CommitBeforePublish,
    /// Remembers nothing of what it published.
    NothingSeen,
    /// Goes on by offset from where the poll began.
    ByOffset,
    /// Polls whoever else does.
    NoLease,
}

/// A seat with something wrong about it.
pub(crate) struct Mutated<'a> {
    seat: &'a Seat,
    mutant: Mutant,
    withheld: RefCell<Vec<Event>>,
    /// Where the poll began, and what it has been served.
    offset: RefCell<Option<(List, usize)>>,
}

impl<'a> Mutated<'a> {
    pub(crate) fn new(seat: &'a Seat, mutant: Mutant) -> Self {
        Self {
            seat,
            mutant,
            withheld: RefCell::default(),
            offset: RefCell::default(),
        }
    }

    /// Publishes what has been withheld.
    pub(crate) async fn finish(&self, deadline: Instant) {
        let events = self.withheld.take();
        drop(self.seat.publish(&events, deadline).await);
    }

    fn request(&self, request: &Request) -> Request {
        let mut request = request.clone();
        match (&mut request, self.mutant) {
            (Request::Search(search), Mutant::StrictlyAfter) => {
                search.updated.from = search.updated.from.map(|from| from + TICK);
            }
            (Request::List(list), Mutant::StrictlyAfter) => {
                list.updated.from = list.updated.from.map(|from| from + TICK);
            }
            (Request::EventLog(page), Mutant::StrictlyAfter) => {
                page.updated.from = page.updated.from.map(|from| from + TICK);
            }
            (Request::List(list), Mutant::ByOffset) => self.shift(list),
            _ => {}
        }
        request
    }

    fn shift(&self, list: &mut List) {
        let mut offset = self.offset.borrow_mut();
        let (first, served) = offset.get_or_insert_with(|| (list.clone(), 0));
        if first.objects == list.objects && list.updated.before.is_none() {
            *list = List {
                skip: *served,
                ..first.clone()
            };
        }
    }

    fn count(&self, page: &Page) {
        if let Some((_, served)) = self.offset.borrow_mut().as_mut() {
            *served += page.data.len();
        }
    }
}

impl Outside for Mutated<'_> {
    async fn acquire(
        &self,
        lease: &Lease,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<Acquired, TableError> {
        if self.mutant != Mutant::NoLease {
            return self.seat.acquire(lease, now, expires).await;
        }
        let instance = self
            .seat
            .call(|world| world.store.borrow().instance())
            .await;
        let instance = instance.map_err(|fault| TableError::Unavailable(format!("{fault:?}")))?;
        Ok(Acquired::Held(Box::new(instance)))
    }

    async fn release(
        &self,
        lease: &Lease,
        next_poll_at: Timestamp,
        health: &Health,
    ) -> Result<(), TableError> {
        self.seat.release(lease, next_poll_at, health).await
    }

    async fn load(&self, id: InstanceId) -> Result<HashMap<String, StoredResource>, TableError> {
        let mut loaded = self.seat.load(id).await?;
        if self.mutant == Mutant::NothingSeen {
            loaded
                .values_mut()
                .for_each(|resource| resource.chunks.clear());
        }
        Ok(loaded)
    }

    async fn commit(&self, lease: &Lease, commit: &Commit) -> Result<(), TableError> {
        if self.mutant == Mutant::NoLease {
            let commit = commit.clone();
            let put = move |world: &crate::world::World| {
                world.store.borrow_mut().put(&commit);
                Ok(())
            };
            return self.seat.write(put).await;
        }
        self.seat.commit(lease, commit).await?;
        let events = self.withheld.take();
        let published = self.seat.publish(&events, Instant::now() + PATIENCE).await;
        drop(published);
        Ok(())
    }

    async fn forget(
        &self,
        id: InstanceId,
        resource: &str,
        stored: &StoredResource,
    ) -> Result<(), TableError> {
        self.seat.forget(id, resource, stored).await
    }

    async fn read(
        &self,
        account: Account<'_>,
        request: &Request,
    ) -> Result<Answer<Page>, CloseError> {
        let answer = self.seat.read(account, &self.request(request)).await?;
        self.count(&answer.body);
        Ok(answer)
    }

    async fn object(
        &self,
        account: Account<'_>,
        path: &str,
    ) -> Result<Answer<Option<Box<RawValue>>>, CloseError> {
        self.seat.object(account, path).await
    }

    async fn probe(&self, account: Account<'_>) -> Result<(), CloseError> {
        self.seat.probe(account).await
    }

    async fn publish(
        &self,
        events: &[Event],
        deadline: Instant,
    ) -> Result<Published, PublishError> {
        if self.mutant != Mutant::CommitBeforePublish {
            return self.seat.publish(events, deadline).await;
        }
        self.withheld.borrow_mut().extend_from_slice(events);
        Ok(Published {
            published: events.len(),
            unpublishable: 0,
        })
    }

    async fn notify(&self, entry: Entry, deadline: Instant) -> bool {
        self.seat.notify(entry, deadline).await
    }
}
