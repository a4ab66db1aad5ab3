//! All that callback-fn touches, as models of it, in virtual time.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shared::instance::id::InstanceId;
use tokio::sync::Notify;
use tokio::time::Instant;
use webhook_fn::callback::attempt::Attempt;
use webhook_fn::callback::message::Message;
use webhook_fn::callback::reason::Reason;

use crate::history::{Act, Fault, History, Reply, Step, epoch, failed};
use crate::instance::{self, Instances};
use crate::queue::{Queue, Received};
use crate::trace::Trace;
use crate::waits::Waits;

/// An instance and the version that set its callback URL.
pub(crate) type Called = (InstanceId, u64);

/// One of the queues that callback-fn takes messages from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    First,
    Retries,
}

/// The world.
pub(crate) struct World {
    began: Instant,
    pub(crate) history: History,
    pub(crate) instances: RefCell<Instances>,
    first: RefCell<Queue>,
    retries: RefCell<Queue>,
    pub(crate) waits: RefCell<Waits>,
    pub(crate) events: RefCell<Vec<Event>>,
    /// What callback-fn was told of each URL, and when.
    told: RefCell<BTreeMap<Called, Vec<(Timestamp, Attempt)>>>,
    faults: BTreeMap<usize, Fault>,
    calls: Cell<usize>,
    receipts: Cell<usize>,
    /// Batches that are handled now, and whether more will happen.
    pub(crate) busy: Cell<usize>,
    pub(crate) is_over: Cell<bool>,
    /// How often an open circuit has spared an event its attempts, and how often receivers were called.
    pub(crate) spared: Cell<usize>,
    pub(crate) posts: Cell<usize>,
    violations: RefCell<Vec<String>>,
    /// Something was put into a queue.
    news: Notify,
}

/// An event and what became of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Event {
    pub(crate) place: usize,
    pub(crate) is_task: bool,
    pub(crate) deliveries: usize,
    /// How often it was put into the dead-letter queue.
    pub(crate) ends: usize,
    /// How often something went wrong after which it may come once more.
    pub(crate) excuses: usize,
    posted: Option<String>,
}

