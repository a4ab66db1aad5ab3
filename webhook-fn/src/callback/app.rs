//! A batch of messages, and what becomes of them.

use std::collections::BTreeMap;
use std::convert::Infallible;

use aws_types::SdkConfig;
use futures_util::future::{join, join_all};
use jiff::Timestamp;
use lambda_runtime::LambdaEvent;
use reqwest::Client;
use shared::clock::Clock;
use shared::instance_id::InstanceId;
use shared::instance_table::InstanceTable;
use shared::metrics::{Measures, Metrics, Service};
use tokio::time::Instant;

use super::config::Config;
use super::deliver::{self, ATTEMPT_TIMEOUT};
use super::event::Event;
use super::instance::deliver_to;
use super::message::{Answer, Message, SqsEvent};
use super::queues::Queues;
use super::reason::Reason;
use super::recent::Recent;
use super::report;

/// What the function works with, set up once.
#[derive(Debug)]
pub struct App {
    /// The settings.
    pub config: Config,
    /// The Instances table.
    pub instances: InstanceTable,
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
    pub event: Event<'a>,
}

/// The time of one invocation.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// The time.
    pub clock: Clock,
    /// No attempt goes on after this.
    pub deadline: Instant,
}

/// Where a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// To its callback URL.
    Delivered,
    /// To the retry queue.
    Again,
    /// To the dead-letter queue.
    Dead,
    /// Nowhere: it comes again.
    Kept,
}

impl App {
    /// Sets up the adapters; no call is made.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(config: Config, aws: &SdkConfig) -> Result<Self, reqwest::Error> {
        Ok(Self {
            instances: InstanceTable::new(aws, config.instances_table.clone()),
            queues: Queues::new(aws, &config),
            http: deliver::client(config.allow_loopback)?,
            recent: Recent::default(),
            metrics: Metrics::new(config.metrics_namespace.clone(), Service::Callback),
            config,
        })
    }
}

/// Delivers what is due of a batch, that of each instance beside that of the others.
///
/// # Errors
/// Never: what could not be done stays in its queue.
pub async fn handle(app: &App, event: LambdaEvent<SqsEvent>) -> Result<Answer, Infallible> {
    let clock = Clock::start();
    let turn = Turn {
        clock,
        deadline: Instant::now() + ATTEMPT_TIMEOUT,
    };
    // Of a process that is new, whatever becomes of its first batch.
    app.metrics.write(Measures::default(), clock.started());
    let messages = read(app, event.payload, clock.started());
    let (early, due): (Vec<_>, Vec<_>) = messages
        .iter()
        .partition(|message| message.wait(clock.started()).is_some());
    let (notices, poison) = sort_out(&due);

    let delivering = notices
        .iter()
        .map(|(id, notices)| deliver_to(app, *id, notices, turn));
    let giving_up = poison.iter().map(|message| give_up(app, message));
    let (delivered, given_up) = join(join_all(delivering), join_all(giving_up)).await;
    // As late as can be: what hides a message is counted from here.
    join_all(early.iter().map(|message| hide(app, message, &clock))).await;

    let given_up: Vec<_> = given_up.into_iter().flatten().collect();
    let now = clock.now();
    app.metrics
        .write(report::measures(None, &given_up, now), now);
    let delivered = delivered.into_iter().flatten();
    let fates: Vec<_> = delivered.chain(given_up).collect();
    summarize(&fates, early.len());
    let kept = fates.into_iter().filter(|(_, fate)| *fate == Fate::Kept);
    let kept = kept.map(|(message, _)| message).chain(early);
    Ok(Answer::keeping(kept.map(|message| message.id.clone())))
}

fn read(app: &App, event: SqsEvent, now: Timestamp) -> Vec<Message> {
    let retry_queue_url = &app.config.retry_queue_url;
    let read = |record| Message::read(record, retry_queue_url, now);
    event.records.into_iter().map(read).collect()
}

/// The notices of each instance in their order, and the messages that are none.
fn sort_out<'a>(due: &[&'a Message]) -> (BTreeMap<InstanceId, Vec<Notice<'a>>>, Vec<&'a Message>) {
    let mut notices: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut poison = Vec::new();
    for message in due {
        match Event::parse(&message.body) {
            Some(event) => {
                let of_instance = notices.entry(event.instance_id).or_default();
                of_instance.push(Notice { message, event });
            }
            None => poison.push(*message),
        }
    }
    (notices, poison)
}

async fn give_up<'a>(app: &App, message: &'a Message) -> Vec<(&'a Message, Fate)> {
    let reason = Reason::NotAnEvent;
    let fate = match app.queues.give_up(message, reason).await {
        Ok(()) => {
            tracing::warn!(message.id, %reason, "a message was given up");
            Fate::Dead
        }
        Err(error) => {
            tracing::error!(message.id, %error, "a message could not be given up");
            Fate::Kept
        }
    };
    vec![(message, fate)]
}

/// A message that cannot be hidden comes again after the queue's own time.
async fn hide(app: &App, message: &Message, clock: &Clock) {
    let wait = message.wait(clock.now()).unwrap_or_default();
    if let Err(error) = app.queues.hide(message, wait).await {
        tracing::warn!(message.id, %error, "a message could not be hidden until it is due");
    }
}

fn summarize(fates: &[(&Message, Fate)], early: usize) {
    let count = |fate: Fate| fates.iter().filter(|(_, found)| *found == fate).count();
    tracing::info!(
        delivered = count(Fate::Delivered),
        retried = count(Fate::Again),
        dead = count(Fate::Dead),
        kept = count(Fate::Kept),
        early,
        "a batch of notifications was handled"
    );
}
