//! Adapters that turn a right poller into a wrong one. A proof that does not notice proves nothing.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use poller_fn::outside::Outside;
use serde_json::value::RawValue;
use shared::close::client::{Account, Answer};
use shared::close::error::CloseError;
use shared::close::list::{List, Listed};
use shared::close::page::{Page, Request};
use shared::close::search::{Search, Selectors};
use shared::close::timestamp;
use shared::event::Event;
use shared::event::bus::publication::{Fate, Publication};
use shared::event::entry::PutEventsEntry;
use shared::event::id::EventId;
use shared::event::ledger_key::LedgerKey;
use shared::function::clock::Clock;
use shared::instance::health::Health;
use shared::instance::id::InstanceId;
use shared::json::path;
use shared::store::error::TableError;
use shared::store::instances::lease::{Acquired, Lease, PollEnd};
use shared::store::watermarks::{Commit, StoredResource};
use tokio::time::{Instant, sleep};

use crate::close::entry::version;
use crate::close::state::{MAX_LIMIT, TICK};
use crate::close::{render, requests};
use crate::history::Of;
use crate::seat::Seat;
use crate::strategy::Scale;

/// What a withheld publication may take.
const PATIENCE: Duration = Duration::from_mins(1);

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
    /// Counts an entry that came twice as published, whatever became of its event.
    SeenByItsTwin,
    /// Takes every refusal of the bus for one that is about the event.
    RefusedForGood,
    /// Begins each poll with a window of everything.
    WholeWindow,
    /// Has all wait for whoever is told to wait.
    WaitingTogether,
    /// Takes what a later batch shows of an object for the version that the first one showed.
    TornBatches,
    /// Where something goes wrong in a poll, loses the custom fields of its later batches.
    LostBatches,
    /// Once an object could not be looked up, loses the custom fields of later batches.
    LostBesideLookup,
    /// Reads no ledger.
    NoLedgerRead,
    /// Writes the ledger, and publishes then.
    LedgerBeforePublish,
    /// Reads the log up to now, though webhooks come.
    NoSettle,
    /// After a pause reconciles from now on.
    FromNowAfterPause,
    /// Where it has repaired the subscription, publishes nothing of what was missed.
    RepairWithoutRefill,
    /// Takes the entries of another instance for its own.
    KeyWithoutInstance,
}

impl Mutant {
    pub(crate) const ALL: [Self; 12] = [
        Self::StrictlyAfter,
        Self::CommitBeforePublish,
        Self::NothingSeen,
        Self::ByOffset,
        Self::NoLease,
        Self::SeenByItsTwin,
        Self::RefusedForGood,
        Self::WholeWindow,
        Self::WaitingTogether,
        Self::TornBatches,
        Self::LostBatches,
        Self::LostBesideLookup,
    ];

    /// Those that stories of webhooks show.
    pub(crate) const OF_THE_STREAM: [Self; 6] = [
        Self::NoLedgerRead,
        Self::LedgerBeforePublish,
        Self::NoSettle,
        Self::FromNowAfterPause,
        Self::RepairWithoutRefill,
        Self::KeyWithoutInstance,
    ];
}

impl Mutant {
    /// Which histories show it.
    pub(crate) fn scale(self) -> Scale {
        match self {
            Self::WholeWindow => Scale::Slow,
            Self::TornBatches | Self::LostBatches | Self::LostBesideLookup => Scale::Batched,
            _ => Scale::Small,
        }
    }
}

/// A seat with something wrong about it.
pub(crate) struct Mutated<'a> {
    seat: &'a Seat,
    mutant: Mutant,
    withheld: RefCell<Vec<Event>>,
    /// Where the poll began in a source, and what it was served of it.
    offsets: RefCell<HashMap<Of, (Request, usize)>>,
    /// The entries of the log that it was shown, and those that it was shown twice, as they are remembered.
    shown: RefCell<HashSet<EventId>>,
    twins: RefCell<Vec<u8>>,
    /// The dates of what first batches showed, by its id.
    dates: RefCell<HashMap<String, Box<RawValue>>>,
    has_repaired: Cell<bool>,
}

impl<'a> Mutated<'a> {
    pub(crate) fn new(seat: &'a Seat, mutant: Mutant) -> Self {
        Self {
            seat,
            mutant,
            withheld: RefCell::default(),
            offsets: RefCell::default(),
            shown: RefCell::default(),
            twins: RefCell::default(),
            dates: RefCell::default(),
            has_repaired: Cell::default(),
        }
    }

    /// Publishes what has been withheld.
    pub(crate) async fn finish(&self, deadline: Instant) {
        let events = self.withheld.take();
        drop(self.seat.publish(&events, deadline).await);
    }

