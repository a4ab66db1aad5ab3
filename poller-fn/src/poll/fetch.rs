//! Asking Close with patience: what passes is tried again, as long as the invocation's time allows, and the others have
//! their turn meanwhile.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::value::RawValue;
use shared::close::client::{Account, Answer};
use shared::close::error::CloseError;
use shared::close::page::{Page, Request};
use tokio::time::Instant;

use crate::error::PollError;
use crate::outside::Outside;
use crate::poll::session::Session;

/// Consecutive failures of one walk or of one endpoint that are retried. A 429 does not count as a failure.
const MAX_FAILURES: u32 = 3;
const FIRST_BACKOFF: Duration = Duration::from_millis(500);

/// A failure that took so long was no answer: a Close that hangs, and not one that says what is wrong.
const HANGING: Duration = Duration::from_secs(10);
/// After so long without an answer, more than one request and less than two, a poll asks no endpoint again that did not answer:
/// a poll holds one of the account's concurrent executions, of which there may be ten.
const MAX_SILENCE: Duration = Duration::from_secs(45);

/// However soon Close says that its limit is reset.
const MIN_WAIT: Duration = Duration::from_millis(250);
/// How long looking up objects may take for one unit: the other resources want their turn.
const LOOKING_UP: Duration = Duration::from_secs(30);
/// The rate limit of reading single objects.
const OBJECT: &str = "an object";

/// Close, as one poll asks it.
#[derive(Debug)]
pub struct Fetcher<'a, O> {
    session: &'a Session<'a, O>,
    account: Account<'a>,
    until: Cell<Timestamp>,
    /// How long before its start the poll ends.
    held_back: Duration,
    is_until_fixed: Cell<bool>,
    requests: Cell<u32>,
    rate_limited: Cell<u32>,
    endpoints: RefCell<HashMap<&'static str, Endpoint>>,
    /// How long requests took since the last one that Close answered.
    silence: Cell<Duration>,
}

/// The state of one Close endpoint during a poll.
#[derive(Debug, Default)]
struct Endpoint {
    /// Until when its rate limit is used up.
    paused_until: Option<Timestamp>,
    /// Whether it did not answer when it was last asked.
    is_silent: bool,
    /// In a row, whoever asked.
    failures: u32,
    /// The last one.
    failure: String,
}

/// The failures of one walk, which is not asked for more before a backoff is over.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
    not_before: Option<Timestamp>,
}

impl<'a, O: Outside> Fetcher<'a, O> {
    /// A fetcher that begins no wait which would end after the session's `stop_at`, for a poll that ends `held_back` before its
    /// start.
    pub fn new(session: &'a Session<'a, O>, account: Account<'a>, held_back: Duration) -> Self {
        Self {
            session,
            account,
            until: Cell::new(before(session.clock.started(), held_back)),
            held_back,
            is_until_fixed: Cell::new(false),
            requests: Cell::new(0),
            rate_limited: Cell::new(0),
            endpoints: RefCell::default(),
            silence: Cell::default(),
        }
    }

    /// Where this poll ends: its start, less what is held back, by the earlier of our clock and, from its first answer on,
    /// Close's.
    pub fn until(&self) -> Timestamp {
        self.until.get()
    }

    /// Requests made.
    pub fn requests(&self) -> u32 {
        self.requests.get()
    }

    /// Of these, how many Close answered with 429.
    pub fn rate_limited(&self) -> u32 {
        self.rate_limited.get()
    }

