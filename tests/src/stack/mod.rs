//! The whole stack: started from the template, handled through one value.

pub mod binaries;
pub mod builder;

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::time::{Instant, interval_at};

use crate::aws::apigateway::Gateway;
use crate::aws::cloudwatch::{self, Datapoint};
use crate::aws::dynamodb::Store;
use crate::aws::eventbridge::Bus;
use crate::aws::eventbridge::schedule::{self, Mode};
use crate::aws::iam::Access;
use crate::aws::lambda::asynchronous::Asynchronous;
use crate::aws::lambda::function::{Function, Line};
use crate::aws::lambda::invocation::{FunctionError, Invocation};
use crate::aws::lambda::mapping::Mappings;
use crate::aws::lambda::targets::Targets;
use crate::aws::sqs::queue::Queue;
use crate::aws::sqs::service::Sqs;
use crate::control::journal::Journal;
use crate::plumbing::background::Background;
use crate::template::Template;
use crate::template::specs::function::ScheduleSpec;

/// A running stack. Dropping it kills every process that it started.
#[derive(Debug)]
pub struct LocalStack {
    template: Template,
    access: Arc<Access>,
    store: Store,
    bus: Bus,
    sqs: Sqs,
    functions: Vec<Arc<Function>>,
    targets: Arc<Targets>,
    gateway: Gateway,
    output: Arc<Journal<Line>>,
    measured: Arc<Journal<Datapoint>>,
    asynchronous: Asynchronous,
    ticking: Background,
    mappings: Mappings,
}

impl LocalStack {
    /// Where the HTTP API listens, without a final slash.
    pub fn url(&self) -> String {
        self.gateway.url()
    }

    /// The template, resolved.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// What the roles of the template allowed and did not.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// DynamoDB.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// EventBridge.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// SQS, as the functions call it. A queue itself is [`LocalStack::queue`].
    pub fn sqs(&self) -> &Sqs {
        &self.sqs
    }

    /// A function, by its key in the template.
    ///
    /// # Errors
    /// If the template has no such function.
    pub fn function(&self, logical_id: &str) -> Result<&Arc<Function>> {
        let mut functions = self.functions.iter();
        functions
            .find(|function| function.spec.logical_id == logical_id)
            .with_context(|| format!("the template has no function {logical_id}"))
    }

    /// A queue, by its key in the template.
    ///
    /// # Errors
    /// If the template has no such queue.
    pub fn queue(&self, logical_id: &str) -> Result<&Arc<Queue>> {
        let mut queues = self.targets.queues.values();
        queues
            .find(|queue| queue.spec.logical_id == logical_id)
            .with_context(|| format!("the template has no queue {logical_id}"))
    }

    /// Stops feeding functions from queues. What has been received already is handled.
    pub fn disable_mappings(&self) {
        self.mappings.set_enabled(false);
    }

    /// Feeds functions from queues again.
    pub fn enable_mappings(&self) {
        self.mappings.set_enabled(true);
    }

    /// Stops feeding functions from one queue, by its key in the template. What has been received already is handled.
    ///
    /// # Errors
    /// If no function is fed from such a queue.
    pub fn disable_mapping(&self, queue: &str) -> Result<()> {
        self.mappings.set_enabled_of(queue, false)
    }

    /// Feeds functions from one queue again, by its key in the template.
    ///
    /// # Errors
    /// If no function is fed from such a queue.
    pub fn enable_mapping(&self, queue: &str) -> Result<()> {
        self.mappings.set_enabled_of(queue, true)
    }

    /// The value of a secret, by its key in the template.
    ///
    /// # Errors
    /// If the template has no such secret.
    pub fn secret(&self, logical_id: &str) -> Result<&str> {
        self.template
            .secret(logical_id)
            .with_context(|| format!("the template has no secret {logical_id}"))
    }

    /// All that the functions wrote to stdout and stderr.
    pub fn output(&self) -> &Journal<Line> {
        &self.output
    }

    /// What AWS would have measured, but for queues, of which there is what [`LocalStack::look_at_queues`] has seen.
    pub fn measured(&self) -> &Journal<Datapoint> {
        &self.measured
    }

    /// Measures all queues once, as SQS does each minute.
    pub fn look_at_queues(&self) {
        for queue in self.targets.queues.values() {
            cloudwatch::look_at(queue, &self.measured);
        }
    }

    /// Ticks the schedule of a function once: invokes the function, and waits for its answer.
    ///
    /// # Errors
    /// As the invocation fails, or if the template does not have exactly one schedule of the function.
    pub async fn tick(&self, logical_id: &str) -> Result<Value, FunctionError> {
        let of_function = self.schedules();
        let of_function =
            of_function.filter(|(function, _)| function.spec.logical_id == logical_id);
        let schedules: Vec<_> = of_function.collect();
        let [(function, schedule)] = schedules.as_slice() else {
            let found = schedules.len();
            let message = format!("expected one schedule of {logical_id}, but found {found}");
            return Err(FunctionError::new("Schedule", message));
        };
        let payload = schedule::payload(schedule);
        let payload = serde_json::from_str(&payload).unwrap_or(Value::String(payload));
        function.invoke(&payload).await
    }

    /// Stops everything.
    ///
    /// # Errors
    /// If something asked EventBridge or SQS for what they do not offer, or a service for what its role does not allow.
    pub async fn shutdown(self) -> Result<()> {
        for function in &self.functions {
            function.stop().await;
        }
        let mut unexpected = self.bus.unexpected().snapshot();
        unexpected.extend(self.sqs.unexpected().snapshot());
        ensure!(unexpected.is_empty(), "unexpected requests: {unexpected:?}");
        let refused = self.access.lacking();
        ensure!(refused.is_empty(), "template.yaml: {refused:?}");
        Ok(())
    }

    fn schedules(&self) -> impl Iterator<Item = (&Arc<Function>, &ScheduleSpec)> {
        self.functions.iter().flat_map(|function| {
            let schedules = function.spec.schedules.iter();
            schedules.map(move |schedule| (function, schedule))
        })
    }

    fn start_schedules(&self, mode: Mode) {
        for (function, schedule) in self.schedules() {
            let Some((first, span)) = mode.interval(schedule) else {
                continue;
            };
            let (function, schedule) = (function.clone(), schedule.clone());
            let (targets, asynchronous) = (self.targets.clone(), self.asynchronous.clone());
            self.ticking.spawn(async move {
                // A slow tick does not delay the next one.
                let running = Background::default();
                let mut ticks = interval_at(Instant::now() + first, span);
                loop {
                    ticks.tick().await;
                    let (function, targets) = (function.clone(), targets.clone());
                    let (asynchronous, schedule) = (asynchronous.clone(), schedule.clone());
                    running.spawn(async move {
                        let payload = schedule::payload(&schedule);
                        let invocation = Invocation {
                            payload,
                            trace: None,
                        };
                        asynchronous.invoke(&function, &targets, invocation).await;
                    });
                }
            });
        }
    }
}

impl Drop for LocalStack {
    fn drop(&mut self) {
        for function in &self.functions {
            function.close();
        }
        // A test that failed over a refused call should say so, wherever it noticed.
        if std::thread::panicking() {
            for refused in self.access.lacking() {
                eprintln!("template.yaml: {refused}");
            }
        }
    }
}

#[cfg(test)]
mod tests;
