//! What events can be delivered to, and where goes what cannot be.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, ensure};

use super::function::Function;
use crate::aws::sqs::queue::Queue;
use crate::aws::sqs::queue::message::{Attribute, Message};

/// What events can be delivered to, by ARN.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    pub(crate) functions: BTreeMap<String, Arc<Function>>,
    pub(crate) queues: BTreeMap<String, Arc<Queue>>,
}

impl Targets {
    /// Refuses an ARN that is neither a function nor a queue of the template.
    pub(crate) fn check(&self, arn: &str) -> Result<()> {
        let known = self.functions.contains_key(arn) || self.queues.contains_key(arn);
        ensure!(known, "the template has no function or queue {arn}");
        Ok(())
    }

    /// Sends to a dead-letter queue. What even that refuses is lost, as it is on AWS.
    pub(crate) fn send_dead_letter(&self, arn: &str, body: String, attributes: &[(&str, String)]) {
        if let Some(queue) = self.queues.get(arn) {
            let message = attributes
                .iter()
                .fold(Message::new(body), |message, (name, text)| {
                    message.with(name, Attribute::string(text))
                });
            let _ = queue.try_send(message, None);
        }
    }
}