impl World {
    pub(crate) fn new(history: &History) -> Self {
        Self {
            began: Instant::now(),
            instances: RefCell::new(Instances::new(&history.owners)),
            faults: history.faults.iter().copied().collect(),
            history: history.clone(),
            first: RefCell::default(),
            retries: RefCell::default(),
            waits: RefCell::default(),
            events: RefCell::default(),
            told: RefCell::default(),
            calls: Cell::default(),
            receipts: Cell::default(),
            busy: Cell::default(),
            is_over: Cell::default(),
            spared: Cell::default(),
            posts: Cell::default(),
            violations: RefCell::default(),
            news: Notify::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        epoch() + self.elapsed()
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// What goes wrong with this call.
    pub(crate) fn next_fault(&self) -> Option<Fault> {
        let call = self.calls.replace(self.calls.get() + 1);
        self.faults.get(&call).copied()
    }

    pub(crate) fn apply(&self, step: &Step) {
        let mut instances = self.instances.borrow_mut();
        match step.act {
            Act::Burst { leads, tasks } => {
                let kinds =
                    std::iter::repeat_n(false, leads).chain(std::iter::repeat_n(true, tasks));
                kinds.for_each(|is_task| self.publish(step.owner, is_task));
            }
            Act::PointTo(which) => instances.point(step.owner, which),
            Act::RemoveCallback => instances.remove_callback(step.owner),
            Act::RemoveInstance => instances.remove(step.owner),
        }
    }

    fn publish(&self, place: usize, is_task: bool) {
        let mut events = self.events.borrow_mut();
        let number = events.len();
        events.push(Event {
            place,
            is_task,
            ..Event::default()
        });
        let message = Message {
            id: String::new(),
            body: body(number, place, is_task, self.now()),
            is_retry: false,
            attempts: 0,
            first_failure: None,
            hops: 0,
        };
        self.send(Source::First, message, Trace::new(number), Duration::ZERO);
    }

    pub(crate) fn queue(&self, source: Source) -> &RefCell<Queue> {
        match source {
            Source::First => &self.first,
            Source::Retries => &self.retries,
        }
    }

    pub(crate) fn send(&self, source: Source, message: Message, trace: Trace, delay: Duration) {
        self.queue(source).borrow_mut().send(message, trace, delay);
        self.news.notify_waiters();
    }

    /// Some messages of a queue, as soon as there are any.
    pub(crate) async fn receive(&self, source: Source) -> Vec<Received> {
        loop {
            let news = self.news.notified();
            let received = self
                .queue(source)
                .borrow_mut()
                .receive(|trace| self.is_twice(trace));
            if !received.is_empty() {
                return received;
            }
            let next = self.queue(source).borrow().next();
            match next {
                Some(next) => drop(tokio::time::timeout_at(next, news).await),
                None => news.await,
            }
        }
    }

    /// Whether the message that is received now stays visible.
    fn is_twice(&self, trace: &Trace) -> bool {
        let receipt = self.receipts.replace(self.receipts.get() + 1);
        let is_twice = self.history.twice.contains(&receipt);
        if is_twice {
            self.excuse([trace.event]);
        }
        is_twice
    }

    /// How a URL answers now.
    pub(crate) fn reply(&self, event: usize, url: &str) -> Reply {
        let (place, which) = instance::place_of(url);
        let is_task = self.events.borrow()[event].is_task;
        self.history.owners[place].receivers[which].reply(is_task, self.elapsed())
    }

    /// A receiver was handed an event.
    pub(crate) fn hand_over(&self, event: usize, body: &str, is_taken: bool) {
        self.posts.set(self.posts.get() + 1);
        let mut events = self.events.borrow_mut();
        let event = &mut events[event];
        event.deliveries += usize::from(is_taken);
        let first = event.posted.get_or_insert_with(|| body.to_owned());
        if first != body {
            self.violate(format!("`{body}` was `{first}` before"));
        }
    }

    /// callback-fn is told how an attempt has ended.
    pub(crate) fn tell(&self, called: Called, attempt: Attempt) {
        let mut told = self.told.borrow_mut();
        told.entry(called).or_default().push((self.now(), attempt));
    }

    pub(crate) fn has_delivered(
        &self,
        called: Called,
        from: SignedDuration,
        to: SignedDuration,
    ) -> bool {
        self.was_told(called, from, to, |attempt| attempt == Attempt::Delivered)
    }

    pub(crate) fn has_timed_out(&self, called: Called, within: SignedDuration) -> bool {
        let timeout = failed(Reason::Timeout, None);
        self.was_told(called, within, SignedDuration::ZERO, |attempt| {
            attempt == timeout
        })
    }

    pub(crate) fn is_gone(&self, called: Called) -> bool {
        let gone = Attempt::Refused(Reason::Gone);
        let ever = SignedDuration::MAX;
        self.was_told(called, ever, SignedDuration::ZERO, |attempt| {
            attempt == gone
        })
    }

    /// Whether it was told so in a span of time before now.
    fn was_told(
        &self,
        called: Called,
        from: SignedDuration,
        to: SignedDuration,
        is_so: impl Fn(Attempt) -> bool,
    ) -> bool {
        let now = self.now();
        let told = self.told.borrow();
        let mut told = told.get(&called).into_iter().flatten().rev();
        told.any(|(time, attempt)| {
            let ago = now.duration_since(*time);
            to <= ago && ago <= from && is_so(*attempt)
        })
    }

    pub(crate) fn excuse(&self, events: impl IntoIterator<Item = usize>) {
        let mut all = self.events.borrow_mut();
        let events: BTreeSet<_> = events.into_iter().collect();
        for event in events {
            all[event].excuses += 1;
        }
    }

    /// Whether nothing will happen any more.
    pub(crate) fn is_quiet(&self) -> bool {
        self.is_over.get()
            && self.busy.get() == 0
            && self.first.borrow().is_empty()
            && self.retries.borrow().is_empty()
            && self.waits.borrow().is_empty()
    }

    /// Notes that something happened that never may.
    pub(crate) fn violate(&self, what: String) {
        self.violations.borrow_mut().push(what);
    }

    /// The first that happened of what never may.
    pub(crate) fn violation(&self) -> Option<String> {
        let loses_one = self.first.borrow().loses_one() || self.retries.borrow().loses_one();
        let lost = loses_one.then(|| "a message was received too often".to_owned());
        self.violations.borrow().first().cloned().or(lost)
    }
}

/// The event as EventBridge delivers it. Its id is its number.
fn body(number: usize, place: usize, is_task: bool, now: Timestamp) -> String {
    let (object, id) = (
        if is_task { "task.lead" } else { "lead" },
        instance::id(place),
    );
    format!(
        r#"{{"source":"closeio","time":"{now:.0}","detail":{{"id":"{number:032x}","instanceId":{id},"instanceName":"Test","instanceTags":["Test"],"elementKey":"closeio","objectType":"{object}","objectId":"x_{number}","eventType":"UPDATED","date":"{now}","channel":"webhook","callback":true,"raw":{{"id":"x_{number}"}}}}}}"#
    )
}
