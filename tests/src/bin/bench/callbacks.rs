//! Receivers that are slow, silent or refuse hardly delay what the others get.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Args;
use jiff::Timestamp;
use local_stack::aws::lambda::function::Line;
use local_stack::aws::sqs::queue::message::Message;
use local_stack::stack::LocalStack;
use serde::Deserialize;
use serde_json::json;
use shared::instance::Instance;
use shared::instance::configuration::Configuration;
use shared::json;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{interval, sleep};

mod ledger;
mod manner;
mod receivers;
mod slot;

use ledger::Ledger;
use manner::{GOOD, Manner};
use slot::{RECEIVERS, Slot};

use crate::drain::float;
use crate::ground::{instances, now, stack};
use crate::report::{Report, say};

/// The time of 99 of 100 notifications to good receivers, over what it is when there are no others.
const MAX_RATIO: f64 = 2.0;
/// An attempt takes 15 s at most, and one that holds up others does so once.
const MAX_FIRST_WAIT: f64 = 16.0;
/// The function that calls back, by its key in the template.
const CALLBACK: &str = "CallbackFunction";
const FIRST: &str = "CallbackQueue";
const RETRIES: &str = "CallbackRetryQueue";
/// How often it is looked whether the last events have come.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How much is sent, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Events a second to the 35 good receivers together. Each of the others is sent as many as one of them.
    #[arg(long, default_value_t = 20)]
    rate: u32,
    /// Seconds of each phase that are measured.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Seconds of each phase before that: functions start, and callback-fn learns who is slow.
    #[arg(long, default_value_t = 20)]
    warm_up: u64,
    /// Invocations of callback-fn that there can be at once. The template's concurrency of the two queues needs 25.
    #[arg(long, default_value_t = 30)]
    places: u32,
    /// Seconds at most that are waited for the last events of good and slow receivers.
    #[arg(long, default_value_t = 120)]
    linger: u64,
}

/// When the events of a phase were sent.
struct Phase {
    warm_up: Range<Instant>,
    measured: Range<Instant>,
}

/// The load and who gets it.
struct Load {
    options: Options,
    stack: LocalStack,
    ledger: Arc<Ledger>,
    next: usize,
}

/// Of an event as it is in a queue.
#[derive(Deserialize)]
struct Queued {
    detail: Detail,
}

#[derive(Deserialize)]
struct Detail {
    id: String,
}

/// Of a line in embedded metric format.
#[derive(Deserialize)]
struct Measured {
    #[serde(rename = "CallbacksDiverted")]
    diverted: usize,
}

/// How long notifications took.
struct Quantiles {
    count: usize,
    median: Duration,
    p99: Duration,
    worst: Duration,
}

impl Options {
    /// Sends to the good receivers alone, then to all, and compares.
    pub(crate) async fn run(self) -> Result<Report> {
        let stack = stack()
            .environment(CALLBACK, "CALLBACK_ALLOW_LOOPBACK", "true")
            .places(CALLBACK, self.places);
        let stack = stack.start().await?;
        let output = stack.output().subscribe();
        let ledger = Arc::new(Ledger::default());
        provision(&stack, &receivers::start(ledger.clone()).await?).await?;
        let mut load = Load {
            options: self,
            stack,
            ledger,
            next: 0,
        };
        say("good receivers alone")?;
        let idle = load.send(|manner| manner == Manner::Good).await?;
        say("all receivers")?;
        let trouble = load.send(|_| true).await?;
        say("the last events")?;
        load.linger().await;

        let mut report = Report::default();
        load.compare(&idle, &trouble, &mut report)?;
        load.account(&mut report)?;
        report.figure("diverted", diverted(output)?);
        load.stack.shutdown().await?;
        Ok(report)
    }
}

impl Load {
    /// Sends events, evenly and in turns, to the receivers that are called in this phase; the others' turns pass.
    async fn send(&mut self, is_called: fn(Manner) -> bool) -> Result<Phase> {
        let began = Instant::now();
        let settled = began + Duration::from_secs(self.options.warm_up);
        let end = settled + Duration::from_secs(self.options.seconds);
        let turn = float(GOOD) / f64::from(self.options.rate);
        let mut ticks = interval(Duration::from_secs_f64(turn / float(RECEIVERS)));
        while Instant::now() < end {
            ticks.tick().await;
            let slot = Slot(self.next);
            self.next += 1;
            if is_called(Manner::of(slot)) {
                let event = Message::new(event(slot, now()));
                self.ledger.sent(slot);
                self.stack.queue(FIRST)?.send(event)?;
            }
        }
        Ok(Phase {
            warm_up: began..settled,
            measured: settled..end,
        })
    }

    /// Waits for the events that are still to come to good and slow receivers.
    async fn linger(&self) {
        let end = Instant::now() + Duration::from_secs(self.options.linger);
        let is_complete = |manner| self.ledger.is_complete(manner);
        while Instant::now() < end && !(is_complete(Manner::Good) && is_complete(Manner::Slow)) {
            sleep(LOOK_EVERY).await;
        }
    }

