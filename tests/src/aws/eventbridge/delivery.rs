//! Delivery of an event to a target of a rule.

use std::sync::Arc;

use crate::aws::lambda::asynchronous::Asynchronous;
use crate::aws::lambda::invocation::Invocation;
use crate::aws::lambda::targets::Targets;
use crate::aws::sqs::queue::message::Message;
use crate::template::specs::bus::TargetSpec;

/// The largest asynchronous invocation.
const MAXIMUM_PAYLOAD: usize = 1024 * 1024;

/// An event on its way to one target of a rule.
pub(crate) struct Matched {
    pub(crate) targets: Arc<Targets>,
    pub(crate) rule_arn: String,
    pub(crate) target: TargetSpec,
    pub(crate) payload: String,
    pub(crate) trace: Option<String>,
}

impl Matched {
    /// Delivers an event. What is local is always there, so the target's retries never come to pass: it takes the event, or
    /// never will.
    pub(crate) async fn deliver(self, asynchronous: Asynchronous) {
        let Matched {
            targets,
            rule_arn,
            target,
            payload,
            trace,
        } = self;
        let refusal = if let Some(queue) = targets.queues.get(&target.arn) {
            let message = Message {
                trace,
                ..Message::new(payload.clone())
            };
            let sent = queue.try_send(message, None);
            sent.err().map(|rejection| rejection.message)
        } else if MAXIMUM_PAYLOAD < payload.len() {
            Some("the event is too large".to_owned())
        } else if let Some(function) = targets.functions.get(&target.arn) {
            let payload = payload.clone();
            asynchronous
                .invoke(function, &targets, Invocation { payload, trace })
                .await;
            None
        } else {
            None
        };
        if let (Some(refusal), Some(dead_letters)) = (refusal, &target.dead_letters) {
            let attributes = [
                ("RULE_ARN", rule_arn),
                ("TARGET_ARN", target.arn.clone()),
                ("ERROR_CODE", "SDK_CLIENT_ERROR".to_owned()),
                ("ERROR_MESSAGE", refusal),
            ];
            targets.send_dead_letter(dead_letters, payload, &attributes);
        }
    }
}
