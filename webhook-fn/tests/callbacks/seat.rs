//! What one batch, or one tick, sees of the world, with what goes wrong in it; and whether it does what it may.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shared::instance::Instance;
use shared::instance::callback_state::CallbackChange;
use shared::instance::id::InstanceId;
use shared::store::error::TableError;
use tokio::time::sleep;
use webhook_fn::callback::attempt::{Attempt, CallbackRequest};
use webhook_fn::callback::message::{Message, Retry};
use webhook_fn::callback::outside::{Outside, PassOnError};
use webhook_fn::callback::reason::Reason;
use webhook_fn::callback::schedule;
use webhook_fn::callback::waits_table::{Waiting, WaitingCursor, WaitingPage};

use crate::history::{Fault, failed};
use crate::instance;
use crate::queue::Received;
use crate::trace::{ATTEMPTS, How, Trace};
use crate::world::{Called, Source, World};

/// A call takes up to twice so many milliseconds.
const LATENCY: u64 = 25;
/// A timeout spares others their attempt for so long, and they take a moment until they say so.
const RECALLED: SignedDuration = SignedDuration::from_secs(6);
/// While a circuit is open nothing was delivered for so long …
const OPEN: SignedDuration = SignedDuration::from_mins(5);
/// … but for what batches that began before have not noted yet.
const UNNOTED: SignedDuration = SignedDuration::from_secs(45);

/// What one invocation sees.
pub(crate) struct Seat<'a> {
    pub(crate) world: &'a World,
    messages: BTreeMap<&'a str, &'a Trace>,
    /// The events that may come once more if something goes wrong.
    touched: RefCell<BTreeSet<usize>>,
    /// The instances as they were read first.
    known: RefCell<BTreeMap<InstanceId, Option<Instance>>>,
    posted: RefCell<BTreeMap<usize, Attempt>>,
    has_crashed: Cell<bool>,
}

impl<'a> Seat<'a> {
    pub(crate) fn new(world: &'a World, received: &'a [Received]) -> Self {
        let messages = received
            .iter()
            .map(|one| (one.message.id.as_str(), &one.trace));
        let touched = received.iter().map(|one| one.trace.event).collect();
        Self {
            world,
            messages: messages.collect(),
            touched: RefCell::new(touched),
            known: RefCell::default(),
            posted: RefCell::default(),
            has_crashed: Cell::default(),
        }
    }

