//! A batch of messages, and what becomes of them.

use std::collections::BTreeMap;

use aws_types::SdkConfig;
use futures_util::future::{join, join_all};
use jiff::Timestamp;
use reqwest::Client;
use shared::clock::Clock;
use shared::instance_id::InstanceId;
use shared::instance_table::InstanceTable;
use shared::metrics::{Metrics, Service};

use super::config::Config;
use super::deliver;
use super::event::Published;
use super::instance::deliver_to;
use super::message::{Answer, Message};
use super::outside::Outside;
use super::queues::Queues;
use super::reason::Reason;
use super::recent::Recent;
use super::waits_table::WaitsTable;

/// What the function works with, set up once.
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
    /// What is measured.
    pub metrics: Metrics,
}

/// An event and the message that it came in.
#[derive(Debug)]
pub struct Notice<'a> {
    /// The message.
    pub message: &'a Message,
    /// The event.
    pub published: Published<'a>,
}

/// What a batch is handled with.
#[derive(Debug)]
pub struct Batch<'a, O> {
    /// The tables, the queues and the receivers.
    pub outside: &'a O,
    /// What was learned of callback URLs just now.
    pub recent: &'a Recent,
    /// Whether notifications may go to this machine, over http too.
    pub allow_loopback: bool,
    /// The time.
    pub clock: Clock,
}

/// Where a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// To its callback URL.
    Delivered,
    /// To wait for another attempt.
    Again,
    /// To the retry queue, without an attempt.
    Diverted,
    /// To the dead-letter queue, or the failure queue.
    Dead,
    /// Nowhere: it comes again.
    Kept,
}

/// A message and what became of it.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// The message.
    pub message: &'a Message,
    /// When its event was published, if it is one.
    pub published: Option<Timestamp>,
    /// Where it went.
    pub fate: Fate,
}

/// What became of the messages of a batch.
#[derive(Debug, Default)]
pub struct Handled<'a> {
    /// Of each instance.
    pub instances: Vec<(InstanceId, Vec<Ended<'a>>)>,
    /// Of those that are nobody's.
    pub nobodys: Vec<Ended<'a>>,
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
            http: deliver::client(config.allow_loopback)?,
            recent: Recent::default(),
            metrics: Metrics::new(config.metrics_namespace.clone(), Service::Callback),
            config,
        })
    }
}

impl<O> Clone for Batch<'_, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for Batch<'_, O> {}

impl Handled<'_> {
    /// What SQS is told: what could not be done stays in its queue.
    pub fn answer(&self) -> Answer {
        let kept = self.ended().filter(|ended| ended.fate == Fate::Kept);
        Answer::keeping(kept.map(|ended| ended.message.id.clone()))
    }

    /// Logs how many went where.
    pub fn log(&self) {
        let count = |fate: Fate| self.ended().filter(|ended| ended.fate == fate).count();
        tracing::info!(
            delivered = count(Fate::Delivered),
            retried = count(Fate::Again),
            diverted = count(Fate::Diverted),
            dead = count(Fate::Dead),
            kept = count(Fate::Kept),
            "a batch of notifications was handled"
        );
    }

    fn ended(&self) -> impl Iterator<Item = &Ended<'_>> {
        let instances = self.instances.iter().flat_map(|(_, ended)| ended);
        instances.chain(&self.nobodys)
    }
}

/// Delivers a batch, the notifications of each instance beside those of the others.
pub async fn deliver<'a, O: Outside>(batch: Batch<'_, O>, messages: &'a [Message]) -> Handled<'a> {
    let (notices, poison) = sort_out(messages);
    let delivering = notices
        .iter()
        .map(async |(id, notices)| (*id, deliver_to(batch, *id, notices).await));
    let giving_up = poison.into_iter().map(|message| give_up(batch, message));
    let (instances, nobodys) = join(join_all(delivering), join_all(giving_up)).await;
    Handled { instances, nobodys }
}

/// The notices of each instance in their order, and the messages that are none.
fn sort_out(messages: &[Message]) -> (BTreeMap<InstanceId, Vec<Notice<'_>>>, Vec<&Message>) {
    let mut notices: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut poison = Vec::new();
    for message in messages {
        match Published::parse(&message.body) {
            Some(published) => {
                let of_instance = notices.entry(published.event.instance_id).or_default();
                of_instance.push(Notice { message, published });
            }
            None => poison.push(message),
        }
    }
    (notices, poison)
}

async fn give_up<'a, O: Outside>(batch: Batch<'_, O>, message: &'a Message) -> Ended<'a> {
    let reason = Reason::NotAnEvent;
    let fate = match batch.outside.give_up(message, reason).await {
        Ok(()) => {
            tracing::warn!(message.id, %reason, "a message was given up");
            Fate::Dead
        }
        Err(error) => {
            tracing::error!(message.id, %error, "a message could not be given up");
            Fate::Kept
        }
    };
    Ended {
        message,
        published: None,
        fate,
    }
}