    /// A page of what changed; nothing where a wait comes first, which [`Self::ready_at`] tells.
    ///
    /// # Errors
    /// Permanent failures, and transient ones that outlast the retries or the deadline. Fails at once if the endpoint has failed
    /// too often in this poll.
    pub async fn read(
        &self,
        request: &Request,
        backoff: &mut Backoff,
    ) -> Result<Option<Page>, PollError> {
        let endpoint = request.path();
        self.check(endpoint)?;
        let ready_at = self.ready_at(Some(request), backoff);
        if self.session.stop_at <= ready_at {
            return Err(PollError::OutOfTime);
        }
        if self.session.clock.now() < ready_at {
            return Ok(None);
        }
        // Stop waiting at the deadline: the rest of the time is for storing when to go on.
        let end = self.session.clock.instant_at(self.session.stop_at);
        let ask = || self.session.outside.read(self.account, request);
        match self.ask(endpoint, end, ask).await {
            Ok(page) => {
                *backoff = Backoff::default();
                Ok(Some(page))
            }
            Err(PollError::Close(CloseError::RateLimited { .. })) => Ok(None),
            Err(PollError::Close(error @ CloseError::Unavailable(_)))
                if backoff.failures < MAX_FAILURES && self.check(endpoint).is_ok() =>
            {
                backoff.fail(&error, self.session.clock.now());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// When a walk may make its next request: the earliest moment there is, where it may do so now.
    pub fn ready_at(&self, request: Option<&Request>, backoff: &Backoff) -> Timestamp {
        let pause = request.and_then(|request| self.paused_until(request.path()));
        let ready = pause.max(backoff.not_before);
        let ready = ready.filter(|ready| self.session.clock.now() < *ready);
        ready.unwrap_or(Timestamp::MIN)
    }

    /// Waits until `time`, unless nothing is begun any more then.
    pub async fn sleep_until(&self, time: Timestamp) {
        if time < self.session.stop_at {
            tokio::time::sleep_until(self.session.clock.instant_at(time)).await;
        }
    }

    /// When looking up objects for a unit ends, if it begins now.
    pub fn end_of_lookups(&self) -> Instant {
        let session = self.session;
        (Instant::now() + LOOKING_UP).min(session.clock.instant_at(session.stop_at))
    }

    /// An object in its current form, or `None` if Close no longer has it. No request or wait goes beyond `end`.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn object(
        &self,
        path: &str,
        end: Instant,
    ) -> Result<Option<Box<RawValue>>, PollError> {
        let mut backoff = Backoff::default();
        loop {
            self.check(OBJECT)?;
            if let Some(wait) = self.paused_until(OBJECT).max(backoff.not_before) {
                let resume = self.session.clock.instant_at(wait);
                if end <= resume {
                    return Err(PollError::OutOfTime);
                }
                tokio::time::sleep_until(resume).await;
            }
            let ask = || self.session.outside.object(self.account, path);
            match self.ask(OBJECT, end, ask).await {
                Err(PollError::Close(CloseError::RateLimited { .. })) => {}
                Err(PollError::Close(error @ CloseError::Unavailable(_))) => {
                    backoff.fail(&error, self.session.clock.now());
                }
                answer => return answer,
            }
        }
    }

    /// Asks once, and notes what that tells of the endpoint: one that uses up all the time there is, is not asked again.
    async fn ask<T, F>(
        &self,
        endpoint: &'static str,
        end: Instant,
        ask: impl Fn() -> F,
    ) -> Result<T, PollError>
    where
        F: Future<Output = Result<Answer<T>, CloseError>>,
    {
        self.requests.set(self.requests.get() + 1);
        let asked = Instant::now();
        let answer = tokio::time::timeout_at(end, ask()).await;
        let is_silent = matches!(answer, Err(_) | Ok(Err(CloseError::Unavailable(_))));
        self.note_silence(asked.elapsed(), is_silent);
        let mut endpoints = self.endpoints.borrow_mut();
        let known = endpoints.entry(endpoint).or_default();
        known.is_silent = is_silent;
        let Ok(answer) = answer else {
            known.failures = MAX_FAILURES + 1;
            "Close did not answer in time".clone_into(&mut known.failure);
            return Err(PollError::OutOfTime);
        };
        match answer {
            Ok(answer) => {
                self.note_date(answer.date);
                (known.failures, known.paused_until) = (0, self.after(answer.pause));
                Ok(answer.body)
            }
            Err(error) => {
                match &error {
                    CloseError::RateLimited { wait } => {
                        self.rate_limited.set(self.rate_limited.get() + 1);
                        known.paused_until = self.after(Some((*wait).max(MIN_WAIT)));
                    }
                    CloseError::Unavailable(failure) => {
                        known.failures += 1;
                        known.failure.clone_from(failure);
                    }
                    _ => {}
                }
                Err(error.into())
            }
        }
    }

    fn note_silence(&self, took: Duration, is_silent: bool) {
        let silence = self.silence.get();
        let is_hanging = is_silent && HANGING <= took;
        self.silence.set(if is_hanging {
            silence + took
        } else {
            Duration::ZERO
        });
    }

    /// Whether an endpoint may be asked again in this poll.
    fn check(&self, endpoint: &'static str) -> Result<(), PollError> {
        let endpoints = self.endpoints.borrow();
        let is_silent = endpoints.get(endpoint).is_some_and(|known| known.is_silent);
        if MAX_SILENCE <= self.silence.get() && is_silent {
            return Err(CloseError::Unavailable("Close does not answer".to_owned()).into());
        }
        let failed = endpoints
            .get(endpoint)
            .filter(|known| MAX_FAILURES < known.failures);
        failed.map_or(Ok(()), |known| {
            Err(CloseError::Unavailable(known.failure.clone()).into())
        })
    }

    fn paused_until(&self, endpoint: &'static str) -> Option<Timestamp> {
        self.endpoints.borrow().get(endpoint)?.paused_until
    }

    fn after(&self, pause: Option<Duration>) -> Option<Timestamp> {
        pause.map(|pause| after(self.session.clock.now(), pause))
    }

    fn note_date(&self, date: Option<Timestamp>) {
        if !self.is_until_fixed.replace(true) {
            let started = self.session.clock.started();
            let started = date.unwrap_or(Timestamp::MAX).min(started);
            self.until.set(before(started, self.held_back));
        }
    }
}

impl Backoff {
    /// Whether the last request failed.
    pub fn has_failed(&self) -> bool {
        0 < self.failures
    }

    fn fail(&mut self, error: &CloseError, now: Timestamp) {
        self.failures += 1;
        let failures = self.failures;
        tracing::warn!(%error, failures, "a request to Close failed and is tried again");
        let backoff = FIRST_BACKOFF.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.not_before = Some(after(
            now,
            backoff * 2_u32.pow(failures.min(MAX_FAILURES) - 1),
        ));
    }
}

fn before(time: Timestamp, wait: Duration) -> Timestamp {
    time.saturating_sub(wait).unwrap_or(Timestamp::MIN)
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now.saturating_add(wait).unwrap_or(Timestamp::MAX)
}
