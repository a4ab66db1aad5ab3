//! The poll of one instance.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use shared::close::client::Account;
use shared::function::clock::Clock;
use shared::instance::Instance;
use shared::instance::health::Health;
use shared::instance::id::InstanceId;
use shared::instance::last_poll::LastPoll;
use shared::instance::policy::Policy;
use shared::instance::settings::Settings;
use shared::polling::field_error::FieldError;
use shared::store::error::TableError;
use shared::store::instances::lease::{Acquired, Lease};
use shared::store::watermarks::{CUSTOM_FIELDS, Commit};

use crate::custom_fields::CustomFields;
use crate::error::PollError;
use crate::fetch::Fetcher;
use crate::job::{Job, Target};
use crate::notice;
use crate::outcome::Outcome;
use crate::outside::Outside;
use crate::plan;
use crate::work::{Turn, Worker};

/// No page is begun in the last seconds of an invocation: there must be time to publish and to commit it.
const MARGIN: SignedDuration = SignedDuration::from_secs(10);
/// A lease outlives its invocation by what clocks may differ. It is never renewed.
const LEASE_MARGIN: SignedDuration = SignedDuration::from_mins(5);
/// How often an instance is polled whose configuration does not say it.
const DEFAULT_INTERVAL: Duration = Duration::from_mins(15);
/// What failed, where it was no resource.
const INSTANCE: &str = "instance";

/// What came of a poll.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Whether the instance was polled; not if another poll was at it, or it is gone, or suspended.
    pub polled: bool,
    /// Events on the bus.
    pub published: usize,
    /// Records read again and left out.
    pub duplicates: usize,
    /// Records that are not wanted: by the condition of the query, or because another resource publishes them.
    pub filtered: usize,
    /// Events that EventBridge refuses in every form.
    pub unpublishable: usize,
    /// Events that EventBridge did not accept in time.
    pub unpublished: usize,
    /// Published records without a readable date.
    pub undated: usize,
    /// Entries of the event log that are published although they cannot be read.
    pub unreadable: usize,
    /// Ids of published events that were forgotten too early.
    pub forgotten: usize,
    /// Requests to Close.
    pub requests: u32,
    /// Of these, how many it answered with 429.
    pub rate_limited: u32,
    /// Resources that did not come to their end, with the reason.
    pub failed: HashMap<String, &'static str>,
    /// How far behind the resource is that is furthest behind, if that is known.
    pub lag_seconds: Option<u64>,
    /// Whether Close refuses something, but not everything for so long that the instance is suspended.
    pub refused: bool,
    /// Whether the instance is suspended.
    pub suspended: bool,
}

/// A job that was not done.
struct Failure {
    resources: Vec<String>,
    /// The watermarks of those that are no backfill.
    behind: Vec<Timestamp>,
    has_read: bool,
    error: PollError,
}

/// One poll of one instance.
struct Poll<'a, O> {
    outside: &'a O,
    instance: &'a Instance,
    lease: &'a Lease,
    clock: &'a Clock,
    stop_at: Timestamp,
    /// Where it ends.
    until: Timestamp,
    /// As it is stored.
    health: Health,
    outcome: Outcome,
    summary: Summary,
    found: Option<LastPoll>,
}

/// Polls an instance: takes its lease, reads each of its resources from the watermark on, and gives the lease back with
/// the time of the next poll. A lease that another poll holds means quitting quietly.
///
/// Returns what it did, also where it failed: that is when the tables do not answer. Any other trouble is no failure: it is
/// logged, and the other resources go on.
pub async fn poll_instance<O: Outside>(
    outside: &O,
    policy: &Policy,
    id: InstanceId,
    clock: &Clock,
    deadline: Timestamp,
) -> (Summary, Result<(), PollError>) {
    let (lease, instance) = match begin(outside, id, clock, deadline).await {
        Ok(Some(begun)) => begun,
        Ok(None) => return (Summary::default(), Ok(())),
        Err(error) => {
            let mut summary = Summary::default();
            summary.failed.insert(INSTANCE.to_owned(), error.reason());
            return (summary, Err(error));
        }
    };
    let poll = Poll {
        outside,
        instance: &instance,
        lease: &lease,
        clock,
        stop_at: deadline.saturating_sub(MARGIN).unwrap_or(deadline),
        until: clock.started(),
        health: instance.health.clone(),
        outcome: Outcome::default(),
        summary: Summary::default(),
        found: None,
    };
    poll.run(policy).await
}

