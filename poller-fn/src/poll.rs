//! The poll of one instance.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use shared::clock::Clock;
use shared::close::client::Account;
use shared::close::error::CloseError;
use shared::close::search::Page;
use shared::event::{Channel, Event};
use shared::health::Health;
use shared::instance::Instance;
use shared::instance_id::InstanceId;
use shared::instance_table::{Acquired, Lease};
use shared::poller_configuration::Resource;
use shared::settings::Settings;
use shared::table::TableError;
use shared::watermark_table::StoredResource;

use crate::error::PollError;
use crate::fetch::Fetcher;
use crate::invocation::Poller;
use crate::record;
use crate::schedule::next_poll;
use crate::source::search::SearchWalk;
use crate::watermark::{SEARCH_OVERLAP, Verdict, Watermark};

/// No page is begun in the last seconds of an invocation: there must be time to publish and to commit it.
const MARGIN: SignedDuration = SignedDuration::from_secs(10);
/// A lease outlives its invocation by what clocks may differ. It is never renewed.
const LEASE_MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// When to try again where the configuration does not say how often.
const DEFAULT_INTERVAL: Duration = Duration::from_mins(15);

/// What came of a poll.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Whether the instance was polled; not if another poll was at it, or it is gone.
    pub polled: bool,
    /// Events on the bus.
    pub published: usize,
    /// Records read again and left out.
    pub duplicates: usize,
    /// Records that the condition of the query leaves out.
    pub filtered: usize,
    /// Events that EventBridge refuses in every form.
    pub unpublishable: usize,
    /// Requests to Close.
    pub requests: u32,
    /// Resources that did not come to their end, with the reason.
    pub failed: HashMap<String, &'static str>,
}

/// One poll of one instance.
struct Poll<'a> {
    poller: &'a Poller,
    instance: &'a Instance,
    settings: &'a Settings,
    lease: &'a Lease,
    clock: &'a Clock,
    close: Fetcher<'a>,
    stop_at: Timestamp,
    summary: Summary,
}

/// Polls an instance: takes its lease, reads each of its resources from the watermark on, and gives the lease back with
/// the time of the next poll. A lease that another poll holds means quitting quietly.
///
/// # Errors
/// When the tables do not answer or the instance cannot be polled with. One resource's trouble is none: it is logged,
/// and the others go on.
pub async fn poll_instance(
    poller: &Poller,
    id: InstanceId,
    clock: &Clock,
    deadline: Timestamp,
) -> Result<Summary, PollError> {
    let lease = Lease {
        id,
        token: random_token()?,
    };
    let expires = deadline.saturating_add(LEASE_MARGIN).unwrap_or(deadline);
    let acquired = poller.instances.acquire(&lease, clock.now(), expires);
    let instance = match acquired.await? {
        Acquired::Held(instance) => instance,
        Acquired::ByAnother | Acquired::NotPolled => return Ok(Summary::default()),
    };
    let mut next = next_poll(id, DEFAULT_INTERVAL, clock.started());
    let outcome = poll_held(poller, &instance, &lease, clock, deadline, &mut next).await;
    match poller
        .instances
        .release(&lease, next, &Health::default())
        .await
    {
        // Another poll has it, or the instance is gone: nothing is ours to set.
        Ok(()) | Err(TableError::Conflict) => {}
        Err(error) => return Err(error.into()),
    }
    let summary = outcome?;
    summary.log(id);
    Ok(summary)
}

/// Polls an instance whose lease is held. `next` becomes the time of the next poll.
async fn poll_held(
    poller: &Poller,
    instance: &Instance,
    lease: &Lease,
    clock: &Clock,
    deadline: Timestamp,
    next: &mut Timestamp,
) -> Result<Summary, PollError> {
    let settings = Settings::parse(&instance.configuration, &poller.config.policy)
        .map_err(PollError::Configuration)?;
    let Some(polling) = &settings.poller else {
        return Ok(Summary::default());
    };
    *next = next_poll(instance.id, polling.interval, clock.started());
    let mut stored = poller.watermarks.load(instance.id).await?;

    let stop_at = deadline.saturating_sub(MARGIN).unwrap_or(deadline);
    let account = Account {
        base_url: &settings.base_url,
        api_key: &settings.api_key,
    };
    let mut poll = Poll {
        poller,
        instance,
        settings: &settings,
        lease,
        clock,
        close: Fetcher::new(&poller.close, account, clock, stop_at),
        stop_at,
        summary: Summary {
            polled: true,
            ..Summary::default()
        },
    };
    for resource in &polling.resources {
        let start = polling.start.unwrap_or(instance.created_date);
        let stored = stored.remove(&resource.name).unwrap_or_default();
        let Err(error) = poll.resource(resource, start, stored).await else {
            continue;
        };
        poll.fail(resource, &error);
        match error {
            PollError::LeaseLost => break,
            PollError::OutOfTime => *next = clock.now(),
            _ => {}
        }
    }
    poll.summary.requests = poll.close.requests();
    Ok(poll.summary)
}

