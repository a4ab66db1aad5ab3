//! Event source mappings: what takes messages from a queue and feeds a function with them, as Lambda's pollers do.
//!
//! A batch that the function answers is deleted, but for the messages that the answer names as failed (`response`). What
//! fails stays in flight until the queue's visibility timeout, or until the function itself has it end otherwise.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::{Semaphore, watch};

mod record;
mod response;

use crate::background::Background;
use crate::delivery::Targets;
use crate::function::{Function, Invocation};
use crate::queue::{Queue, Received};
use crate::template::MappingSpec;

/// How many invocations there are at once where the template sets no limit. Lambda begins with five.
const DEFAULT_CONCURRENCY: usize = 5;
/// How many messages one receiver can get at once.
const MAXIMUM_RECEIVED: usize = 10;
/// How long a poller waits for a message. Then it asks again.
const RECEIVE_WAIT: Duration = Duration::from_secs(20);

/// All mappings of a stack; dropping them ends them.
#[derive(Debug)]
pub(crate) struct Mappings {
    is_enabled: watch::Sender<bool>,
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
        let mappings = Self {
            is_enabled: watch::Sender::new(true),
            pollers: Background::default(),
        };
        for function in functions {
            for spec in &function.spec.mappings {
                let queue = targets.queues.get(&spec.queue);
                let mapping = Arc::new(Mapping {
                    spec: spec.clone(),
                    queue: queue.context("no such queue")?.clone(),
                    function: function.clone(),
                });
                let is_enabled = mappings.is_enabled.subscribe();
                mappings.pollers.spawn(mapping.run(is_enabled));
            }
        }
        Ok(mappings)
    }

    /// Whether messages are taken from now on; what has been taken is handled anyway.
    pub(crate) fn set_enabled(&self, is_enabled: bool) {
        self.is_enabled.send_replace(is_enabled);
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
                batch = self.receive(self.spec.batch_size) => batch,
                _ = is_enabled.changed() => continue,
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
        for (batch, payload) in record::payloads(&self.queue.spec.arn, batch) {
            let invocation = Invocation {
                payload,
                trace: None,
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
}

#[cfg(test)]
mod tests;
