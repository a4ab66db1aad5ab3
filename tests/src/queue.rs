//! SQS queues: what lands in them can be read by tests.

use std::collections::BTreeMap;

use crate::journal::Journal;
use crate::template::QueueSpec;

/// One queue of the template.
#[derive(Debug)]
pub struct Queue {
    /// What the template says about it.
    pub spec: QueueSpec,
    messages: Journal<Message>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The body.
    pub body: String,
    /// The message attributes, all of them strings.
    pub attributes: BTreeMap<String, String>,
}

impl Queue {
    pub(crate) fn new(spec: QueueSpec, keep: usize) -> Self {
        Self {
            spec,
            messages: Journal::new(keep),
        }
    }

    /// Every message that was ever sent.
    pub fn messages(&self) -> &Journal<Message> {
        &self.messages
    }

    pub(crate) fn send(&self, body: String, attributes: &[(&str, String)]) {
        let attributes = attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        self.messages.push(Message {
            body,
            attributes: attributes.collect(),
        });
    }
}
