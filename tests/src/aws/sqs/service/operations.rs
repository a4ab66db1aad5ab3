//! What can be done with a queue's messages, but for receiving them.

use std::ops::RangeInclusive;

use serde::Deserialize;
use serde_json::{Value, json};

use super::request::{Members, parse, required, seconds};
use super::wire::{read_attributes, read_trace};
use crate::aws::sqs::queue::Queue;
use crate::aws::sqs::queue::message::{Message, md5_of_attributes};
use crate::aws::sqs::queue::rejection::Rejection;

type OperationResult = Result<Value, Rejection>;

/// At most this long until a message can be received for the first time.
const DELAY_SECONDS: RangeInclusive<i64> = 0..=900;
/// The longest that a message can be kept from others.
pub(crate) const VISIBILITY_SECONDS: RangeInclusive<i64> = 0..=43_200;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Send {
    message_body: Option<String>,
    delay_seconds: Option<i64>,
    message_group_id: Option<String>,
    #[serde(default)]
    message_attributes: Value,
    #[serde(default)]
    message_system_attributes: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Delete {
    receipt_handle: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ChangeVisibility {
    receipt_handle: Option<String>,
    visibility_timeout: Option<i64>,
}

/// `SendMessage`. SQS keeps the trace header of the request, unless the message has one of its own.
/// Source: docs.aws.amazon.com, X-Ray, "Amazon SQS and AWS X-Ray".
pub(crate) fn send(queue: &Queue, members: Members, trace: Option<&str>) -> OperationResult {
    let request: Send = parse(members)?;
    let delay = request.delay_seconds;
    let delay = delay.map(|delay| seconds("DelaySeconds", delay, &DELAY_SECONDS));
    let body = request.message_body.unwrap_or_default();
    let attributes = read_attributes(&request.message_attributes)?;
    let own_trace = read_trace(&request.message_system_attributes)?;
    let message = Message {
        attributes,
        trace: own_trace.or_else(|| trace.map(str::to_owned)),
        group: request.message_group_id,
        ..Message::new(body)
    };
    let mut answer = json!({
        "MessageId": message.id,
        "MD5OfMessageBody": message.md5_of_body(),
    });
    if let Some(checksum) = md5_of_attributes(&message.attributes) {
        answer["MD5OfMessageAttributes"] = checksum.into();
    }
    queue.try_send(message, delay.transpose()?)?;
    Ok(answer)
}

/// `DeleteMessage`.
pub(crate) fn delete(queue: &Queue, members: Members) -> OperationResult {
    let request: Delete = parse(members)?;
    queue.delete(&required("ReceiptHandle", request.receipt_handle)?)?;
    Ok(json!({}))
}

/// `ChangeMessageVisibility`.
pub(crate) fn change_visibility(queue: &Queue, members: Members) -> OperationResult {
    let request: ChangeVisibility = parse(members)?;
    let handle = required("ReceiptHandle", request.receipt_handle)?;
    let visibility = required("VisibilityTimeout", request.visibility_timeout)?;
    let visibility = seconds("VisibilityTimeout", visibility, &VISIBILITY_SECONDS)?;
    queue.change_visibility(&handle, visibility)?;
    Ok(json!({}))
}

/// The size of the message that an entry of a batch asks to send.
pub(crate) fn message_bytes(entry: &Value) -> usize {
    let body = entry["MessageBody"].as_str().unwrap_or_default();
    // What cannot be read is refused later, with its own entry.
    let attributes = read_attributes(&entry["MessageAttributes"]);
    let message = Message {
        attributes: attributes.unwrap_or_default(),
        ..Message::new(body)
    };
    message.bytes()
}
