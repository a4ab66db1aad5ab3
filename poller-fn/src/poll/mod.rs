//! The poll of one instance.

pub mod claim;
pub mod failure;
pub mod fetch;
pub mod job;
pub mod judge;
pub mod ledger;
pub mod notice;
pub mod outcome;
pub mod plan;
pub mod publish;
pub mod read;
pub mod reconciled;
pub mod schedule;
pub mod session;
pub mod step;
pub mod subscription;
pub mod summary;
pub mod target;
pub mod turns;
pub mod worker;

use std::time::Duration;

use jiff::Timestamp;
use shared::function::clock::Clock;
use shared::instance::health::Health;
use shared::instance::id::InstanceId;
use shared::instance::last_poll::LastPoll;
use shared::instance::policy::Policy;
use shared::instance::settings::Settings;
use shared::instance::stream::{Deliveries, Stream};
use shared::polling::field_error::FieldError;
use shared::store::error::TableError;
use shared::store::instances::lease::PollEnd;
use shared::store::watermarks::{CUSTOM_FIELDS, Commit};

use crate::custom_fields::CustomFields;
use crate::error::PollError;
use crate::outside::Outside;
use crate::poll::failure::Failure;
use crate::poll::fetch::Fetcher;
use crate::poll::job::Job;
use crate::poll::outcome::PollOutcome;
use crate::poll::plan::Due;
use crate::poll::session::Session;
use crate::poll::subscription::Watched;
use crate::poll::summary::Summary;
use crate::poll::turns::take_turns;
use crate::poll::worker::Worker;

/// How often an instance is polled whose configuration does not say it.
const DEFAULT_INTERVAL: Duration = Duration::from_mins(15);
/// How often webhooks are reconciled while the event log is the channel, or the ledger cannot be read.
const SOON: Duration = Duration::from_mins(5);

/// One poll of one instance.
struct Poll<'a, O> {
    session: &'a Session<'a, O>,
    /// Where it ends.
    until: Timestamp,
    /// As it is stored.
    health: Health,
    outcome: PollOutcome,
    summary: Summary,
    found: Option<LastPoll>,
    /// How webhooks and polls stand.
    stream: Box<Stream>,
    /// Whether the resources were due, and the reconciliation.
    has_polled: bool,
    has_reconciled: bool,
}

/// The times between the polls of the resources and between reconciliations, where an instance has them.
#[derive(Debug, Clone, Copy, Default)]
struct Intervals {
    polling: Option<Duration>,
    reconciliation: Option<Duration>,
}

impl Intervals {
    fn of(settings: &Settings) -> Self {
        let reconciliation = settings.reconciliation.as_ref();
        Self {
            polling: settings.polling.as_ref().map(|polling| polling.interval),
            reconciliation: reconciliation.map(|reconciliation| reconciliation.interval),
        }
    }
}

/// How long before its start a poll ends: unless the log alone has the last entries, deliveries come first.
fn held_back(settings: &Settings, is_log_alone: bool) -> Duration {
    let reconciliation = settings.reconciliation.as_ref();
    let reconciliation = reconciliation.filter(|_| !is_log_alone);
    reconciliation.map_or(Duration::ZERO, |reconciliation| reconciliation.settle)
}

/// Polls an instance: takes its lease, reads each of its resources from the watermark on, and gives the lease back with
/// the time of the next poll. A lease that another poll holds means quitting quietly.
///
/// Returns what it did, also where it failed: that is when the tables do not answer. Other failures are logged; the other
/// resources continue.
pub async fn poll_instance<O: Outside>(
    outside: &O,
    policy: &Policy,
    id: InstanceId,
    clock: &Clock,
    deadline: Timestamp,
) -> (Summary, Result<(), PollError>) {
    let session = match Session::begin(outside, id, clock, deadline).await {
        Ok(Some(session)) => session,
        Ok(None) => return (Summary::default(), Ok(())),
        Err(error) => {
            let mut summary = Summary::default();
            // Not logged here: the invocation fails with this error.
            summary.note(&Failure::of_poll(error.reason()));
            return (summary, Err(error));
        }
    };
    let poll = Poll {
        session: &session,
        until: clock.started(),
        health: session.instance.health.clone(),
        outcome: PollOutcome::default(),
        summary: Summary::default(),
        found: None,
        stream: session.instance.stream.clone(),
        has_polled: false,
        has_reconciled: false,
    };
    poll.run(policy).await
}

