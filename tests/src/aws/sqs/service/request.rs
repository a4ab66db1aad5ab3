//! The body of a request: which queue, and what else.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::aws::sqs::queue::Queue;
use crate::aws::sqs::queue::rejection::{Rejection, RejectionKind};

/// What a request or an entry of a batch says.
pub(crate) type Members = Map<String, Value>;

/// What was asked for.
pub(crate) struct Request {
    /// The queue, or the URL that is none of a queue.
    pub(crate) queue: Result<Arc<Queue>, String>,
    /// Everything but the queue.
    pub(crate) members: Members,
}

impl Request {
    pub(crate) fn read(
        body: &[u8],
        queues: &BTreeMap<String, Arc<Queue>>,
    ) -> Result<Self, Rejection> {
        let mut members: Members = serde_json::from_slice(body).map_err(malformed)?;
        let Some(Value::String(url)) = members.remove("QueueUrl") else {
            return Err(Rejection::missing("QueueUrl"));
        };
        let queue = queues.get(&url).cloned().ok_or(url);
        Ok(Self { queue, members })
    }

    /// The queue's key in the template, or what the caller calls it.
    pub(crate) fn queue_name(&self) -> String {
        match &self.queue {
            Ok(queue) => queue.spec.logical_id.clone(),
            Err(url) => url.clone(),
        }
    }
}

/// The members as what an operation takes. One that it does not take is refused too: it can only be a mistake.
pub(crate) fn parse<T: DeserializeOwned>(members: Members) -> Result<T, Rejection> {
    serde_json::from_value(Value::Object(members)).map_err(malformed)
}

pub(crate) fn no_such_queue(url: &str) -> Rejection {
    let message = format!("The specified queue does not exist: {url}");
    Rejection::new(RejectionKind::QueueDoesNotExist, message)
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` hands over")]
fn malformed(error: serde_json::Error) -> Rejection {
    Rejection::new(RejectionKind::MalformedInput, error.to_string())
}

/// A span in seconds, if the parameter takes it.
pub(crate) fn seconds(
    parameter: &str,
    value: i64,
    range: &RangeInclusive<i64>,
) -> Result<Duration, Rejection> {
    let value = in_range(parameter, value, range)?;
    Ok(Duration::from_secs(value))
}

/// A number, if the parameter takes it.
pub(crate) fn in_range(
    parameter: &str,
    value: i64,
    range: &RangeInclusive<i64>,
) -> Result<u64, Rejection> {
    let (least, most) = (range.start(), range.end());
    let reason = format!("Must be between {least} and {most}, if provided");
    let inside = range.contains(&value).then_some(value.unsigned_abs());
    inside.ok_or_else(|| Rejection::invalid_value(parameter, value, &reason))
}

/// A parameter that must be there.
pub(crate) fn required<T>(parameter: &str, value: Option<T>) -> Result<T, Rejection> {
    value.ok_or_else(|| Rejection::missing(parameter))
}
