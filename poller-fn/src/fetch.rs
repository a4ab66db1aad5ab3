//! Asking Close with patience: what passes is waited for, as long as the invocation's time allows.

use std::cell::Cell;
use std::time::Duration;

use jiff::Timestamp;
use shared::clock::Clock;
use shared::close::client::{Account, CloseClient};
use shared::close::error::CloseError;
use shared::close::search::{Page, Search};

use crate::error::PollError;

/// Failures of one request that are tried again; being told to wait is none.
const MAX_FAILURES: u32 = 3;
const FIRST_BACKOFF: Duration = Duration::from_millis(500);

/// Close, as one poll asks it.
#[derive(Debug)]
pub struct Fetcher<'a> {
    close: &'a CloseClient,
    account: Account<'a>,
    clock: &'a Clock,
    stop_at: Timestamp,
    until: Cell<Timestamp>,
    is_until_fixed: Cell<bool>,
    requests: Cell<u32>,
}

impl<'a> Fetcher<'a> {
    /// A fetcher that begins no wait which would end after `stop_at`.
    pub fn new(
        close: &'a CloseClient,
        account: Account<'a>,
        clock: &'a Clock,
        stop_at: Timestamp,
    ) -> Self {
        Self {
            close,
            account,
            clock,
            stop_at,
            until: Cell::new(clock.started()),
            is_until_fixed: Cell::new(false),
            requests: Cell::new(0),
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

    /// One page of a search.
    ///
    /// # Errors
    /// What does not pass, or not in time.
    pub async fn search(&self, search: &Search) -> Result<Page, PollError> {
        let mut failures = 0;
        loop {
            self.requests.set(self.requests.get() + 1);
            let wait = match self.close.search(self.account, search).await {
                Ok(answer) => {
                    self.note_date(answer.date);
                    return Ok(answer.body);
                }
                Err(CloseError::RateLimited { wait }) => wait,
                Err(error @ CloseError::Unavailable(_)) if failures < MAX_FAILURES => {
                    failures += 1;
                    backoff(&error, failures)
                }
                Err(error) => return Err(error.into()),
            };
            self.sleep(wait).await?;
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
