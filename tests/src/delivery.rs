//! Asynchronous delivery: to the targets of a rule, and to a function with Lambda's retries and destinations.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::clock;
use crate::function::{Function, FunctionError, Invocation};
use crate::ids::uuid;
use crate::queue::Queue;
use crate::queue::message::{Attribute, Message};
use crate::template::TargetSpec;

/// Lambda waits 1 min before the first retry and 2 min before the second.
pub(crate) const RETRY_DELAYS: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(2)];
/// Lambda tries again after a second what was throttled, and then ever more rarely.
const THROTTLED_DELAY: Duration = Duration::from_secs(1);
/// The largest asynchronous invocation.
const MAXIMUM_PAYLOAD: usize = 1024 * 1024;

/// What events can be delivered to, by ARN.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    pub(crate) functions: BTreeMap<String, Arc<Function>>,
    pub(crate) queues: BTreeMap<String, Arc<Queue>>,
}

/// An event on its way to one target of a rule.
pub(crate) struct Matched {
    pub(crate) targets: Arc<Targets>,
    pub(crate) rule_arn: String,
    pub(crate) target: TargetSpec,
    pub(crate) payload: String,
    pub(crate) trace: Option<String>,
}

/// How deliveries are made.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// The waits before a failed asynchronous invocation is tried again.
    pub(crate) retry_delays: [Duration; 2],
}

impl Targets {
    pub(crate) fn check(&self, arn: &str) -> Result<()> {
        let known = self.functions.contains_key(arn) || self.queues.contains_key(arn);
        ensure!(known, "the template has no function or queue {arn}");
        Ok(())
    }

    /// Sends to a dead-letter queue. What even that refuses is lost, as it is on AWS.
    fn send_dead_letter(&self, arn: &str, body: String, attributes: &[(&str, String)]) {
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

impl Delivery {
    /// Delivers an event. What is local is always there, so the target's retries never come to pass: it takes the event, or
    /// never will.
    pub(crate) async fn deliver(self, matched: Matched) {
        let Matched {
            targets,
            rule_arn,
            target,
            payload,
            trace,
        } = matched;
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
            self.invoke(function, &targets, Invocation { payload, trace })
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

    /// Invokes a function asynchronously, as its `EventInvokeConfig` says.
    pub(crate) async fn invoke(
        &self,
        function: &Arc<Function>,
        targets: &Targets,
        invocation: Invocation,
    ) {
        let limits = &function.spec.asynchronous;
        let expiry = Instant::now() + limits.maximum_age;
        let mut delays = self.retry_delays.iter();
        let mut attempts = 0;
        let mut error = None;
        while attempts <= limits.maximum_retries {
            let admitted = tokio::time::timeout_at(expiry, find_place(function)).await;
            let waited_too_long = 0 < attempts && expiry <= Instant::now();
            let (Ok(permit), false) = (admitted, waited_too_long) else {
                return give_up(
                    function,
                    targets,
                    &invocation,
                    "EventAgeExceeded",
                    attempts,
                    error,
                );
            };
            // A closed function takes its waiting events with it.
            let Some(permit) = permit else { return };
            attempts += 1;
            match function.run_admitted(permit, invocation.clone()).await {
                Ok(_) => return,
                Err(failure) => error = Some(failure),
            }
            if attempts <= limits.maximum_retries {
                tokio::time::sleep(delays.next().copied().unwrap_or_default()).await;
            }
        }
        give_up(
            function,
            targets,
            &invocation,
            "RetriesExhausted",
            attempts,
            error,
        );
    }
}

/// An event that is throttled stays in Lambda's own queue. That is no attempt.
async fn find_place(function: &Function) -> Option<OwnedSemaphorePermit> {
    while function.is_throttled() {
        tokio::time::sleep(THROTTLED_DELAY).await;
    }
    function.admit().await
}

/// What Lambda tells a destination.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    version: &'static str,
    timestamp: String,
    request_context: Value,
    request_payload: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_context: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_payload: Option<Value>,
}

/// Sends the record of a given-up event to the function's destination.
fn give_up(
    function: &Function,
    targets: &Targets,
    invocation: &Invocation,
    condition: &str,
    attempts: u64,
    error: Option<FunctionError>,
) {
    let Some(destination) = &function.spec.asynchronous.on_failure else {
        return;
    };
    // Kept as it is: anybody may have put it on the bus.
    let payload = shared::json::raw(&invocation.payload);
    let mut record = Record {
        version: "1.0",
        timestamp: clock::now().to_string(),
        request_context: json!({
            "requestId": uuid(),
            "functionArn": format!("{}:$LATEST", function.spec.arn),
            "condition": condition,
            "approximateInvokeCount": attempts,
        }),
        request_payload: payload.as_deref().unwrap_or(RawValue::NULL),
        response_context: None,
        response_payload: None,
    };
    if let Some(error) = error {
        record.response_context = Some(
            json!({"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}),
        );
        record.response_payload = Some(error.to_json());
    }
    // Texts, numbers and valid JSON always serialize.
    let record = serde_json::to_string(&record).unwrap_or_default();
    targets.send_dead_letter(destination, record, &[]);
}

#[cfg(test)]
mod tests;