impl<O: Outside> Poll<'_, O> {
    async fn run(mut self, policy: &Policy) -> (Summary, Result<(), PollError>) {
        let settings = Settings::parse(&self.session.instance.configuration, policy);
        let intervals = settings.as_ref().map(Intervals::of).unwrap_or_default();
        let result = self.poll(settings).await;
        if let Err(error) = &result {
            self.fail(error);
        }
        let released = self.release(intervals).await;
        let result = match result {
            Err(error @ PollError::Table(_)) => Err(error),
            _ => released,
        };
        (self.summary, result)
    }

    /// Polls, unless the instance is suspended and Close still refuses its key.
    async fn poll(&mut self, settings: Result<Settings, Vec<FieldError>>) -> Result<(), PollError> {
        let session = self.session;
        let (instance, clock) = (&session.instance, session.clock);
        // The poll that suspended the instance could not say so. Once Close answers again, nobody would.
        notice::publish_suspension(session, &mut self.health).await?;
        let settings = &settings.map_err(PollError::Configuration)?;
        let due = Due::of(instance, settings, clock.started());
        if due.is_nothing() {
            return Ok(());
        }
        let account = settings.account();
        if self.health.is_suspended() {
            session.outside.probe(account).await?;
        }
        self.summary.polled = true;
        self.has_polled = due.polling.is_some();
        self.has_reconciled = due.reconciliation.is_some();
        let stored = session.outside.load(instance.id).await?;
        plan::tidy(session, settings, &stored).await?;
        let mut watched = Watched::default();
        if self.has_reconciled {
            watched = subscription::watch(session, account, settings, &mut self.stream).await;
            notice::publish_subscription(session, &mut self.stream.notices).await;
            self.summary.subscription = watched.result;
        }
        let is_log_alone = watched.was_down || self.stream.is_down();
        let held_back = held_back(settings, is_log_alone);
        let custom_fields = CustomFields::restore(stored.get(CUSTOM_FIELDS));
        let mut targets = due.targets(instance, settings, stored, clock.started(), held_back);
        notice::publish_gaps(session, &mut targets).await?;

        let polled = targets.iter().filter(|it| it.is_polled());
        let resources = polled.map(|target| target.resource);
        let before = instance.last_poll.as_deref();
        let mut found = LastPoll::begin(clock.started(), resources, before);
        let is_log_silent = std::mem::take(&mut self.stream.is_log_silent);
        let mut worker = Worker {
            session,
            settings,
            close: Fetcher::new(session, account, held_back),
            custom_fields,
            ledger_unread_since: self.stream.ledger_unread_since.take(),
            stream: &mut self.stream,
            summary: &mut self.summary,
            found: &mut found,
        };
        let jobs = Job::all(targets, clock.started());
        let (units, failures) = take_turns(&mut worker, job::in_order(jobs, is_log_silent)).await;
        self.outcome.add(units, failures);
        let schemas = worker.custom_fields.take_commit(clock.now());
        self.until = worker.close.until();
        let (requests, rate_limited) = (worker.close.requests(), worker.close.rate_limited());
        (self.summary.requests, self.summary.rate_limited) = (requests, rate_limited);
        self.stream.is_log_silent = self.outcome.is_log_silent();
        if self.has_reconciled {
            let count = |count| u64::try_from(count).unwrap_or(u64::MAX);
            let (expected, missed) = (count(self.summary.expected), count(self.summary.missed));
            self.stream.missed = missed;
            if self.stream.ledger_unread_since.is_none() {
                let counted = Deliveries { expected, missed };
                self.summary.missed_percent = self.stream.deliveries.add(counted);
            }
        }
        self.found = self.has_polled.then_some(found);
        self.store(schemas).await;
        Ok(())
    }

    /// Stores the schemas of custom fields, as far as that works: the next poll reads them again.
    async fn store(&self, schemas: Option<Commit>) {
        if let Some(schemas) = schemas
            && let Err(error) = self.session.commit(&schemas).await
        {
            tracing::warn!(instance.id = %self.session.instance.id, %error, "the schemas of custom fields were not stored");
        }
    }

    /// Gives the lease back, with what the poll leaves behind.
    async fn release(&mut self, intervals: Intervals) -> Result<(), PollError> {
        let session = self.session;
        // A reconciliation tells nothing of resources that were not due.
        let is_partial = intervals.polling.is_some() && self.has_reconciled && !self.has_polled;
        let mut health = if is_partial {
            self.health.clone()
        } else {
            self.outcome.health(&self.health, self.until)
        };
        if health.notice_due && !self.health.notice_due {
            health = self.suspend(health).await;
        }
        let next_poll_at = if is_partial {
            let of_reconciliation = self.outcome.health(&Health::default(), self.until);
            self.schedule(intervals, &of_reconciliation)
        } else {
            self.schedule(intervals, &health)
        };
        let lag = self
            .outcome
            .lag(&health, self.until)
            .filter(|_| !is_partial);
        self.summary.conclude(&health, lag);
        let end = PollEnd {
            next_poll_at,
            health: &health,
            found: self.found.as_ref(),
            stream: (self.stream != session.instance.stream).then_some(&*self.stream),
        };
        let released = match session.outside.release(&session.lease, &end).await {
            // Another poll has it, or the instance is gone: nothing is ours to set.
            Ok(()) | Err(TableError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = &released {
            self.fail(error);
        }
        self.summary.log(session.instance.id, &health);
        released
    }

    /// Sets when the resources and the reconciliation are due next. Returns which of both is first.
    fn schedule(&mut self, intervals: Intervals, health: &Health) -> Timestamp {
        let session = self.session;
        let (id, started) = (session.instance.id, session.clock.started());
        let now = session.clock.now();
        let outcome = &self.outcome;
        let next = |interval| outcome.next_poll(id, interval, health, started, now);
        // Work that was not due keeps its time.
        let keep = |has_run: bool, stored: Option<Timestamp>| {
            stored.filter(|time| !has_run && now < *time)
        };
        let Some(interval) = intervals.reconciliation else {
            return next(intervals.polling.unwrap_or(DEFAULT_INTERVAL));
        };
        let is_log_lost = self.stream.is_down() || self.stream.ledger_unread_since.is_some();
        let interval = if is_log_lost {
            SOON.min(interval)
        } else {
            interval
        };
        let reconciliation = keep(self.has_reconciled, self.stream.next_reconciliation_at);
        let reconciliation = reconciliation.unwrap_or_else(|| next(interval));
        let polling = intervals.polling.map(|interval| {
            let kept = keep(self.has_polled, self.stream.next_polling_at);
            kept.unwrap_or_else(|| next(interval))
        });
        self.stream.next_reconciliation_at = Some(reconciliation);
        self.stream.next_polling_at = polling;
        polling.map_or(reconciliation, |polling| polling.min(reconciliation))
    }

    /// Stores the suspension, then publishes the notice: a suspension that is not stored must not be published. If the notice
    /// cannot be published, the next poll does it. Returns the health that the instance is left with.
    async fn suspend(&mut self, mut health: Health) -> Health {
        let session = self.session;
        let stored = session.outside.suspend(&session.lease, &health).await;
        let published = match stored {
            Ok(()) => notice::publish_suspension(session, &mut health).await,
            // Its owner has changed it, or another poll has it.
            Err(TableError::Conflict) => return self.health.clone(),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = published {
            self.fail(&error);
        }
        health
    }

    /// Notes that the poll itself failed.
    fn fail(&mut self, error: &PollError) {
        let failure = Failure::of_poll(error.reason());
        self.summary.fail(self.session.instance.id, &failure, error);
        self.outcome.fail(failure);
    }
}
