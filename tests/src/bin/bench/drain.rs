//! A backlog is read in bounded memory, and with hardly more requests than it has pages.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use jiff::SignedDuration;
use local_stack::aws::eventbridge::event::Event;
use local_stack::close::data::change::Change;

use crate::ground::{Ground, Polls, ago};
use crate::peak;
use crate::report::Report;
use crate::tally::Tally;

/// A function of 128 MB has room for this beside what Lambda itself needs.
const MAX_MEMORY_MIB: f64 = 64.0;
/// Requests for each page of the backlog.
const MAX_REQUESTS_A_PAGE: f64 = 1.03;
/// The same of the event log, whose windows are estimates.
const MAX_REQUESTS_A_LOG_PAGE: f64 = 1.10;
/// Entries on a page of the event log, which Close sets.
const LOG_PAGE: usize = 50;
/// When the backlog began: long enough ago that nothing of it would still show itself late.
const AGE: SignedDuration = SignedDuration::from_hours(24);

/// A backlog of leads.
#[derive(Debug, Args)]
pub(crate) struct Leads {
    /// Leads that were changed.
    #[arg(long, default_value_t = 1_000_000)]
    count: usize,
    /// Leads with the same date; the next ones are dated a millisecond later.
    #[arg(long, default_value_t = 10)]
    per_millisecond: usize,
    /// The resource's `pageSize`.
    #[arg(long, default_value_t = 100)]
    page_size: usize,
    /// Seconds that a poll may take, instead of what the template says.
    #[arg(long)]
    timeout: Option<u64>,
}

/// A backlog of the event log.
#[derive(Debug, Args)]
pub(crate) struct Entries {
    /// Entries in the log.
    #[arg(long, default_value_t = 200_000)]
    count: usize,
    /// Entries with the same date; the next ones are dated a millisecond later.
    #[arg(long, default_value_t = 10)]
    per_millisecond: usize,
    /// Seconds that a poll may take, instead of what the template says.
    #[arg(long)]
    timeout: Option<u64>,
}

/// A drained backlog.
struct Drained {
    polls: Polls,
    time: Duration,
    tally: Tally<Event, u128>,
    memory: f64,
}

impl Leads {
    /// Fills Close, polls, and reports.
    pub(crate) async fn run(self) -> Result<Report> {
        let start = ago(AGE)?;
        let ground = Ground::prepare("leads", self.page_size, start, self.timeout).await?;
        let organization = &ground.organization;
        organization.seed_leads(self.count, self.per_millisecond, start)?;
        let drained = drain(&ground).await?;
        let mut report = drained.report(self.count);
        let ratio = drained.requests_a_page(self.count, self.page_size);
        report.at_most("requests a page", ratio, MAX_REQUESTS_A_PAGE);
        ground.stack.shutdown().await?;
        Ok(report)
    }
}

impl Entries {
    /// Fills Close's event log, polls, and reports.
    pub(crate) async fn run(self) -> Result<Report> {
        let start = ago(AGE)?;
        let ground = Ground::prepare("events", LOG_PAGE, start, self.timeout).await?;
        let change = Change::at(start).spread(self.per_millisecond);
        ground.organization.create_leads(self.count, change)?;
        let drained = drain(&ground).await?;
        let mut report = drained.report(self.count);
        let ratio = drained.requests_a_page(self.count, LOG_PAGE);
        report.at_most("requests a page", ratio, MAX_REQUESTS_A_LOG_PAGE);
        ground.stack.shutdown().await?;
        Ok(report)
    }
}

async fn drain(ground: &Ground) -> Result<Drained> {
    let mut tally = Tally::of_changes(ground.stack.bus().events());
    let began = Instant::now();
    let polls = tally.during(ground.poll()).await??;
    Ok(Drained {
        polls,
        time: began.elapsed(),
        tally,
        memory: peak::memory(ground.poller()?)?,
    })
}

impl Drained {
    fn report(&self, changes: usize) -> Report {
        let mut report = Report::default();
        let (events, distinct) = (self.tally.total(), self.tally.counts().len());
        report.exactly("changes on the bus", distinct, changes);
        report.exactly("events", events, changes);
        report.figure("polls", self.polls.count);
        report.figure("requests", self.polls.requests);
        let seconds = self.time.as_secs_f64();
        report.figure("seconds", format!("{seconds:.1}"));
        report.figure("events a second", format!("{:.0}", float(events) / seconds));
        report.at_most("peak memory in MiB", self.memory, MAX_MEMORY_MIB);
        report
    }

    fn requests_a_page(&self, changes: usize, page_size: usize) -> f64 {
        float(self.polls.requests) / float(changes.div_ceil(page_size))
    }
}

/// A count, for a ratio.
#[expect(clippy::cast_precision_loss, reason = "counts are below 2^52")]
pub(crate) fn float(count: usize) -> f64 {
    count as f64
}
