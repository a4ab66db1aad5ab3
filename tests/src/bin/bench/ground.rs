//! A stack with one instance that polls a simulated Close.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use jiff::{SignedDuration, Timestamp};
use local_stack::aws::lambda::function::Function;
use local_stack::aws::sdk;
use local_stack::close::CloseSimulator;
use local_stack::close::organization::Organization;
use local_stack::close::settings::Settings;
use local_stack::stack::LocalStack;
use local_stack::stack::binaries::Progress;
use local_stack::stack::builder::Builder;
use serde::Deserialize;
use serde_json::json;
use shared::instance::Instance;
use shared::instance::configuration::Configuration;
use shared::store::instances::InstanceTable;

use crate::report::say;

/// The function that polls and dispatches, by its key in the template.
pub(crate) const POLLER: &str = "PollerFunction";
const API_KEY: &str = "api_bench_simulated_key";
const INSTANCE: u64 = 20931;
/// Events, calls and lines that the stack keeps: enough to look at after a failure.
const KEEP: usize = 100;
/// What a poll gives as the reason when its invocation's time was up; the next one goes on.
const OUT_OF_TIME: &str = "OutOfTime";

/// The stack and the Close that it polls.
pub(crate) struct Ground {
    pub(crate) close: CloseSimulator,
    pub(crate) organization: Organization,
    pub(crate) stack: LocalStack,
}

/// What polls did, up to the one that had nothing left to do.
#[derive(Debug, Default)]
pub(crate) struct Polls {
    pub(crate) count: usize,
    pub(crate) requests: usize,
}

/// What a poll answers.
#[derive(Deserialize)]
struct Summary {
    published: usize,
    duplicates: usize,
    requests: usize,
    failed: BTreeMap<String, String>,
}

/// A stack as the benches use it.
pub(crate) fn stack() -> Builder {
    LocalStack::builder().progress(Progress::Stderr).keep(KEEP)
}

impl Ground {
    /// Starts everything, with an instance that polls `resource`, `page_size` objects at a time, from `start` on. A poll
    /// may take as long as the template says unless there is a `timeout`.
    pub(crate) async fn prepare(
        resource: &str,
        page_size: usize,
        start: Timestamp,
        timeout: Option<u64>,
    ) -> Result<Self> {
        let close = CloseSimulator::start(Settings::quick()).await?;
        let organization = close.organization("Acme", API_KEY);
        let mut stack = stack().parameter("CloseBaseUrls", close.base_url());
        if let Some(seconds) = timeout {
            stack = stack.timeout(POLLER, Duration::from_secs(seconds));
        }
        let stack = stack.start().await?;
        let url = format!("/hubs/crm/{resource}?where=date_updated>'${{date}}'");
        let members = json!({
            "username": API_KEY,
            "base.url": close.base_url(),
            "event.notification.enabled": true,
            "event.notification.type": "eventbridge",
            "event.vendor.type": "polling",
            "event.poller.start": start,
            "event.poller.configuration": {resource: {"url": url, "pageSize": page_size}},
        });
        let mut configuration = Configuration::default();
        configuration.merge(members.as_object().cloned().unwrap_or_default());
        let instance = Instance::new(INSTANCE.try_into()?, "Bench", configuration, start);
        instances(&stack)?.insert(&instance, true).await?;
        Ok(Self {
            close,
            organization,
            stack,
        })
    }

    /// Polls until there is nothing left to do: one poll after the other, each as long as the function may run.
    ///
    /// # Errors
    /// If a poll fails for any other reason than its time.
    pub(crate) async fn poll(&self) -> Result<Polls> {
        let mut polls = Polls::default();
        let event = json!({
            "source": "closeio.poller",
            "detail-type": "poll.requested",
            "detail": {"instanceId": INSTANCE},
        });
        loop {
            let summary = self.poller()?.invoke(&event).await?;
            let summary: Summary = serde_json::from_value(summary)?;
            polls.count += 1;
            polls.requests += summary.requests;
            say(format_args!(
                "poll {}: {} published, {} read again, {} requests",
                polls.count, summary.published, summary.duplicates, summary.requests
            ))?;
            if summary.failed.is_empty() {
                return Ok(polls);
            }
            let is_passing = |reason: &String| reason == OUT_OF_TIME;
            let failed = summary.failed;
            ensure!(failed.values().all(is_passing), "a poll failed: {failed:?}");
        }
    }

    /// The function that polls.
    pub(crate) fn poller(&self) -> Result<&Arc<Function>> {
        self.stack.function(POLLER)
    }
}

/// The table of a stack's instances.
pub(crate) fn instances(stack: &LocalStack) -> Result<InstanceTable> {
    let name = stack.store().table("InstancesTable")?;
    Ok(InstanceTable::new(
        &sdk::config(&stack.store().url())?,
        name,
    ))
}

/// A moment so long before now, in whole milliseconds as Close stamps.
pub(crate) fn ago(time: SignedDuration) -> Result<Timestamp> {
    let then = now().checked_sub(time)?;
    Ok(Timestamp::from_millisecond(then.as_millisecond())?)
}

#[expect(
    clippy::disallowed_methods,
    reason = "this binary has no clock to be handed"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
