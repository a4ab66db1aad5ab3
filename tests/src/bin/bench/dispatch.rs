//! A backlog of instances that are due is dispatched tick by tick, each once, and their polls spread afterwards.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use clap::Args;
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use local_stack::aws::eventbridge::event::Event;
use local_stack::aws::lambda::function::Function;
use local_stack::stack::LocalStack;
use serde::Deserialize;
use serde_json::json;
use shared::instance::Instance;
use shared::instance::configuration::Configuration;
use shared::instance::id::MAX_INSTANCE_ID;
use shared::store::instances::InstanceTable;
use tokio::task::JoinSet;

use crate::drain::float;
use crate::ground::{POLLER, ago, instances, now, stack};
use crate::report::{Report, say};
use crate::tally::Tally;

/// Writers and polls at once.
const WORKERS: usize = 8;
/// The interval of an instance that says nothing of it.
const INTERVAL: SignedDuration = SignedDuration::from_mins(15);
/// 100,000 polls in 15 minutes are 111 a second. Ids are random, so one minute has a few more than another.
const MAX_STEADY: f64 = 120.0;
/// How much longer the ticks may take than `DispatchPerSecond` would have them take.
const MAX_TIME: f64 = 1.1;

/// How many instances, and how fast.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Instances, all due.
    #[arg(long, default_value_t = 100_000)]
    count: usize,
    /// The template's `DispatchPerSecond`.
    #[arg(long, default_value_t = 200)]
    per_second: u32,
    /// Milliseconds that `DynamoDB` and `EventBridge` take for an answer, beside the local stack's own time.
    #[arg(long, default_value_t = 5)]
    latency: u64,
    /// Seed of the instances' ids.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What the ticks did.
#[derive(Debug, Default)]
struct Ticks {
    time: Duration,
    /// How often a poll was asked for, by instance.
    requested: HashMap<u64, usize>,
    put_calls: usize,
    table_calls: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PollRequested {
    instance_id: u64,
}

impl Options {
    /// Provisions the instances, ticks until nothing is due, and reports.
    pub(crate) async fn run(self) -> Result<Report> {
        // The polls are made when all ticks are done, so that each is measured alone.
        let stack = stack()
            .without_rule("PollRequestedRule")
            .parameter("DispatchPerSecond", self.per_second.to_string());
        let stack = stack.start().await?;
        let ids = self.ids();
        let (table, poller) = (instances(&stack)?, stack.function(POLLER)?);
        let (client, name) = (
            stack.store().client(),
            stack.store().table("InstancesTable")?,
        );
        let due = ago(SignedDuration::from_mins(1))?;
        in_parallel(&ids, |id| provision(table.clone(), id, due)).await?;
        let set_latency = |latency| {
            stack.store().set_latency(latency);
            stack.bus().set_latency(latency);
        };
        set_latency(Duration::from_millis(self.latency));
        let mut ticks = Ticks::default();
        loop {
            let dispatched = ticks.tick(&stack).await?;
            if dispatched.is_empty() {
                break;
            }
            let later = now() + INTERVAL;
            let postpone = |id| postpone(client.clone(), name.clone(), id, later);
            in_parallel(&dispatched, postpone).await?;
        }
        set_latency(Duration::ZERO);
        in_parallel(&ids, |id| poll(poller.clone(), id)).await?;
        let steady = busiest_minute(&stack).await? / 60.0;

        let mut report = ticks.report(&ids, self.per_second);
        report.at_most("steady dispatches a second", steady, MAX_STEADY);
        stack.shutdown().await?;
        Ok(report)
    }

