//! The poll of one instance.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use shared::clock::Clock;
use shared::close::client::Account;
use shared::close::error::CloseError;
use shared::close::search::Page;
use shared::event::{Channel, Event};
use shared::instance::Instance;
use shared::instance_id::InstanceId;
use shared::instance_table::{Acquired, Lease};
use shared::poller_configuration::Resource;
use shared::settings::{Poller as Polling, Settings};
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
    let expires = deadline
        .saturating_add(LEASE_MARGIN)
        .unwrap_or(Timestamp::MAX);
    let instance = match poller
        .instances
        .acquire(&lease, clock.now(), expires)
        .await?
    {
        Acquired::Held(instance) => instance,
        Acquired::ByAnother | Acquired::NotPolled => return Ok(Summary::default()),
    };
    let settings = Settings::parse(&instance.configuration, &poller.config.policy)
        .map_err(PollError::Configuration)?;
    let Some(polling) = &settings.poller else {
        return Ok(Summary::default());
    };
    let mut stored = poller.watermarks.load(id).await?;

    let stop_at = deadline.saturating_sub(MARGIN).unwrap_or(Timestamp::MIN);
    let account = Account {
        base_url: &settings.base_url,
        api_key: &settings.api_key,
    };
    let close = Fetcher::new(&poller.close, account, clock, stop_at);
    let summary = Summary {
        polled: true,
        ..Summary::default()
    };
    let mut poll = Poll {
        poller,
        instance: &instance,
        settings: &settings,
        lease: &lease,
        clock,
        close,
        stop_at,
        summary,
    };
    let mut next = next_poll(id, polling.interval, clock.started());
    for resource in &polling.resources {
        let stored = stored.remove(&resource.name).unwrap_or_default();
        match poll.resource(resource, polling, stored).await {
            Ok(()) => {}
            Err(error) => {
                poll.fail(resource, &error);
                match error {
                    PollError::LeaseLost => return Ok(poll.report()),
                    PollError::OutOfTime => next = clock.now(),
                    _ => {}
                }
            }
        }
    }
    poller.instances.release(&lease, next).await?;
    Ok(poll.report())
}

impl Poll<'_> {
    /// Reads one resource, page by page: publish what is new, then commit. Never the other way round.
    async fn resource(
        &mut self,
        resource: &Resource,
        polling: &Polling,
        stored: StoredResource,
    ) -> Result<(), PollError> {
        let overlap = SEARCH_OVERLAP + resource.poll_delay;
        let mut watermark = Watermark::restore(
            stored,
            polling.start.unwrap_or(self.instance.created_date),
            overlap,
        );
        let began_at = watermark.position();
        let mut walk = SearchWalk::new(resource, watermark.floor());
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
            self.publish_new(resource, page, began_at, &mut watermark)
                .await?;
            if let Some(commit) = watermark.take_commit(&resource.name) {
                self.poller
                    .watermarks
                    .commit(&self.poller.instances, self.lease, &commit)
                    .await?;
            }
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
        let until = self.close.until();
        let mut new = Vec::new();
        for record in page.data {
            let change = record::to_change(record, resource, began_at, until);
            let event = Event::new(self.instance, self.settings, Channel::Polling, change);
            match watermark.judge(event.id, event.change.date, until) {
                Verdict::Publish => new.push(event),
                Verdict::Skip => {
                    watermark.handled(event.change.date, until);
                    self.summary.duplicates += 1;
                }
                Verdict::Leave => {}
            }
        }
        self.check_time()?;
        let published = self
            .poller
            .bus
            .publish(&new, self.clock.instant_at(self.stop_at))
            .await?;
        self.summary.published += published.published;
        self.summary.unpublishable += published.unpublishable;
        for event in &new {
            watermark.published(event.id, event.change.date, until);
        }
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

    fn report(mut self) -> Summary {
        self.summary.requests = self.close.requests();
        let Summary {
            published,
            duplicates,
            unpublishable,
            requests,
            ref failed,
            ..
        } = self.summary;
        tracing::info!(
            instance.id = %self.instance.id, published, duplicates, unpublishable, requests, failed = failed.len(), "polled"
        );
        self.summary
    }
}

fn random_token() -> Result<String, PollError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| PollError::Table(TableError::Unavailable(error.to_string())))?;
    Ok(hex::encode(bytes))
}