    /// Whether the subscription delivers nothing.
    fn is_paused(&self) -> bool {
        let webhooks = self.seat.world.webhooks.borrow();
        let subscription = webhooks.subscription.as_ref();
        subscription.is_none_or(|found| !found.is_active)
    }

    /// Goes on where the last page ended, counted from where the first one began.
    async fn by_offset(
        &self,
        account: Account<'_>,
        request: &Request,
        source: Of,
    ) -> Result<Answer<Page>, CloseError> {
        let offset = self.offsets.borrow().get(&source).cloned();
        let (first, served) = offset.unwrap_or_else(|| (request.clone(), 0)); // The first has no cursor.
        let mut answer = self.seat.read(account, &longer(&first, served)).await?;
        let data = &mut answer.body.data;
        data.drain(..served.min(data.len()));
        let served = served + data.len();
        self.offsets.borrow_mut().insert(source, (first, served));
        Ok(answer)
    }
}

impl Mutated<'_> {
    async fn wait_and_read(
        &self,
        account: Account<'_>,
        request: &Request,
    ) -> Result<Answer<Page>, CloseError> {
        loop {
            match self.seat.read(account, request).await {
                Err(CloseError::RateLimited { wait }) => sleep(wait).await,
                answer => return answer,
            }
        }
    }

    /// Gives what later batches show the date that it had in the first one.
    fn tear(&self, selectors: &Selectors, page: &mut Page) {
        let Ok(empty) = shared::json::raw("{}") else {
            return;
        };
        for record in &mut page.data {
            let (Some(id), Some(date)) = (
                path::text_at(record, "id"),
                path::member(record, "date_updated").map(ToOwned::to_owned),
            ) else {
                continue;
            };
            if let Selectors::All(_) = selectors {
                self.dates.borrow_mut().insert(id, date);
                continue;
            }
            let dates = self.dates.borrow();
            let date = dates.get(&id).unwrap_or(&date);
            let members = path::members(record).into_iter();
            let members = members.map(|(key, value)| match key {
                r#""date_updated""# => (key, &**date),
                _ => (key, value),
            });
            *record = path::extended(&empty, members);
        }
    }

    /// Whether the custom fields of a batch are lost.
    fn is_lost(&self, selectors: &Selectors) -> bool {
        let is_later = matches!(selectors, Selectors::More(_));
        is_later
            && match self.mutant {
                Mutant::LostBatches => self.seat.is_troubled(),
                Mutant::LostBesideLookup => self.seat.is_hampered(),
                _ => false,
            }
    }

    fn note_twins(&self, page: &Page) {
        for entry in &page.data {
            let date =
                path::text_at(entry, "date_updated").and_then(|text| timestamp::parse(&text));
            let Some((id, date)) = version(entry).zip(date) else {
                continue;
            };
            if !self.shown.borrow_mut().insert(id) {
                let mut twins = self.twins.borrow_mut();
                twins.extend(id.0);
                twins.extend(date.as_microsecond().to_be_bytes());
            }
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

    async fn suspend(&self, lease: &Lease, health: &Health) -> Result<(), TableError> {
        self.seat.suspend(lease, health).await
    }

    async fn release(&self, lease: &Lease, end: &PollEnd<'_>) -> Result<(), TableError> {
        self.seat.release(lease, end).await
    }

    async fn load(&self, id: InstanceId) -> Result<HashMap<String, StoredResource>, TableError> {
        let mut loaded = self.seat.load(id).await?;
        for resource in loaded.values_mut() {
            match self.mutant {
                Mutant::NothingSeen => resource.chunks.clear(),
                Mutant::WholeWindow => {
                    if let Some(position) = &mut resource.position {
                        position.first_window_end = None;
                    }
                }
                Mutant::FromNowAfterPause if self.is_paused() => {
                    if let Some(position) = &mut resource.position {
                        position.watermark = self.seat.world.now().as_microsecond();
                    }
                }
                _ => {}
            }
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
        let mut commit = commit.clone();
        if let Some((_, ids)) = commit.put_chunks.last_mut() {
            ids.extend(self.twins.take());
        }
        self.seat.commit(lease, &commit).await?;
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
        match (request, self.mutant) {
            (Request::EventLog(_), Mutant::RepairWithoutRefill) if self.has_repaired.get() => {
                let answer = self.seat.read(account, request).await?;
                Ok(Answer {
                    body: Page::default(),
                    ..answer
                })
            }
            (_, Mutant::StrictlyAfter) => self.seat.read(account, &strictly_after(request)).await,
            (_, Mutant::ByOffset) => match by_keyset(request) {
                Some(source) => self.by_offset(account, request, source).await,
                None => self.seat.read(account, request).await,
            },
            (_, Mutant::WaitingTogether) => self.wait_and_read(account, request).await,
            (Request::Search(search), Mutant::TornBatches) => {
                let mut answer = self.seat.read(account, request).await?;
                self.tear(&search.selectors, &mut answer.body);
                Ok(answer)
            }
            (Request::Search(search), Mutant::LostBatches | Mutant::LostBesideLookup) => {
                let mut answer = self.seat.read(account, request).await?;
                if self.is_lost(&search.selectors) {
                    lose(&mut answer.body);
                }
                Ok(answer)
            }
            (Request::EventLog(_), Mutant::SeenByItsTwin) => {
                let answer = self.seat.read(account, request).await?;
                self.note_twins(&answer.body);
                Ok(answer)
            }
            _ => self.seat.read(account, request).await,
        }
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

    fn public_url(&self) -> Option<&str> {
        self.seat.public_url()
    }

    fn subscriptions<'a>(
        &'a self,
        lease: &'a Lease,
        clock: &'a Clock,
    ) -> impl shared::subscription::outside::Outside + 'a {
        self.has_repaired.set(self.is_paused());
        self.seat.subscriptions(lease, clock)
    }

    async fn recorded(
        &self,
        keys: &HashSet<LedgerKey>,
        now: Timestamp,
    ) -> Result<HashSet<LedgerKey>, TableError> {
        let recorded = self.seat.recorded(keys, now).await?;
        Ok(match self.mutant {
            Mutant::NoLedgerRead => HashSet::new(),
            Mutant::KeyWithoutInstance => {
                let ledger = self.seat.world.ledger.borrow();
                let is_known = |key: &&LedgerKey| ledger.knows_of_any(key);
                keys.iter().filter(is_known).cloned().collect()
            }
            _ => recorded,
        })
    }

    async fn record(&self, keys: &HashSet<LedgerKey>, now: Timestamp) -> Result<(), TableError> {
        self.seat.record(keys, now).await
    }

    async fn publish(&self, events: &[Event], deadline: Instant) -> Publication {
        match self.mutant {
            Mutant::CommitBeforePublish => {}
            Mutant::RefusedForGood => {
                let publication = self.seat.publish(events, deadline).await;
                let for_good = |fate: &Fate| match fate {
                    Fate::Unpublished => Fate::Unpublishable,
                    done => *done,
                };
                let fates = publication.fates().iter().map(for_good);
                return Publication::new(fates.collect(), None);
            }
            Mutant::LedgerBeforePublish => {
                let keys = events.iter().flat_map(Event::ledger_keys).collect();
                self.seat.world.ledger.borrow_mut().record(keys);
                return self.seat.publish(events, deadline).await;
            }
            _ => return self.seat.publish(events, deadline).await,
        }
        self.withheld.borrow_mut().extend_from_slice(events);
        Publication::new(vec![Fate::Published; events.len()], None)
    }

    async fn notify(&self, entries: &[PutEventsEntry], deadline: Instant) -> bool {
        self.seat.notify(entries, deadline).await
    }
}

/// Leaves of each record what tells its version.
fn lose(page: &mut Page) {
    for record in &mut page.data {
        *record = render::selected(record, &[], false);
    }
}

/// Asks for what was updated from the first moment of a stretch on, but for that moment.
fn strictly_after(request: &Request) -> Request {
    let mut request = request.clone();
    let updated = match &mut request {
        Request::Search(search) => &mut search.updated,
        Request::List(list) => &mut list.updated,
        Request::EventLog(page) => &mut page.updated,
        Request::CustomFields(_) => return request,
    };
    updated.from = updated.from.map(|from| from + TICK);
    request
}

/// What a request goes through by keyset, if it does.
fn by_keyset(request: &Request) -> Option<Of> {
    let is_plain = match request {
        Request::Search(search) => search.updated.before.is_none(),
        Request::List(list) => {
            list.objects == Listed::Opportunities && list.updated.before.is_none()
        }
        Request::EventLog(_) | Request::CustomFields(_) => false,
    };
    is_plain.then(|| requests::of(request))
}

/// The same with so many more on the page, as far as Close allows.
fn longer(request: &Request, more: usize) -> Request {
    let mut request = request.clone();
    if let Request::Search(Search { limit, .. }) | Request::List(List { limit, .. }) = &mut request
    {
        let more = u16::try_from(more).unwrap_or(u16::MAX);
        *limit = limit.saturating_add(more).min(MAX_LIMIT);
    }
    request
}