    /// Runs an invocation until it ends or crashes.
    pub(crate) async fn unless_crashed<T>(&self, invocation: impl Future<Output = T>) -> Option<T> {
        let mut invocation = pin!(invocation);
        let running = poll_fn(|context| match invocation.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending if self.has_crashed.get() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        running.await
    }

    /// Does what is asked for, unless something goes wrong.
    async fn call<T>(&self, work: impl FnOnce() -> T) -> Result<T, TableError> {
        sleep(Duration::from_millis(fastrand::u64(1..LATENCY))).await;
        let fault = self.world.next_fault();
        if fault == Some(Fault::CrashBefore) {
            self.crash().await;
        }
        let refused = || TableError::Unavailable("refused".to_owned());
        if fault == Some(Fault::Refused) {
            return Err(refused());
        }
        let result = work();
        match fault {
            Some(Fault::CrashAfter) => self.crash().await,
            Some(_) => {
                self.excuse();
                return Err(refused());
            }
            None => {}
        }
        sleep(Duration::from_millis(fastrand::u64(1..LATENCY))).await;
        Ok(result)
    }

    async fn crash(&self) {
        self.excuse();
        self.has_crashed.set(true);
        pending::<()>().await;
    }

    fn excuse(&self) {
        self.world.excuse(self.touched.borrow().iter().copied());
    }

    /// The URL that an instance's notifications are posted to.
    pub(crate) fn called(&self, id: InstanceId) -> Called {
        let known = self.known.borrow();
        let instance = known.get(&id).and_then(Option::as_ref);
        (id, instance.map_or(0, |instance| instance.callback_since))
    }

    fn trace(&self, message: &Message) -> Trace {
        let trace = self.messages.get(message.id.as_str());
        (*trace.expect("it is of the batch")).clone()
    }

    /// How an attempt has ended that is put off for this reason.
    fn how(&self, trace: &Trace, id: InstanceId, reason: Reason) -> How {
        let called = self.called(id);
        if reason == Reason::CircuitOpen {
            let is_wrong = self.world.history.is_faultless()
                && self.world.has_delivered(called, OPEN, UNNOTED);
            if is_wrong {
                let event = trace.event;
                self.world.violate(format!(
                    "event {event} was spared by a receiver that is there"
                ));
            }
            self.world.spared.set(self.world.spared.get() + 1);
            return How::Spared;
        }
        match self.posted.borrow().get(&trace.event) {
            Some(Attempt::Failed {
                reason: found,
                retry_after,
            }) if *found == reason => How::Failed(*retry_after),
            None if reason == Reason::Timeout && self.world.has_timed_out(called, RECALLED) => {
                How::Failed(None)
            }
            other => {
                let event = trace.event;
                self.world.violate(format!(
                    "event {event} is put off by {reason}, but {other:?}"
                ));
                How::Failed(None)
            }
        }
    }

    /// What is wrong with giving an event up, if anything is.
    fn objection(&self, trace: &Trace, reason: Reason) -> Option<String> {
        let id = instance::id(self.world.events.borrow()[trace.event].place);
        let known = self.known.borrow();
        let instance = known.get(&id).and_then(Option::as_ref);
        let last = self.posted.borrow().get(&trace.event).copied();
        let is_true = match reason {
            Reason::UnknownInstance => instance.is_none(),
            Reason::NoCallback => instance.is_some_and(|one| !instance::has_callback(one)),
            Reason::Gone => self.world.is_gone(self.called(id)),
            Reason::Status(_) | Reason::Timeout | Reason::ConnectionFailed => match last {
                Some(Attempt::Failed { reason: found, .. }) => {
                    found == reason && trace.attempts_with(How::Failed(None)) == ATTEMPTS
                }
                _ => false,
            },
            Reason::NotAnEvent
            | Reason::BadConfiguration
            | Reason::CircuitOpen
            | Reason::AddressNotAllowed => false,
        };
        (!is_true).then(|| format!("{trace:?} is given up by {reason}, but {last:?}"))
    }

    /// Moves an event to the retry queue.
    fn queue(&self, message: Message, trace: Trace, delay: SignedDuration) {
        match trace.hop() {
            Ok(trace) => {
                let seconds = delay.as_millis_f64() / 1_000.0;
                let delay = Duration::from_secs_f64(seconds.max(0.0).ceil());
                self.world.send(Source::Retries, message, trace, delay);
            }
            Err(violation) => self.world.violate(violation),
        }
    }

    /// Puts an event off in the retry queue, however long it has to wait.
    pub(crate) async fn put_off_in_queue(
        &self,
        message: &Message,
        id: InstanceId,
        retry: &Retry,
        reason: Reason,
        delay: SignedDuration,
    ) -> Result<(), PassOnError> {
        let Some(trace) = self.put_off_trace(message, id, reason) else {
            return Ok(());
        };
        let sending = self.call(|| self.queue(to_retry(message, retry), trace, delay));
        Ok(sending.await?)
    }

    fn put_off_trace(&self, message: &Message, id: InstanceId, reason: Reason) -> Option<Trace> {
        let trace = self.trace(message);
        let trace = trace.put_off(self.how(&trace, id, reason), self.world.now());
        trace
            .map_err(|violation| self.world.violate(violation))
            .ok()
    }

    pub(crate) fn waiting(&self, waiting: &Waiting) -> Trace {
        let trace = self.world.waits.borrow().trace(waiting).expect("it waits");
        self.touched.borrow_mut().insert(trace.event);
        trace
    }

    /// Moves an event that has waited to the retry queue.
    pub(crate) async fn send(
        &self,
        waiting: &Waiting,
        trace: Trace,
        delay: SignedDuration,
    ) -> Result<(), PassOnError> {
        let message = Message {
            id: String::new(),
            body: waiting.body.clone(),
            is_retry: true,
            attempts: waiting.attempts,
            first_failure: Some(waiting.first_failure),
            hops: 0,
        };
        Ok(self.call(|| self.queue(message, trace, delay)).await?)
    }

    pub(crate) async fn note_whatever_is_stored(
        &self,
        id: InstanceId,
        change: &CallbackChange,
    ) -> Result<(), TableError> {
        let instances = &self.world.instances;
        let note = || instances.borrow_mut().note_whatever_is_stored(id, change);
        let noted = self.call(note).await?;
        self.check_waiting(id);
        noted
    }

    fn check_waiting(&self, id: InstanceId) {
        let instance = self.world.instances.borrow().get(id);
        if instance.is_some_and(|instance| instance.callback.waiting < 0) {
            self.world
                .violate(format!("fewer than none of {id:?} wait"));
        }
    }
}

impl Outside for Seat<'_> {
    async fn instance(&self, id: InstanceId) -> Result<Option<Instance>, TableError> {
        let instance = self.call(|| self.world.instances.borrow().get(id)).await?;
        let mut known = self.known.borrow_mut();
        known.entry(id).or_insert_with(|| instance.clone());
        Ok(instance)
    }

