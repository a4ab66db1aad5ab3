//! Under Close's rate limit a poll takes as long as the limit makes it take, and no longer.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use jiff::SignedDuration;
use local_stack::close::settings::{RateLimit, ThrottleBody};

use crate::drain::float;
use crate::ground::{Ground, ago};
use crate::report::Report;
use crate::tally::Tally;

/// The time that a poll takes over the time that its requests take at the limit.
const MAX_RATIO: f64 = 1.05;
const AGE: SignedDuration = SignedDuration::from_hours(24);

/// How much is to be read, and how fast it may be.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Leads that were changed.
    #[arg(long, default_value_t = 5_000)]
    count: usize,
    /// Requests that Close takes in a second.
    #[arg(long, default_value_t = 20)]
    rate: u32,
    /// The resource's `pageSize`.
    #[arg(long, default_value_t = 10)]
    page_size: usize,
}

impl Options {
    /// Fills Close, polls, and reports.
    pub(crate) async fn run(self) -> Result<Report> {
        let start = ago(AGE)?;
        let ground = Ground::prepare("leads", self.page_size, start, None).await?;
        ground.organization.seed_leads(self.count, 1, start)?;
        ground.close.set_rate_limit(Some(RateLimit {
            limit: self.rate,
            window: Duration::from_secs(1),
            body: ThrottleBody::Empty,
        }));
        let mut tally = Tally::of_changes(ground.stack.bus().events());
        let began = Instant::now();
        let polls = tally.during(ground.poll()).await??;
        let seconds = began.elapsed().as_secs_f64();

        let mut report = Report::default();
        report.exactly("events", tally.total(), self.count);
        report.figure("polls", polls.count);
        report.figure("requests", polls.requests);
        report.figure("seconds", format!("{seconds:.2}"));
        let least = float(polls.requests) / f64::from(self.rate);
        report.figure("requests over the rate", format!("{least:.2}"));
        report.at_most("ratio", seconds / least, MAX_RATIO);
        ground.stack.shutdown().await?;
        Ok(report)
    }
}