    fn compare(&self, idle: &Phase, trouble: &Phase, report: &mut Report) -> Result<()> {
        let latencies = |span: &Range<Instant>| self.ledger.latencies(Manner::Good, span);
        let alone = Quantiles::of(&latencies(&idle.measured))?;
        let among_all = Quantiles::of(&latencies(&trouble.measured))?;
        alone.report("alone", report);
        among_all.report("among all", report);
        let ratio = among_all.p99.as_secs_f64() / alone.p99.as_secs_f64();
        report.at_most("ratio of p99", ratio, MAX_RATIO);
        let warm_up = Quantiles::of(&latencies(&trouble.warm_up))?;
        let worst = warm_up.worst.as_secs_f64();
        report.at_most("worst of the warm-up, s", worst, MAX_FIRST_WAIT);
        let slow = self.ledger.latencies(Manner::Slow, &trouble.measured);
        if let Some(worst) = slow.last() {
            report.figure("worst of slow, s", format!("{:.1}", worst.as_secs_f64()));
        }
        Ok(())
    }

    /// Says where all events are: none is lost, and none has been given up yet.
    fn account(&self, report: &mut Report) -> Result<()> {
        // An event is in the second queue before it leaves the first, and delivered before it leaves either.
        let mut queued = self.queued(FIRST)?;
        queued.extend(self.queued(RETRIES)?);
        for (name, manner) in [
            ("good", Manner::Good),
            ("slow", Manner::Slow),
            ("silent", Manner::Silent),
            ("refusing", Manner::Refusing),
        ] {
            let counts = self.ledger.counts(manner, &queued);
            let sent = format!("of {}", counts.sent);
            report.figure(&format!("{name}: delivered {sent}"), counts.delivered);
            report.figure(&format!("{name}: again"), counts.repeated);
            report.figure(&format!("{name}: queued"), counts.queued);
            let lost = counts.sent - counts.delivered - counts.queued;
            report.exactly(&format!("{name}: lost"), lost, 0);
        }
        let good = self.ledger.counts(Manner::Good, &queued);
        report.exactly("good: late or lost", good.sent - good.delivered, 0);
        for queue in ["CallbackFailureQueue", "CallbackDeadLetterQueue"] {
            let given_up = self.stack.queue(queue)?.messages().snapshot().len();
            report.exactly(queue, given_up, 0);
        }
        Ok(())
    }

    fn queued(&self, queue: &str) -> Result<BTreeSet<Slot>> {
        let held = self.stack.queue(queue)?.contents();
        let slots = held.iter().map(|held| {
            let queued: Queued = json::read(&held.message.body)?;
            Slot::read(&queued.detail.id).context(queued.detail.id)
        });
        slots.collect()
    }
}

impl Quantiles {
    /// Of latencies, the fastest first.
    fn of(latencies: &[Duration]) -> Result<Self> {
        let quantile = |percent: usize| {
            let rank = (latencies.len() * percent).div_ceil(100).checked_sub(1);
            let quantile = rank.and_then(|rank| latencies.get(rank));
            quantile.copied().context("no notification was delivered")
        };
        Ok(Self {
            count: latencies.len(),
            median: quantile(50)?,
            p99: quantile(99)?,
            worst: quantile(100)?,
        })
    }

    fn report(&self, name: &str, report: &mut Report) {
        report.figure(&format!("{name}: notifications"), self.count);
        for (quantile, duration) in [
            ("median", self.median),
            ("p99", self.p99),
            ("worst", self.worst),
        ] {
            let milliseconds = 1_000.0 * duration.as_secs_f64();
            report.figure(
                &format!("{name}: {quantile}, ms"),
                format!("{milliseconds:.1}"),
            );
        }
    }
}

/// An instance for each receiver, whose number is that of the receiver and one.
async fn provision(stack: &LocalStack, url: &str) -> Result<()> {
    let table = instances(stack)?;
    for receiver in 0..RECEIVERS {
        let mut configuration = Configuration::default();
        for (key, value) in [
            ("username", "none"),
            ("event.notification.enabled", "true"),
            ("event.notification.type", "webhook"),
            (
                "event.notification.callback.url",
                &format!("{url}/{receiver}"),
            ),
            ("event.vendor.type", "webhook"),
        ] {
            configuration.set(key, value);
        }
        let id = u64::try_from(receiver + 1)?.try_into()?;
        let instance = Instance::new(id, "Bench", configuration, now());
        table.insert(&instance, false).await?;
    }
    Ok(())
}

/// An event as the rule puts it into the queue.
fn event(slot: Slot, time: Timestamp) -> String {
    let event = json!({
        "source": "closeio",
        "time": time,
        "detail": {
            "id": slot.to_id(),
            "instanceId": slot.receiver() + 1,
            "instanceName": "Bench",
            "instanceTags": ["Bench"],
            "elementKey": "closeio",
            "objectType": "lead",
            "objectId": format!("lead_{}", slot.turn()),
            "eventType": "UPDATED",
            "action": "updated",
            "date": time,
            "channel": "webhook",
            "callback": true,
            "raw": {"id": format!("lead_{}", slot.turn()), "status_label": "Potential"},
        },
    });
    event.to_string()
}

/// How many notifications callback-fn has moved to the retry queue without an attempt, as it measures.
fn diverted(mut output: UnboundedReceiver<Arc<Line>>) -> Result<usize> {
    let mut diverted = 0;
    while let Ok(line) = output.try_recv() {
        if line.text.contains("\"CallbacksDiverted\":") {
            diverted += json::read::<Measured>(&line.text)?.diverted;
        }
    }
    Ok(diverted)
}
