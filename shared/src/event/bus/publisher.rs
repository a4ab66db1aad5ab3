//! One publication: calls are made until each event has its fate, or the time is up.
//!
//! | refused | then |
//! |---|---|
//! | for a passing reason | the same is sent again, with backoff |
//! | an entry, for its content | the event's next form is sent: as text, then without what Close sent |
//! | a call as a whole, for its content or its size | it is halved, until the entry stands alone that is refused |
//! | an entry, for any other reason | its text is sent once; no more of its object is sent |
//! | a call as a whole, for any other reason | nothing more is sent: it would be refused alike |
//!
//! Order is kept for each object: a call holds at most one event of an object, and the next is made when this one is done
//! with.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use aws_sdk_eventbridge::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_eventbridge::operation::put_events::PutEventsError;
use aws_sdk_eventbridge::types::PutEventsResultEntry;
use tokio::time::Instant;

use super::client::BusClient;
use super::pending_entry::{Next, PendingEntry, to_calls};
use super::publication::{Fate, Publication};
use super::refusal::{self, Refusal};
use crate::event::Event;
use crate::function::aws;

const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const MAX_BACKOFF: Duration = Duration::from_secs(2);
const LATE: &str = "EventBridge did not answer in time";

/// A publication under way.
pub(super) struct Publisher<'a> {
    client: &'a BusClient,
    max_bytes: usize,
    deadline: Instant,
    /// Unpublished is who has no fate yet.
    fates: Vec<Fate>,
    reason: Option<String>,
    /// The objects of which an event is not on the bus that later ones must not overtake.
    blocked: HashSet<&'a str>,
    is_over: bool,
}

