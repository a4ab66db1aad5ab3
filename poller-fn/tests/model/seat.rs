//! Where one invocation sits: all its calls go through here, and meet the faults that are planned for them.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use shared::close::client::Answer;
use shared::close::error::CloseError;
use shared::close::page::{Page, Request};
use shared::event::Event;
use shared::event::bus::publication::Fate;
use shared::store::error::TableError;
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::history::{Fault, Poll, Polled, Trouble};
use crate::lookups::Lookups;
use crate::reading::Reading;
use crate::world::World;

/// The calls of a poll, of which no history needs nearly as many.
const MAX_CALLS: usize = 5_000;
/// The calls of AWS are given up that take longer.
const AWS_PACE: Duration = Duration::from_secs(2);
/// How long Close's client waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The seat of one invocation.
pub(crate) struct Seat {
    pub(crate) world: Rc<World>,
    pub(crate) number: usize,
    plan: Poll,
    calls: Cell<usize>,
    has_crashed: Cell<bool>,
    is_excused: Cell<bool>,
    pub(crate) lookups: RefCell<Lookups>,
    /// The refusals that have been, by their place in the plan.
    refusals: RefCell<HashSet<usize>>,
    pub(crate) reading: RefCell<Reading>,
    /// The resources that are polled, and the number of the era.
    pub(crate) resources: RefCell<Vec<Polled>>,
    pub(crate) era: Cell<usize>,
}

impl Seat {
    pub(crate) fn new(world: Rc<World>, plan: Poll, started: Timestamp) -> Self {
        Self {
            number: world.next_poll(),
            world,
            plan,
            calls: Cell::new(0),
            has_crashed: Cell::new(false),
            is_excused: Cell::new(false),
            lookups: RefCell::default(),
            refusals: RefCell::default(),
            reading: RefCell::new(Reading::new(started)),
            resources: RefCell::default(),
            era: Cell::new(0),
        }
    }

    /// Whether the invocation has died: it never gets another answer.
    pub(crate) fn has_crashed(&self) -> bool {
        self.has_crashed.get()
    }

    /// Notes that what it published may have to be published again.
    pub(crate) fn excuse(&self) {
        self.is_excused.set(true);
    }

    /// Whether what it published may have to be published again.
    pub(crate) fn is_excused(&self) -> bool {
        self.is_excused.get()
    }

    /// Whether a fault is planned for it.
    pub(crate) fn is_troubled(&self) -> bool {
        !self.plan.faults.is_empty()
    }

    /// Whether it may leave out lookups, for one of them has failed.
    pub(crate) fn is_hampered(&self) -> bool {
        self.lookups.borrow().is_hampered()
    }

    /// The objects whose records it may publish without some of their custom fields.
    pub(crate) fn lacking(&self) -> HashSet<String> {
        self.lookups.borrow().lacking().clone()
    }