    async fn note(&self, id: InstanceId, change: &CallbackChange) -> Result<(), TableError> {
        let instances = &self.world.instances;
        let noted = self
            .call(|| instances.borrow_mut().note(id, change))
            .await?;
        self.check_waiting(id);
        noted
    }

    async fn post(&self, request: CallbackRequest<'_>, _: Timestamp) -> Attempt {
        let event = event_of(&request);
        let url = request.callback.url.as_str();
        let reply = self.call(|| {
            let reply = self.world.reply(event, url);
            self.world
                .hand_over(event, &request.body, reply.1 == Attempt::Delivered);
            reply
        });
        let (after, attempt) = match reply.await {
            Ok(reply) => reply,
            Err(_) => (Duration::ZERO, failed(Reason::ConnectionFailed, None)),
        };
        sleep(after).await;
        let (place, _) = instance::place_of(url);
        self.world.tell(self.called(instance::id(place)), attempt);
        self.posted.borrow_mut().insert(event, attempt);
        attempt
    }

    async fn put_off(
        &self,
        message: &Message,
        id: InstanceId,
        retry: &Retry,
        reason: Reason,
        now: Timestamp,
    ) -> Result<(), PassOnError> {
        let delay = retry.due.duration_since(now);
        if !schedule::waits_in_table(message, delay) {
            let putting_off = self.put_off_in_queue(message, id, retry, reason, delay);
            return putting_off.await;
        }
        let Some(trace) = self.put_off_trace(message, id, reason) else {
            return Ok(());
        };
        let waits = &self.world.waits;
        let insert = || waits.borrow_mut().insert(message, id, retry, trace.wait());
        Ok(self.call(insert).await?)
    }

    async fn divert(&self, message: &Message, _: InstanceId) -> Result<(), PassOnError> {
        if message.is_retry {
            self.world
                .violate("what was in the retry queue goes there again".to_owned());
        }
        let diverted = Message {
            is_retry: true,
            ..message.clone()
        };
        let trace = self.trace(message);
        let diverting = self.call(|| self.queue(diverted, trace, SignedDuration::ZERO));
        Ok(diverting.await?)
    }

    async fn give_up(&self, message: &Message, reason: Reason) -> Result<(), PassOnError> {
        let trace = self.trace(message);
        if let Some(violation) = self.objection(&trace, reason) {
            self.world.violate(violation);
        }
        let events = &self.world.events;
        let end = || events.borrow_mut()[trace.event].ends += 1;
        Ok(self.call(end).await?)
    }

    async fn due(
        &self,
        shard: u64,
        until: Timestamp,
        _: Option<WaitingCursor>,
    ) -> Result<WaitingPage, TableError> {
        self.call(|| self.world.waits.borrow().due(shard, until))
            .await
    }

    async fn release(&self, waiting: &Waiting, delay: SignedDuration) -> Result<(), PassOnError> {
        let trace = self.waiting(waiting);
        self.send(waiting, trace, delay).await
    }

    async fn remove(&self, waiting: &Waiting) -> Result<(), TableError> {
        let removing = self.call(|| self.world.waits.borrow_mut().remove(waiting));
        let removed = removing.await;
        if removed.is_err() {
            self.excuse();
        }
        removed
    }
}

fn event_of(request: &CallbackRequest<'_>) -> usize {
    let id = request.signature.get("webhook-id").expect("it is there");
    let id = id.to_str().expect("it is a text");
    usize::from_str_radix(id, 16).expect("it is a number")
}

/// The message of the next attempt, whose times are stored as milliseconds.
fn to_retry(message: &Message, retry: &Retry) -> Message {
    let first_failure = retry.first_failure.as_millisecond();
    Message {
        id: String::new(),
        body: message.body.clone(),
        is_retry: true,
        attempts: retry.attempts,
        first_failure: Timestamp::from_millisecond(first_failure).ok(),
        hops: 0,
    }
}
