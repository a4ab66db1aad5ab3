//! `ReceiveMessage`.

use std::ops::RangeInclusive;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::operations::VISIBILITY_SECONDS;
use super::request::{Members, in_range, parse, seconds};
use super::wire::written;
use crate::aws::sqs::queue::message::md5_of_attributes;
use crate::aws::sqs::queue::rejection::Rejection;
use crate::aws::sqs::queue::{Queue, Received};

/// The longest that a receiver can wait for a message.
const WAIT_SECONDS: RangeInclusive<i64> = 0..=20;
/// How many messages a receiver can ask for.
const COUNT: RangeInclusive<i64> = 1..=10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ReceiveMessage {
    max_number_of_messages: Option<i64>,
    wait_time_seconds: Option<i64>,
    visibility_timeout: Option<i64>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    /// The former name of the one before.
    #[serde(default)]
    attribute_names: Vec<String>,
}

/// Hands messages out, with what is asked for of each.
pub(crate) async fn receive(queue: &Queue, members: Members) -> Result<Value, Rejection> {
    let request: ReceiveMessage = parse(members)?;
    let count = request.max_number_of_messages.unwrap_or(1);
    let count = in_range("MaxNumberOfMessages", count, &COUNT)?;
    let wait = request.wait_time_seconds;
    let wait = wait.map(|wait| seconds("WaitTimeSeconds", wait, &WAIT_SECONDS));
    let wait = wait.transpose()?.unwrap_or(queue.spec.receive_wait);
    let visibility = request.visibility_timeout;
    let visibility = visibility.map(|span| seconds("VisibilityTimeout", span, &VISIBILITY_SECONDS));
    let count = usize::try_from(count).unwrap_or_default();
    let received = queue.receive(count, wait, visibility.transpose()?).await?;
    let messages = received.iter().map(|received| shown(received, &request));
    Ok(json!({"Messages": messages.collect::<Vec<_>>()}))
}

/// A message with what the receiver wants to know of it.
fn shown(received: &Received, request: &ReceiveMessage) -> Value {
    let message = &received.message;
    let mut shown = json!({
        "MessageId": message.id,
        "ReceiptHandle": received.handle,
        "Body": message.body,
        "MD5OfBody": message.md5_of_body(),
    });
    let own = own_attributes(received, request);
    if !own.is_empty() {
        shown["Attributes"] = own.into();
    }
    let mut attributes = message.attributes.clone();
    let names = &request.message_attribute_names;
    attributes.retain(|name, _| names.iter().any(|wanted| is_wanted(wanted, name)));
    if let Some(checksum) = md5_of_attributes(&attributes) {
        shown["MD5OfMessageAttributes"] = checksum.into();
        let attributes = attributes.iter();
        let attributes = attributes.map(|(name, attribute)| (name.clone(), written(attribute)));
        shown["MessageAttributes"] = Value::Object(attributes.collect());
    }
    shown
}

/// What SQS itself says about the message, as far as it is asked for.
fn own_attributes(received: &Received, request: &ReceiveMessage) -> Map<String, Value> {
    let is_wanted = |name: &str| {
        let names = request.message_system_attribute_names.iter();
        let mut names = names.chain(&request.attribute_names);
        names.any(|wanted| wanted == "All" || wanted == name)
    };
    let own = received.attributes.iter();
    let own = own.filter(|(name, _)| is_wanted(name));
    own.map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
        .collect()
}

/// A name, the beginning of one with `.*` behind it, or all of them.
fn is_wanted(wanted: &str, name: &str) -> bool {
    let beginning = wanted.strip_suffix(".*");
    matches!(wanted, "All" | ".*")
        || wanted == name
        || beginning.is_some_and(|beginning| name.starts_with(beginning))
}