    fn ids(&self) -> Vec<u64> {
        let mut rng = Rng::with_seed(self.seed);
        let mut ids = BTreeSet::new();
        while ids.len() < self.count {
            ids.insert(rng.u64(1..=MAX_INSTANCE_ID));
        }
        ids.into_iter().collect()
    }
}

impl Ticks {
    /// Ticks once. Returns the instances for which a poll was asked.
    async fn tick(&mut self, stack: &LocalStack) -> Result<Vec<u64>> {
        let mut requested = Tally::new(stack.bus().events(), instance_of);
        let mut puts = Tally::new(stack.bus().calls(), |_| Ok(()));
        let mut calls = Tally::new(stack.store().calls(), |call| Ok(call.operation.clone()));
        let began = Instant::now();
        let tick = calls.during(puts.during(requested.during(stack.tick("PollerFunction"))));
        let summary = tick.await????;
        let time = began.elapsed();

        let dispatched: Vec<_> = requested.counts().keys().copied().collect();
        say(format_args!(
            "tick of {:.1} s: {summary}",
            time.as_secs_f64()
        ))?;
        self.time += time;
        self.put_calls += puts.total();
        for (id, times) in requested.counts() {
            *self.requested.entry(*id).or_default() += times;
        }
        for (operation, times) in calls.counts() {
            *self.table_calls.entry(operation.clone()).or_default() += times;
        }
        Ok(dispatched)
    }

    fn report(&self, ids: &[u64], per_second: u32) -> Report {
        let mut report = Report::default();
        let once = ids.iter().filter(|id| self.requested.get(id) == Some(&1));
        report.exactly("dispatched once", once.count(), ids.len());
        let seconds = self.time.as_secs_f64();
        report.figure("seconds in ticks", format!("{seconds:.1}"));
        report.figure(
            "dispatches a second",
            format!("{:.0}", float(ids.len()) / seconds),
        );
        let allowed = float(ids.len()) / f64::from(per_second);
        report.at_most("of the time that it allows", seconds / allowed, MAX_TIME);
        report.figure("PutEvents", self.put_calls);
        for (operation, count) in &self.table_calls {
            report.figure(operation, count);
        }
        report
    }
}

fn instance_of(event: &Event) -> Result<u64> {
    Ok(event.parse_detail::<PollRequested>()?.instance_id)
}

/// Does `work` for each id, [`WORKERS`] at a time.
async fn in_parallel<F>(ids: &[u64], work: impl Fn(u64) -> F) -> Result<()>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let mut running = JoinSet::new();
    for id in ids {
        if WORKERS <= running.len()
            && let Some(done) = running.join_next().await
        {
            done??;
        }
        running.spawn(work(*id));
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(())
}

/// An instance that has nothing to poll, so that its polls are the lease and the next poll's time, and nothing else.
async fn provision(table: InstanceTable, id: u64, due: Timestamp) -> Result<()> {
    let mut configuration = Configuration::default();
    configuration.set_default("username", "none");
    let instance = Instance::new(id.try_into()?, "Bench", configuration, due);
    Ok(table.insert(&instance, true).await?)
}

/// What the end of its poll means to the next ticks.
async fn postpone(client: Client, table: String, id: u64, until: Timestamp) -> Result<()> {
    let update = client.update_item().table_name(table);
    let update = update.key("id", AttributeValue::N(id.to_string()));
    let update = update.update_expression("SET nextPollAt = :until");
    let until = AttributeValue::N(until.as_millisecond().to_string());
    let update = update.expression_attribute_values(":until", until);
    update.send().await?;
    Ok(())
}

async fn poll(poller: Arc<Function>, id: u64) -> Result<()> {
    let event = json!({
        "source": "closeio.poller",
        "detail-type": "poll.requested",
        "detail": {"instanceId": id},
    });
    poller.invoke(&event).await?;
    Ok(())
}

/// The polls that are due in that minute of the interval in which the most are.
async fn busiest_minute(stack: &LocalStack) -> Result<f64> {
    let scan = stack.store().client().scan();
    let scan = scan.table_name(stack.store().table("InstancesTable")?);
    let mut items = scan.into_paginator().items().send();
    let mut minutes: BTreeMap<i64, usize> = BTreeMap::new();
    while let Some(item) = items.next().await {
        let item = item?;
        let next = item.get("nextPollAt").and_then(|value| value.as_n().ok());
        let millis: i64 = next.context("an instance is not polled")?.parse()?;
        *minutes
            .entry(millis / 60_000 % INTERVAL.as_mins())
            .or_default() += 1;
    }
    Ok(float(minutes.into_values().max().unwrap_or_default()))
}
