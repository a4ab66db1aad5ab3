//! Asking Close with patience: what passes is waited for, as long as the invocation's time allows.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::value::RawValue;
use shared::clock::Clock;
use shared::close::client::{Account, Answer};
use shared::close::error::CloseError;
use shared::close::page::{Page, Request};

use crate::error::PollError;
use crate::outside::Outside;

/// Failures of one request that are tried again; being told to wait is none.
const MAX_FAILURES: u32 = 3;
const FIRST_BACKOFF: Duration = Duration::from_millis(500);

/// However soon Close says that its limit is reset.
const MIN_WAIT: Duration = Duration::from_millis(250);
/// The rate limit of reading single objects.
const OBJECT: &str = "an object";

/// Close, as one poll asks it.
#[derive(Debug)]
pub struct Fetcher<'a, O> {
    outside: &'a O,
    account: Account<'a>,
    clock: &'a Clock,
    stop_at: Timestamp,
    until: Cell<Timestamp>,
    is_until_fixed: Cell<bool>,
    requests: Cell<u32>,
    rate_limited: Cell<u32>,
    /// Until when an endpoint's rate limit is used up.
    pauses: RefCell<HashMap<&'static str, Timestamp>>,
}

impl<'a, O: Outside> Fetcher<'a, O> {
    /// A fetcher that begins no wait which would end after `stop_at`.
    pub fn new(outside: &'a O, account: Account<'a>, clock: &'a Clock, stop_at: Timestamp) -> Self {
        Self {
            outside,
            account,
            clock,
            stop_at,
            until: Cell::new(clock.started()),
            is_until_fixed: Cell::new(false),
            requests: Cell::new(0),
            rate_limited: Cell::new(0),
            pauses: RefCell::default(),
        }
    }

    /// Where this poll ends: its start, by the earlier of our clock and, from its first answer on, Close's.
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

    /// A page of what changed.
    ///
    /// # Errors
    /// What does not pass, or not in time.
    pub async fn read(&self, request: &Request) -> Result<Page, PollError> {
        let ask = || self.outside.read(self.account, request);
        self.ask(request.path(), ask).await
    }

    /// An object as it is now, unless Close has it no more.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn object(&self, path: &str) -> Result<Option<Box<RawValue>>, PollError> {
        self.ask(OBJECT, || self.outside.object(self.account, path))
            .await
    }

    async fn ask<T, F>(&self, endpoint: &'static str, ask: impl Fn() -> F) -> Result<T, PollError>
    where
        F: Future<Output = Result<Answer<T>, CloseError>>,
    {
        let mut failures = 0;
        loop {
            self.wait_for(endpoint).await?;
            self.requests.set(self.requests.get() + 1);
            // What has not been answered by then is not waited for, or there would be no time to say when to go on.
            let answer = tokio::time::timeout_at(self.clock.instant_at(self.stop_at), ask());
            match answer.await.map_err(|_| PollError::OutOfTime)? {
                Ok(answer) => {
                    self.note_date(answer.date);
                    self.pause(endpoint, answer.pause);
                    return Ok(answer.body);
                }
                Err(CloseError::RateLimited { wait }) => {
                    self.rate_limited.set(self.rate_limited.get() + 1);
                    self.pause(endpoint, Some(wait.max(MIN_WAIT)));
                }
                Err(error @ CloseError::Unavailable(_)) if failures < MAX_FAILURES => {
                    failures += 1;
                    self.sleep(backoff(&error, failures)).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn pause(&self, endpoint: &'static str, pause: Option<Duration>) {
        let until = pause.and_then(|pause| self.clock.now().saturating_add(pause).ok());
        self.pauses
            .borrow_mut()
            .extend(until.map(|until| (endpoint, until)));
    }

    async fn wait_for(&self, endpoint: &'static str) -> Result<(), PollError> {
        let until = self.pauses.borrow().get(endpoint).copied();
        let left = until.map(|until| until.duration_since(self.clock.now()));
        match left.and_then(|left| Duration::try_from(left).ok()) {
            Some(left) if !left.is_zero() => self.sleep(left).await,
            _ => Ok(()),
        }
    }

    fn note_date(&self, date: Option<Timestamp>) {
        if !self.is_until_fixed.replace(true) {
            self.until
                .set(date.unwrap_or(Timestamp::MAX).min(self.clock.started()));
        }
    }

    async fn sleep(&self, wait: Duration) -> Result<(), PollError> {
        let woken = self
            .clock
            .now()
            .saturating_add(wait)
            .map_err(|_| PollError::OutOfTime)?;
        if self.stop_at <= woken {
            return Err(PollError::OutOfTime);
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

fn backoff(error: &CloseError, failures: u32) -> Duration {
    tracing::warn!(%error, failures, "a request to Close failed and is tried again");
    FIRST_BACKOFF.mul_f64(0.5 + fastrand::f64() / 2.0) * 2_u32.pow(failures - 1)
}