/// What a call leaves to do.
enum Rest<'a> {
    Send(Vec<PendingEntry<'a>>),
    SendLater(Vec<PendingEntry<'a>>),
    Halve(Vec<PendingEntry<'a>>),
}

impl<'a> Publisher<'a> {
    /// A publication of so many events or entries.
    pub(super) fn new(
        client: &'a BusClient,
        max_bytes: usize,
        count: usize,
        deadline: Instant,
    ) -> Self {
        Self {
            client,
            max_bytes,
            deadline,
            fates: vec![Fate::Unpublished; count],
            reason: None,
            blocked: HashSet::new(),
            is_over: false,
        }
    }

    /// What has become of each.
    pub(super) fn into_publication(self) -> Publication {
        Publication::new(self.fates, self.reason)
    }

    /// Sends pending entries, in their order for each object.
    pub(super) async fn send(&mut self, entries: impl IntoIterator<Item = PendingEntry<'a>>) {
        for call in to_calls(entries, self.max_bytes) {
            self.settle(call).await;
        }
    }

    /// Whether nothing more is to be sent.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Sends what is of one call until each entry has its fate.
    async fn settle(&mut self, mut call: Vec<PendingEntry<'a>>) {
        call.retain(|pending| !pending.object().is_some_and(|it| self.blocked.contains(it)));
        let mut calls = VecDeque::from([call]);
        let mut backoff = FIRST_BACKOFF;
        while let Some(call) = calls.pop_front() {
            if call.is_empty() {
                continue;
            }
            if self.is_over {
                return;
            }
            if self.deadline <= Instant::now() {
                return self.stop_late();
            }
            let rest = match self.put(call).await {
                Rest::Send(rest) => rest,
                Rest::SendLater(rest) => {
                    self.wait(&mut backoff).await;
                    rest
                }
                Rest::Halve(mut first) => {
                    let second = first.split_off(first.len() / 2);
                    calls.push_front(second);
                    first
                }
            };
            for call in to_calls(rest, self.max_bytes).into_iter().rev() {
                calls.push_front(call);
            }
        }
    }

    /// Sends nothing more.
    fn stop(&mut self, reason: &str) {
        self.is_over = true;
        self.reason = Some(reason.to_owned());
    }

    /// Sends nothing more. What EventBridge said last is the reason, if it said anything.
    fn stop_late(&mut self) {
        self.is_over = true;
        self.reason.get_or_insert_with(|| LATE.to_owned());
    }

    async fn wait(&mut self, backoff: &mut Duration) {
        let wait = backoff.mul_f64(0.5 + fastrand::f64() / 2.0);
        if self.deadline < Instant::now() + wait {
            return self.stop_late();
        }
        tokio::time::sleep(wait).await;
        *backoff = (*backoff * 2).min(MAX_BACKOFF);
    }

    /// Makes one call.
    async fn put(&mut self, call: Vec<PendingEntry<'a>>) -> Rest<'a> {
        let put = self.client.put(call.iter().map(|it| &it.entry));
        match tokio::time::timeout_at(self.deadline, put).await {
            Ok(Ok(output)) => self.sort_out(call, output.entries()),
            Ok(Err(error)) => self.refused(call, &error),
            Err(_elapsed) => {
                self.stop(LATE);
                Rest::Send(Vec::new())
            }
        }
    }

    /// What is left of a call that was answered. An entry without an answer is sent again.
    fn sort_out(
        &mut self,
        call: Vec<PendingEntry<'a>>,
        results: &[PutEventsResultEntry],
    ) -> Rest<'a> {
        let mut rest = Vec::new();
        let mut is_passing = false;
        for (number, pending) in call.into_iter().enumerate() {
            let result = results.get(number);
            let code = result.and_then(PutEventsResultEntry::error_code);
            let is_accepted = result.is_some_and(|it| it.event_id().is_some());
            match code.map(refusal::of_entry) {
                None if is_accepted => self.fates[pending.place] = Fate::Published,
                None | Some(Refusal::Passing) => {
                    self.reason = Some(code.unwrap_or("no answer for an entry").to_owned());
                    is_passing = true;
                    rest.push(pending);
                }
                Some(refusal) => {
                    let next = self.step_down(pending, refusal, code.unwrap_or_default());
                    rest.extend(next);
                }
            }
        }
        if is_passing {
            Rest::SendLater(rest)
        } else {
            Rest::Send(rest)
        }
    }

    /// What is left of a call that was refused as a whole, or not answered.
    fn refused(
        &mut self,
        mut call: Vec<PendingEntry<'a>>,
        error: &SdkError<PutEventsError>,
    ) -> Rest<'a> {
        let status = error.raw_response().map(|it| it.status().as_u16());
        let service = error.as_service_error();
        let code = service.and_then(|it| it.code());
        let message = service.and_then(|it| it.message());
        let reason = describe(status, error);
        match refusal::of_call(status, code, message) {
            Refusal::Passing => {
                self.reason = Some(reason);
                Rest::SendLater(call)
            }
            Refusal::Trouble => {
                self.stop(&reason);
                Rest::Send(Vec::new())
            }
            _ if 1 < call.len() => Rest::Halve(call),
            refusal => {
                let pending = call.pop();
                let next = pending.and_then(|it| self.step_down(it, refusal, &reason));
                Rest::Send(next.into_iter().collect())
            }
        }
    }

    /// What to send next of a refused entry, if anything.
    fn step_down(
        &mut self,
        pending: PendingEntry<'a>,
        refusal: Refusal,
        code: &str,
    ) -> Option<PendingEntry<'a>> {
        let (place, event) = (pending.place, pending.event());
        tracing::warn!(event.id = ?event.map(|event| event.id), code, "EventBridge refused an entry");
        match pending.next(refusal, self.max_bytes) {
            Next::Try(next) => return Some(next),
            Next::GiveUp => {
                self.fates[place] = Fate::Unpublishable;
                if let Some(event) = event {
                    report_unpublishable(event, code);
                }
            }
            Next::Leave => {
                self.reason = Some(code.to_owned());
                self.blocked
                    .extend(event.map(|it| it.change.own_id.as_str()));
            }
        }
        None
    }
}

/// What went wrong, with the status where AWS gave no code.
fn describe(status: Option<u16>, error: &SdkError<PutEventsError>) -> String {
    let text = aws::describe(error);
    match status.filter(|_| error.code().is_none()) {
        Some(status) => format!("{status}: {text}"),
        None => text,
    }
}

fn report_unpublishable(event: &Event, code: &str) {
    tracing::error!(
        event.id = %event.id,
        close.object_type = event.change.object_type,
        close.object_id = event.change.own_id,
        code,
        "event.unpublishable: EventBridge refused the event in every form; read the object at Close"
    );
}