    /// A call: it takes its time, does its work and is answered, unless its fault is otherwise.
    ///
    /// # Errors
    /// The fault, where there is no answer.
    pub(crate) async fn call<T: 'static>(
        &self,
        work: impl FnOnce(&World) -> T + 'static,
    ) -> Result<T, Fault> {
        let fault = self.planned();
        self.count().await;
        let pace = self.plan.pace.min(AWS_PACE);
        sleep(pace / 2).await;
        match fault {
            Some(Fault::CrashBefore) => self.crash().await,
            Some(fault @ Fault::Late(seconds)) => {
                self.do_later(seconds, work);
                return Err(fault);
            }
            Some(fault @ Fault::Hang) => {
                sleep(TIMEOUT).await;
                return Err(fault);
            }
            Some(
                Fault::Stall(_)
                | Fault::Spend(_)
                | Fault::Partial(_)
                | Fault::Refusal(_)
                | Fault::CrashAfter
                | Fault::LoseAnswer,
            )
            | None => {}
            Some(fault) => return Err(fault),
        }
        self.let_happen();
        let answer = work(&self.world);
        match fault {
            Some(Fault::CrashAfter) => self.crash().await,
            Some(fault @ Fault::LoseAnswer) => return Err(fault),
            Some(Fault::Stall(seconds)) => sleep(Duration::from_secs(seconds.into())).await,
            _ => {}
        }
        sleep(pace / 2).await;
        Ok(answer)
    }

    /// The fault of the next call.
    fn planned(&self) -> Option<Fault> {
        let mut faults = self.plan.faults.iter();
        let planned = faults.find(|(call, _)| usize::from(*call) == self.calls.get());
        planned.map(|(_, fault)| *fault)
    }

    /// What the bus takes of the next publication, and what becomes of the rest: a refusal waits for one.
    fn planned_refusal(&self) -> (u8, Fate) {
        let mut done = self.refusals.borrow_mut();
        for (number, (call, fault)) in self.plan.faults.iter().enumerate() {
            let is_due = usize::from(*call) <= self.calls.get();
            let refusal = match fault {
                Fault::Partial(taken) => (*taken, Fate::Unpublished),
                Fault::Refusal(taken) => (*taken, Fate::Unpublishable),
                _ => continue,
            };
            if is_due && done.insert(number) {
                return refusal;
            }
        }
        (u8::MAX, Fate::Unpublished)
    }

    /// Counts a call. A poll that has made so many has lost its way, and is not waited for.
    async fn count(&self) {
        self.calls.set(self.calls.get() + 1);
        if MAX_CALLS < self.calls.get() {
            self.world.violate(format!(
                "poll {} makes {MAX_CALLS} calls and more",
                self.number
            ));
            self.crash().await;
        }
    }

    /// Lets happen what is to happen just before the work of this call.
    fn let_happen(&self) {
        let meanwhile = self.plan.meanwhile.iter();
        let now = meanwhile.filter(|(call, _)| usize::from(*call) + 1 == self.calls.get());
        now.for_each(|(_, act)| self.world.apply(act));
    }

    async fn crash(&self) {
        self.has_crashed.set(true);
        pending::<()>().await;
    }

    fn do_later<T: 'static>(&self, seconds: u16, work: impl FnOnce(&World) -> T + 'static) {
        let world = Rc::clone(&self.world);
        spawn_local(async move {
            sleep(Duration::from_secs(seconds.into())).await;
            work(&world);
        });
    }

    /// Asks Close.
    ///
    /// # Errors
    /// Close's, or the fault, where there is no answer.
    pub(crate) async fn ask<T: 'static>(
        &self,
        work: impl FnOnce(&World) -> Result<T, CloseError> + 'static,
    ) -> Result<Answer<T>, CloseError> {
        let pause = match self.planned() {
            Some(Fault::Spend(seconds)) => Some(Duration::from_secs(seconds.into())),
            _ => None,
        };
        sleep(self.plan.pace.saturating_sub(AWS_PACE)).await;
        let body = self.call(work).await.map_err(close_error)??;
        let date = whole_second(self.world.now());
        self.reading.borrow_mut().note_date(date);
        Ok(Answer {
            body,
            date: Some(date),
            pause,
        })
    }

    /// A call of a table whose work may have to be done again unless it is heard of.
    pub(crate) async fn write(
        &self,
        work: impl FnOnce(&World) -> Result<(), TableError> + 'static,
    ) -> Result<(), TableError> {
        let result = self.call(work).await;
        let result = result.map_err(table_error).and_then(|result| result);
        if result.is_err() {
            self.excuse();
        }
        result
    }

    /// Notes what a page shows.
    pub(crate) fn note(&self, request: &Request, answer: &Result<Answer<Page>, CloseError>) {
        let mut lookups = self.lookups.borrow_mut();
        match (request, answer) {
            (Request::Search(search), Ok(answer)) => lookups.note(search, &answer.body),
            (Request::Search(search), Err(CloseError::ExpiredCursor)) => {
                lookups.note_expired(search);
            }
            _ => {}
        }
        if let Ok(answer) = answer {
            let custom_fields = self.world.setup.quirks.custom_fields;
            let mut reading = self.reading.borrow_mut();
            reading.note(request, &answer.body, custom_fields);
        }
    }

    /// A call of an endpoint that never works.
    pub(crate) async fn stumble(&self, trouble: Trouble) -> CloseError {
        let fault = match trouble {
            Trouble::Fails => Fault::Fail,
            Trouble::Hangs => Fault::Hang,
            Trouble::Throttles(seconds) => Fault::Throttle(seconds),
        };
        if trouble == Trouble::Hangs {
            sleep(TIMEOUT).await;
        }
        close_error(self.call(|_| ()).await.err().unwrap_or(fault))
    }

    /// What becomes of events, unless the call fails as a whole.
    pub(crate) fn fates(&self, events: &[Event]) -> Vec<Fate> {
        let (taken, refused) = self.planned_refusal();
        let fate = |place: usize| match taken >> (place % 8) & 1 {
            1 => Fate::Published,
            _ => refused,
        };
        (0..events.len()).map(fate).collect()
    }
}

/// Close's `Date` has no fraction.
fn whole_second(time: Timestamp) -> Timestamp {
    let down = TimestampRound::new()
        .smallest(Unit::Second)
        .mode(RoundMode::Trunc);
    time.round(down).unwrap_or(time)
}

fn close_error(fault: Fault) -> CloseError {
    match fault {
        Fault::Throttle(seconds) => CloseError::RateLimited {
            wait: Duration::from_secs(seconds.into()),
        },
        Fault::ExpireCursor => CloseError::ExpiredCursor,
        Fault::Refuse => CloseError::Unauthorized { status: 401 },
        other => CloseError::Unavailable(format!("{other:?}")),
    }
}

/// What a table answers to a fault.
pub(crate) fn table_error(fault: Fault) -> TableError {
    TableError::Unavailable(format!("{fault:?}"))
}