impl Poll<'_> {
    /// Reads one resource, page by page: publish what is new, then commit. Never the other way round.
    async fn resource(
        &mut self,
        resource: &Resource,
        start: Timestamp,
        stored: StoredResource,
    ) -> Result<(), PollError> {
        let mut watermark = Watermark::restore(stored, start, SEARCH_OVERLAP + resource.poll_delay);
        let began_at = watermark.position();
        let shared::poller_configuration::Source::Search(object_type) = resource.source else {
            return Ok(());
        };
        let mut walk = SearchWalk::new(object_type, resource, watermark.read_from());
        while let Some(request) = walk.next_request() {
            self.check_time()?;
            let page = match self.close.search(&request).await {
                Err(PollError::Close(CloseError::ExpiredCursor)) => {
                    walk.restart_run()?;
                    continue;
                }
                page => page?,
            };
            walk.advance(&page)?;
            let published = self
                .publish_new(resource, page, began_at, &mut watermark)
                .await;
            // Also where some could not be published: what is on the bus need not be published again.
            if let Some(commit) = watermark.take_commit(&resource.name) {
                let watermarks = &self.poller.watermarks;
                watermarks
                    .commit(&self.poller.instances, self.lease, &commit)
                    .await?;
            }
            published?;
        }
        Ok(())
    }

    /// Publishes what is new of a page, oldest first, and notes in the watermark all that was handled.
    async fn publish_new(
        &mut self,
        resource: &Resource,
        page: Page,
        began_at: Timestamp,
        watermark: &mut Watermark,
    ) -> Result<(), PollError> {
        self.check_time()?;
        let until = self.close.until();
        let (mut new, mut passed) = (Vec::new(), Vec::new());
        for record in page.data {
            let is_wanted = resource
                .query
                .filter
                .as_ref()
                .is_none_or(|filter| filter.matches(&record));
            let change = record::to_change(record, resource, began_at, until);
            let event = Event::new(self.instance, self.settings, Channel::Polling, change);
            match watermark.judge(event.id, event.change.own_date(), until) {
                Verdict::Publish if is_wanted => new.push(event),
                Verdict::Publish => {
                    passed.push(event.change.own_date());
                    self.summary.filtered += 1;
                }
                Verdict::Skip => {
                    passed.push(event.change.own_date());
                    self.summary.duplicates += 1;
                }
                Verdict::Leave => {}
            }
        }
        let deadline = self.clock.instant_at(self.stop_at);
        let outcome = self.poller.bus.publish(&new, deadline).await;
        let unpublished = outcome
            .as_ref()
            .map_or_else(|error| error.unpublished.clone(), |_| HashSet::new());
        let (late, published): (Vec<_>, Vec<_>) = new
            .iter()
            .partition(|event| unpublished.contains(&event.id));
        // The watermark stays behind the first that is not on the bus.
        let until = late
            .iter()
            .map(|event| event.change.date)
            .fold(until, Timestamp::min);
        for date in &passed {
            watermark.handled(*date, until);
        }
        for event in published {
            watermark.published(event.id, event.change.own_date(), until);
        }
        let outcome = outcome?;
        self.summary.published += outcome.published;
        self.summary.unpublishable += outcome.unpublishable;
        Ok(())
    }

    /// Nothing is begun that there may be no time to end, so the lease cannot run out under it either.
    fn check_time(&self) -> Result<(), PollError> {
        if self.clock.now() < self.stop_at {
            Ok(())
        } else {
            Err(PollError::OutOfTime)
        }
    }

    fn fail(&mut self, resource: &Resource, error: &PollError) {
        let reason = error.reason();
        tracing::error!(instance.id = %self.instance.id, resource = resource.name, reason, %error, "a resource was not polled to its end");
        self.summary.failed.insert(resource.name.clone(), reason);
    }
}

impl Summary {
    fn log(&self, id: InstanceId) {
        tracing::info!(
            instance.id = %id,
            published = self.published,
            duplicates = self.duplicates,
            filtered = self.filtered,
            unpublishable = self.unpublishable,
            requests = self.requests,
            failed = self.failed.len(),
            "polled"
        );
    }
}

fn random_token() -> Result<String, PollError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| PollError::Table(TableError::Unavailable(error.to_string())))?;
    Ok(hex::encode(bytes))
}
