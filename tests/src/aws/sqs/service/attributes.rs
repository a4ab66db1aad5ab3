//! `GetQueueAttributes`.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::request::{Members, parse};
use crate::aws::sqs::queue::Queue;
use crate::aws::sqs::queue::rejection::{Rejection, RejectionKind};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetQueueAttributes {
    #[serde(default)]
    attribute_names: Vec<String>,
}

/// The attributes that are asked for, all of them texts. One that SQS does not have is refused.
pub(crate) fn read(queue: &Queue, members: Members) -> Result<Value, Rejection> {
    let request: GetQueueAttributes = parse(members)?;
    let all = all(queue);
    let mut shown = Map::new();
    for wanted in request.attribute_names {
        if wanted == "All" {
            shown.clone_from(&all);
            continue;
        }
        let unknown = || {
            let message = format!("Unknown Attribute {wanted}.");
            Rejection::new(RejectionKind::InvalidAttributeName, message)
        };
        // A queue without a redrive policy has no such attribute, and may be asked for it.
        let value = match all.get(&wanted) {
            None if wanted == "RedrivePolicy" => continue,
            found => found.ok_or_else(unknown)?,
        };
        shown.insert(wanted.clone(), value.clone());
    }
    Ok(json!({"Attributes": shown}))
}

fn all(queue: &Queue) -> Map<String, Value> {
    let (spec, depth) = (&queue.spec, queue.depth());
    let mut all = Map::new();
    let mut add = |name: &str, value: String| all.insert(name.to_owned(), value.into());
    add("QueueArn", spec.arn.clone());
    add("ApproximateNumberOfMessages", depth.ready.to_string());
    add(
        "ApproximateNumberOfMessagesNotVisible",
        depth.in_flight.to_string(),
    );
    add(
        "ApproximateNumberOfMessagesDelayed",
        depth.delayed.to_string(),
    );
    let seconds = [
        ("VisibilityTimeout", spec.visibility_timeout),
        ("DelaySeconds", spec.delay),
        ("ReceiveMessageWaitTimeSeconds", spec.receive_wait),
        ("MessageRetentionPeriod", spec.retention),
    ];
    for (name, span) in seconds {
        add(name, span.as_secs().to_string());
    }
    add("MaximumMessageSize", spec.maximum_bytes.to_string());
    if let Some(redrive) = &spec.redrive {
        let policy = json!({
            "deadLetterTargetArn": redrive.dead_letters,
            "maxReceiveCount": redrive.maximum_receives,
        });
        add("RedrivePolicy", policy.to_string());
    }
    all
}
