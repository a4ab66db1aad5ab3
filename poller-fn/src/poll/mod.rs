//! The poll of one instance.

pub mod failure;
pub mod fetch;
pub mod job;
pub mod judge;
pub mod notice;
pub mod outcome;
pub mod plan;
pub mod publish;
pub mod read;
pub mod schedule;
pub mod session;
pub mod step;
pub mod summary;
pub mod target;
pub mod turns;
pub mod worker;

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use shared::function::clock::Clock;
use shared::instance::health::Health;
use shared::instance::id::InstanceId;
use shared::instance::last_poll::LastPoll;
use shared::instance::policy::Policy;
use shared::instance::settings::Settings;
use shared::polling::field_error::FieldError;
use shared::store::error::TableError;
use shared::store::watermarks::{CUSTOM_FIELDS, Commit};

use crate::custom_fields::CustomFields;
use crate::error::PollError;
use crate::outside::Outside;
use crate::poll::failure::Failure;
use crate::poll::fetch::Fetcher;
use crate::poll::job::Job;
use crate::poll::outcome::PollOutcome;
use crate::poll::session::Session;
use crate::poll::summary::Summary;
use crate::poll::turns::take_turns;
use crate::poll::worker::Worker;

/// How often an instance is polled whose configuration does not say it.
const DEFAULT_INTERVAL: Duration = Duration::from_mins(15);

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
    };
    poll.run(policy).await
}

impl<O: Outside> Poll<'_, O> {
    async fn run(mut self, policy: &Policy) -> (Summary, Result<(), PollError>) {
        let settings = Settings::parse(&self.session.instance.configuration, policy);
        let polling = settings.as_ref().ok().and_then(|it| it.polling.as_ref());
        let interval = polling.map_or(DEFAULT_INTERVAL, |polling| polling.interval);
        let result = self.poll(settings).await;
        if let Err(error) = &result {
            self.fail(error);
        }
        let released = self.release(interval).await;
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
        let Some(polling) = &settings.polling else {
            return Ok(());
        };
        let account = settings.account();
        if self.health.is_suspended() {
            session.outside.probe(account).await?;
        }
        self.summary.polled = true;
        let stored = session.outside.load(instance.id).await?;
        plan::tidy(session, polling, &stored).await?;
        let custom_fields = CustomFields::restore(stored.get(CUSTOM_FIELDS));
        let mut targets = plan::targets(instance, polling, stored);
        notice::publish_gaps(session, &mut targets).await?;

        let polled = targets.iter().filter(|it| it.backfill.is_none());
        let resources = polled.map(|target| target.resource);
        let before = instance.last_poll.as_deref();
        let mut found = LastPoll::begin(clock.started(), resources, before);
        let mut worker = Worker {
            session,
            settings,
            close: Fetcher::new(session, account),
            custom_fields,
            summary: &mut self.summary,
            found: &mut found,
        };
        let mut jobs = VecDeque::from(Job::all(targets, clock.started()));
        // Another one begins each time, so that none is always the one for which no time is left.
        jobs.rotate_left(fastrand::usize(..jobs.len().max(1)));
        let (units, failures) = take_turns(&mut worker, jobs).await;
        self.outcome.add(units, failures);
        let schemas = worker.custom_fields.take_commit(clock.now());
        self.until = worker.close.until();
        let (requests, rate_limited) = (worker.close.requests(), worker.close.rate_limited());
        (self.summary.requests, self.summary.rate_limited) = (requests, rate_limited);
        self.found = Some(found);
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
    async fn release(&mut self, interval: Duration) -> Result<(), PollError> {
        let session = self.session;
        let mut health = self.outcome.health(&self.health, self.until);
        if health.notice_due && !self.health.notice_due {
            health = self.suspend(health).await;
        }
        let now = session.clock.now();
        let (id, started) = (session.instance.id, session.clock.started());
        let next = self.outcome.next_poll(id, interval, &health, started, now);
        let lag = self.outcome.lag(&health, self.until);
        self.summary.conclude(&health, lag);
        let (outside, lease) = (session.outside, &session.lease);
        let released = match outside
            .release(lease, next, &health, self.found.as_ref())
            .await
        {
            // Another poll has it, or the instance is gone: nothing is ours to set.
            Ok(()) | Err(TableError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = &released {
            self.fail(error);
        }
        self.summary.log(id, &health);
        released
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
