//! Asynchronous invocations, with Lambda's retries and destinations.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::function::Function;
use super::invocation::{FunctionError, Invocation};
use super::targets::Targets;
use crate::plumbing::clock;
use crate::plumbing::ids::uuid;

/// Lambda waits 1 min before the first retry and 2 min before the second.
pub(crate) const RETRY_DELAYS: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(2)];
/// Lambda tries again after a second what was throttled, and then ever more rarely.
const THROTTLED_DELAY: Duration = Duration::from_secs(1);

/// How asynchronous invocations are made.
#[derive(Debug, Clone)]
pub(crate) struct Asynchronous {
    /// The waits before a failed asynchronous invocation is tried again.
    pub(crate) retry_delays: [Duration; 2],
}

impl Asynchronous {
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
struct FailureRecord<'a> {
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
    let mut record = FailureRecord {
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
