//! The settings and the adapters of callback-fn, and its implementation of `Outside`.

use aws_types::SdkConfig;
use jiff::{SignedDuration, Timestamp};
use reqwest::Client;
use shared::function::metrics::{Metrics, Service};
use shared::instance::Instance;
use shared::instance::callback_state::CallbackChange;
use shared::instance::id::InstanceId;
use shared::store::error::TableError;
use shared::store::instances::InstanceTable;

use super::attempt::{self, Attempt, CallbackRequest};
use super::config::Config;
use super::message::{Message, Retry};
use super::outside::{Outside, PassOnError};
use super::queues::{Queued, Queues};
use super::reason::Reason;
use super::recent::Recent;
use super::schedule;
use super::waits_table::{Waiting, WaitingCursor, WaitingPage, WaitsTable};

/// The settings and the adapters of the function, set up once.
#[derive(Debug)]
pub struct App {
    /// The settings.
    pub config: Config,
    /// The Instances table.
    pub instances: InstanceTable,
    /// Where notifications wait for long.
    pub waits: WaitsTable,
    /// Where notifications go that were not delivered.
    pub queues: Queues,
    /// The client of all callback URLs.
    pub http: Client,
    /// What was learned of them just now.
    pub recent: Recent,
    /// The writer of metrics.
    pub metrics: Metrics,
}

impl App {
    /// Sets up the adapters; no call is made.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(config: Config, aws: &SdkConfig) -> Result<Self, reqwest::Error> {
        Ok(Self {
            instances: InstanceTable::new(aws, config.instances_table.clone()),
            waits: WaitsTable::new(aws, config.waits_table.clone()),
            queues: Queues::new(aws, &config),
            http: attempt::client(config.allow_loopback)?,
            recent: Recent::default(),
            metrics: Metrics::new(config.metrics_namespace.clone(), Service::Callback),
            config,
        })
    }
}

impl Outside for App {
    async fn instance(&self, id: InstanceId) -> Result<Option<Instance>, TableError> {
        self.instances.get(id).await
    }

    async fn note(&self, id: InstanceId, change: &CallbackChange) -> Result<(), TableError> {
        self.instances.note_callback(id, change).await
    }

    async fn post(&self, request: CallbackRequest<'_>, now: Timestamp) -> Attempt {
        attempt::send(&self.http, request, now).await
    }

    async fn put_off(
        &self,
        message: &Message,
        id: InstanceId,
        retry: &Retry,
        reason: Reason,
        now: Timestamp,
    ) -> Result<(), PassOnError> {
        let delay = retry.due.duration_since(now);
        if schedule::waits_in_table(message, delay) {
            return Ok(self.waits.insert(message, id, retry, reason).await?);
        }
        let queued = Queued {
            instance_id: id,
            body: &message.body,
            attempts: retry.attempts,
            first_failure: Some(retry.first_failure),
            reason: Some(&reason.to_string()),
            delay,
        };
        Ok(self.queues.retry(&queued).await?)
    }

    async fn divert(&self, message: &Message, id: InstanceId) -> Result<(), PassOnError> {
        let queued = Queued {
            instance_id: id,
            body: &message.body,
            attempts: 0,
            first_failure: None,
            reason: None,
            delay: SignedDuration::ZERO,
        };
        Ok(self.queues.retry(&queued).await?)
    }

    async fn give_up(&self, message: &Message, reason: Reason) -> Result<(), PassOnError> {
        Ok(self.queues.give_up(message, reason).await?)
    }

    async fn due(
        &self,
        shard: u64,
        until: Timestamp,
        after: Option<WaitingCursor>,
    ) -> Result<WaitingPage, TableError> {
        self.waits.due(shard, until, after).await
    }

    async fn release(&self, waiting: &Waiting, delay: SignedDuration) -> Result<(), PassOnError> {
        let queued = Queued {
            instance_id: waiting.instance_id,
            body: &waiting.body,
            attempts: waiting.attempts,
            first_failure: Some(waiting.first_failure),
            reason: Some(&waiting.reason),
            delay,
        };
        Ok(self.queues.retry(&queued).await?)
    }

    async fn remove(&self, waiting: &Waiting) -> Result<(), TableError> {
        self.waits.remove(waiting).await
    }
}