/// The lease and the instance, unless another poll has it, or it is not polled.
async fn begin<O: Outside>(
    outside: &O,
    id: InstanceId,
    clock: &Clock,
    deadline: Timestamp,
) -> Result<Option<(Lease, Box<Instance>)>, PollError> {
    let token = random_token()?;
    let lease = Lease { id, token };
    let expires = deadline.saturating_add(LEASE_MARGIN).unwrap_or(deadline);
    match outside.acquire(&lease, clock.now(), expires).await? {
        Acquired::Held(instance) => Ok(Some((lease, instance))),
        Acquired::ByAnother | Acquired::NotPolled => Ok(None),
    }
}

impl<O: Outside> Poll<'_, O> {
    async fn run(mut self, policy: &Policy) -> (Summary, Result<(), PollError>) {
        let settings = Settings::parse(&self.instance.configuration, policy);
        let poller = settings.as_ref().ok().and_then(|it| it.polling.as_ref());
        let interval = poller.map_or(DEFAULT_INTERVAL, |poller| poller.interval);
        let result = self.poll(settings).await;
        if let Err(error) = &result {
            self.fail(INSTANCE, error, false);
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
        // The poll that suspended the instance could not say so. Once Close answers again, nobody would.
        notice::of_suspension(self.outside, self.instance, &mut self.health, self.clock).await?;
        let settings = &settings.map_err(PollError::Configuration)?;
        let Some(polling) = &settings.polling else {
            return Ok(());
        };
        let account = Account {
            base_url: &settings.base_url,
            api_key: &settings.api_key,
        };
        if self.health.is_suspended() {
            self.outside.probe(account).await?;
        }
        self.summary.polled = true;
        let stored = self.outside.load(self.instance.id).await?;
        plan::tidy(self.outside, self.lease, self.instance, polling, &stored).await?;
        let custom_fields = CustomFields::restore(stored.get(CUSTOM_FIELDS));
        let mut targets = plan::targets(self.instance, polling, stored);
        notice::of_gaps(
            self.outside,
            self.instance,
            self.lease,
            &mut targets,
            self.clock,
        )
        .await?;

        let polled = targets.iter().filter(|it| it.backfill.is_none());
        let resources = polled.map(|target| target.resource);
        let before = self.instance.last_poll.as_deref();
        let mut found = LastPoll::begin(self.clock.started(), resources, before);
        let mut worker = Worker {
            outside: self.outside,
            instance: self.instance,
            settings,
            lease: self.lease,
            clock: self.clock,
            close: Fetcher::new(self.outside, account, self.clock, self.stop_at),
            stop_at: self.stop_at,
            summary: &mut self.summary,
            custom_fields,
            found: &mut found,
        };
        let mut jobs = VecDeque::from(Job::all(targets, self.clock.started()));
        // Another one begins each time, so that none is always the one for which no time is left.
        jobs.rotate_left(fastrand::usize(..jobs.len().max(1)));
        let failures = work(&mut worker, jobs, &mut self.outcome).await;
        let schemas = worker.custom_fields.take_commit(self.clock.now());
        self.until = worker.close.until();
        let (requests, rate_limited) = (worker.close.requests(), worker.close.rate_limited());
        (self.summary.requests, self.summary.rate_limited) = (requests, rate_limited);
        self.found = Some(found);
        self.note(&failures);
        self.store(schemas).await;
        Ok(())
    }

    /// Stores the schemas of custom fields, as far as that works: the next poll reads them again.
    async fn store(&self, schemas: Option<Commit>) {
        if let Some(schemas) = schemas
            && let Err(error) = self.outside.commit(self.lease, &schemas).await
        {
            tracing::warn!(instance.id = %self.instance.id, %error, "the schemas of custom fields were not stored");
        }
    }

    fn note(&mut self, failures: &[Failure]) {
        let late = failures.iter().filter(|it| !it.error.is_refusal());
        let behind = late.flat_map(|failure| &failure.behind);
        self.outcome.reached(behind.copied());
        for failure in failures {
            for resource in &failure.resources {
                self.fail(resource, &failure.error, failure.has_read);
            }
        }
    }

    /// Gives the lease back, with what the poll leaves behind.
    async fn release(&mut self, interval: Duration) -> Result<(), PollError> {
        let mut health = self.outcome.health(&self.health, self.until);
        if health.notice_due && !self.health.notice_due {
            health = self.suspend(health).await;
        }
        let now = self.clock.now();
        let (id, started) = (self.instance.id, self.clock.started());
        let next = self.outcome.next_poll(id, interval, &health, started, now);
        let lag = self.outcome.lag(&health, self.until);
        self.summary.conclude(&health, lag);
        let found = self.found.as_ref();
        let released = match self.outside.release(self.lease, next, &health, found).await {
            // Another poll has it, or the instance is gone: nothing is ours to set.
            Ok(()) | Err(TableError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = &released {
            self.fail(INSTANCE, error, false);
        }
        self.summary.log(id, &health);
        released
    }

    /// Stores the suspension, then publishes the notice: a suspension that is not stored must not be published. If the notice
    /// cannot be published, the next poll does it. Returns the health that the instance is left with.
    async fn suspend(&mut self, mut health: Health) -> Health {
        let stored = self.outside.suspend(self.lease, &health).await;
        let said = match stored {
            Ok(()) => {
                notice::of_suspension(self.outside, self.instance, &mut health, self.clock).await
            }
            // Its owner has changed it, or another poll has it.
            Err(TableError::Conflict) => return self.health.clone(),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = said {
            self.fail(INSTANCE, &error, false);
        }
        health
    }

    fn fail(&mut self, name: &str, error: &PollError, has_read: bool) {
        let reason = error.reason();
        tracing::error!(instance.id = %self.instance.id, resource = name, reason, %error, "a resource was not polled to its end");
        self.outcome.failed(name, error, has_read);
        self.summary.failed.insert(name.to_owned(), reason);
    }
}

/// Does the jobs a unit at a time, each in its turn, so that none uses up the time or Close's rate limit for the others.
/// Returns what went wrong, with the resources.
async fn work<O: Outside>(
    worker: &mut Worker<'_, O>,
    mut jobs: VecDeque<Job<'_>>,
    outcome: &mut Outcome,
) -> Vec<Failure> {
    let mut failures = Vec::new();
    while let Some((place, mut job)) = next(worker, &mut jobs).await {
        let result = match worker.step(&mut job).await {
            Err(error) => worker.give_up(&mut job, &error).await.and(Err(error)),
            done => done,
        };
        match result {
            // The others have their turn before an endpoint is taken for one that always fails.
            Ok(Turn::Waiting) if job.retry.has_failed() => jobs.push_back(job),
            // It keeps its place: a window that was begun is read on before another is.
            Ok(Turn::Waiting) => jobs.insert(place, job),
            Ok(Turn::Taken) => {
                outcome.read();
                if !job.walk.is_done() {
                    jobs.push_back(job);
                }
            }
            Err(error) => {
                let is_lost = matches!(error, PollError::LeaseLost);
                failures.push(Failure::of(&job, error));
                if is_lost {
                    break;
                }
            }
        }
    }
    failures
}

/// The first job that may make a request, with its place. Where all have to wait, the one that has to wait least is waited
/// for.
async fn next<'a, O: Outside>(
    worker: &Worker<'_, O>,
    jobs: &mut VecDeque<Job<'a>>,
) -> Option<(usize, Job<'a>)> {
    let close = &worker.close;
    let ready_at = |job: &Job<'_>| close.ready_at(worker.next_request(job).as_ref(), &job.retry);
    let times = jobs.iter().map(ready_at).enumerate();
    let (place, time) = times.min_by_key(|(_, time)| *time)?;
    close.sleep_until(time).await;
    Some((place, jobs.remove(place)?))
}

impl Failure {
    fn of(job: &Job<'_>, error: PollError) -> Self {
        let polled = job.targets.iter().filter(|it| it.backfill.is_none());
        Self {
            resources: job.targets.iter().map(Target::label).collect(),
            behind: polled.map(|target| target.watermark.position()).collect(),
            has_read: job.has_read,
            error,
        }
    }
}

fn random_token() -> Result<String, PollError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| PollError::Table(TableError::Unavailable(error.to_string())))?;
    Ok(hex::encode(bytes))
}
