//! Event source mappings: what takes messages from a queue and feeds a function with them, as Lambda's pollers do.
//!
//! A batch that the function answers is deleted, but for the messages that the answer names as failed (`response`). What
//! fails stays in flight until the queue's visibility timeout, or until the function itself has it end otherwise.

pub(crate) mod record;
pub(crate) mod response;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::sync::{Semaphore, watch};

use crate::aws::lambda::function::Function;
use crate::aws::lambda::invocation::Invocation;
use crate::aws::lambda::targets::Targets;
use crate::aws::sqs::lineage::{self, MAXIMUM_HOPS};
use crate::aws::sqs::queue::{Queue, Received};
use crate::plumbing::background::Background;
use crate::template::specs::function::MappingSpec;

/// How many invocations there are at once where the template sets no limit. Lambda begins with five.
const DEFAULT_CONCURRENCY: usize = 5;
/// How many messages one receiver can get at once.
const MAXIMUM_RECEIVED: usize = 10;
/// How long a poller waits for a message. Then it asks again.
const RECEIVE_WAIT: Duration = Duration::from_secs(20);

/// All mappings of a stack; dropping them ends them.
#[derive(Debug)]
pub(crate) struct Mappings {
    /// The key of each one's queue in the template, and whether it takes messages.
    are_enabled: Vec<(String, watch::Sender<bool>)>,
    pollers: Background,
}

/// One queue and the function that it feeds.
struct Mapping {
    spec: MappingSpec,
    queue: Arc<Queue>,
    function: Arc<Function>,
}

impl Mappings {
    /// Starts the mappings of all functions.
    pub(crate) fn start(functions: &[Arc<Function>], targets: &Targets) -> Result<Self> {
        let mut mappings = Self {
            are_enabled: Vec::new(),
            pollers: Background::default(),
        };
        for function in functions {
            for spec in &function.spec.mappings {
                let queue = targets.queues.get(&spec.queue);
                let queue = queue.context("no such queue")?.clone();
                let (is_enabled, switch) = watch::channel(true);
                let logical_id = queue.spec.logical_id.clone();
                mappings.are_enabled.push((logical_id, is_enabled));
                let mapping = Arc::new(Mapping {
                    spec: spec.clone(),
                    queue,
                    function: function.clone(),
                });
                mappings.pollers.spawn(mapping.run(switch));
            }
        }
        Ok(mappings)
    }

    /// Whether messages are taken from now on; what has been taken is handled anyway.
    pub(crate) fn set_enabled(&self, is_enabled: bool) {
        for (_, switch) in &self.are_enabled {
            switch.send_replace(is_enabled);
        }
    }

    /// The same for the mappings of one queue.
    pub(crate) fn set_enabled_of(&self, logical_id: &str, is_enabled: bool) -> Result<()> {
        let switches = self.are_enabled.iter();
        let mut switches = switches.filter(|(queue, _)| queue == logical_id).peekable();
        ensure!(
            switches.peek().is_some(),
            "no function is fed from a queue {logical_id}"
        );
        for (_, switch) in switches {
            switch.send_replace(is_enabled);
        }
        Ok(())
    }
}

impl Mapping {
    async fn run(self: Arc<Self>, mut is_enabled: watch::Receiver<bool>) {
        let limit = self.spec.maximum_concurrency;
        let permits = Arc::new(Semaphore::new(limit.unwrap_or(DEFAULT_CONCURRENCY)));
        let invocations = Background::default();
        // The semaphore is never closed.
        while let Ok(permit) = permits.clone().acquire_owned().await {
            let enabled = is_enabled.wait_for(|is_enabled| *is_enabled).await.is_ok();
            if !enabled {
                return;
            }
            let mut batch = tokio::select! {
                // Nothing is received any more by a mapping that has been disabled.
                biased;
                _ = is_enabled.changed() => continue,
                batch = self.receive(self.spec.batch_size) => batch,
            };
            if batch.is_empty() {
                continue;
            }
            self.fill(&mut batch).await;
            let mapping = self.clone();
            invocations.spawn(async move {
                mapping.handle(batch).await;
                drop(permit);
            });
        }
    }

    /// Waits for more messages, as long as the window is open.
    async fn fill(&self, batch: &mut Vec<Received>) {
        if self.spec.batching_window.is_zero() {
            return;
        }
        let window = self.queue.passes(self.spec.batching_window);
        let filling = async {
            while batch.len() < self.spec.batch_size {
                let more = self.receive(self.spec.batch_size - batch.len()).await;
                batch.extend(more);
            }
        };
        tokio::select! {
            () = filling => {}
            () = window => {}
        }
    }

    async fn receive(&self, count: usize) -> Vec<Received> {
        let count = count.min(MAXIMUM_RECEIVED);
        let received = self.queue.receive(count, RECEIVE_WAIT, None).await;
        // Over its limit, who waits gets nothing.
        received.unwrap_or_default()
    }

    async fn handle(&self, batch: Vec<Received>) {
        let batch = self.stop_loops(batch);
        for (batch, payload) in record::payloads(&self.queue.spec.arn, batch) {
            let hops = batch.iter().map(|received| received.message.hops()).max();
            let trace = lineage::after(hops.unwrap_or_default(), &self.function.spec.arn);
            let invocation = Invocation {
                payload,
                trace: Some(trace),
            };
            let answer = self.function.run(invocation).await;
            let done = match &answer {
                Err(_) => Vec::new(),
                Ok(_) if !self.spec.reports_failures => batch,
                Ok(answer) => response::successes(answer, batch),
            };
            for received in done {
                // The handle is of this queue, so it cannot be refused.
                let _ = self.queue.delete(&received.handle);
            }
        }
    }

    /// Gives up the messages for which the function has been invoked too often in one chain, unless it may, and returns the others.
    fn stop_loops(&self, batch: Vec<Received>) -> Vec<Received> {
        if self.function.spec.allows_loops {
            return batch;
        }
        let is_short = |received: &Received| received.message.hops() <= MAXIMUM_HOPS;
        let (batch, stopped): (Vec<_>, Vec<_>) = batch.into_iter().partition(is_short);
        for received in stopped {
            self.function.note_stopped_loop();
            // The handle is of this queue, so it cannot be refused.
            let _ = self.queue.give_up(&received.handle);
        }
        batch
    }
}

#[cfg(test)]
mod tests;
