//! What SQS hands over and what Lambda wants to know of it.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The attribute that counts the attempts that have failed.
pub const ATTEMPT: &str = "attempt";
/// The attribute with the time of the next attempt, in milliseconds since 1970.
pub const NOT_BEFORE: &str = "notBefore";
/// The attribute with the time of the first failure, in milliseconds since 1970.
pub const FIRST_FAILURE: &str = "firstFailure";
/// The attribute with the time when the event reached the first queue, in milliseconds since 1970.
pub const QUEUED_AT: &str = "queuedAt";
/// The attribute with the last failure, or why the notification was given up.
pub const REASON: &str = "reason";

/// A batch of messages of one queue.
#[derive(Debug, Deserialize)]
pub struct SqsEvent {
    /// The messages.
    #[serde(rename = "Records")]
    pub records: Vec<Record>,
}

/// A message as Lambda delivers it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    message_id: String,
    receipt_handle: String,
    body: String,
    attributes: SystemAttributes,
    #[serde(default)]
    message_attributes: HashMap<String, Attribute>,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SystemAttributes {
    sent_timestamp: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attribute {
    #[serde(default)]
    string_value: Option<String>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// SQS's id of it.
    pub id: String,
    /// What it is hidden by.
    pub receipt_handle: String,
    /// An event, if all is well.
    pub body: String,
    /// When the event reached the first queue: the time of the notification, on every attempt.
    pub queued_at: Timestamp,
    /// What was tried before; nothing, for a message of the first queue.
    pub retry: Option<Retry>,
}

/// What is known of a notification that failed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How many attempts have failed.
    pub attempt: u32,
    /// When the next is due.
    pub not_before: Timestamp,
    /// When the first failed.
    pub first_failure: Timestamp,
}

/// The messages of a batch that stay in their queue; the others are deleted.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

impl Message {
    /// Reads a record. One of the first queue is tried for the first time, whatever its attributes say: so it is with what is
    /// moved there from the dead-letter queue.
    pub fn read(record: Record, retry_queue_url: &str, now: Timestamp) -> Self {
        let millis = |name: &str| {
            let text = record.message_attributes.get(name)?;
            to_time(text.string_value.as_deref()?)
        };
        let sent_at = to_time(&record.attributes.sent_timestamp).unwrap_or(now);
        let queued_at = millis(QUEUED_AT).unwrap_or(sent_at);
        let is_retry = name_of(&record.event_source_arn, ':') == name_of(retry_queue_url, '/');
        let retry = is_retry.then(|| Retry {
            attempt: attempt(&record).unwrap_or(1),
            not_before: millis(NOT_BEFORE).unwrap_or(now),
            first_failure: millis(FIRST_FAILURE).unwrap_or(queued_at),
        });
        Self {
            id: record.message_id,
            receipt_handle: record.receipt_handle,
            body: record.body,
            queued_at,
            retry,
        }
    }

    /// How long it is too early for it, if it is.
    pub fn wait(&self, now: Timestamp) -> Option<jiff::SignedDuration> {
        let retry = self.retry.filter(|retry| now < retry.not_before)?;
        Some(retry.not_before.duration_since(now))
    }
}

impl Answer {
    /// The answer that keeps these messages.
    pub fn keeping(ids: impl IntoIterator<Item = String>) -> Self {
        let failure = |item_identifier| Failure { item_identifier };
        Self {
            batch_item_failures: ids.into_iter().map(failure).collect(),
        }
    }
}

/// A queue's name, which its ARN and its URL both end with.
fn name_of(address: &str, separator: char) -> &str {
    address
        .rsplit_once(separator)
        .map_or(address, |(_, name)| name)
}

fn attempt(record: &Record) -> Option<u32> {
    let attribute = record.message_attributes.get(ATTEMPT)?;
    attribute.string_value.as_ref()?.parse().ok()
}

fn to_time(millis: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(millis.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use serde_json::{Value, json};

    use super::{Answer, Message, Retry, SqsEvent};

    const NOW: Timestamp = Timestamp::constant(1_781_870_400, 0);
    const RETRY_QUEUE: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/retries";

    fn read(queue: &str, message_attributes: &Value) -> Message {
        let event = json!({"Records": [{
            "messageId": "m1", "receiptHandle": "r1", "body": "{}",
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1781870000000"},
            "messageAttributes": message_attributes,
            "md5OfBody": "99914b932bd37a50b983c5e7c90ae93b", "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:eu-central-1:123456789012:{queue}"), "awsRegion": "eu-central-1",
        }]});
        let event: SqsEvent = shared::json::read(&event.to_string()).unwrap();
        let record = event.records.into_iter().next().unwrap();
        Message::read(record, RETRY_QUEUE, NOW)
    }

    fn number(value: &str) -> Value {
        json!({"stringValue": value, "stringListValues": [], "binaryListValues": [], "dataType": "Number"})
    }

    #[test]
    fn a_retry_knows_what_was_tried() {
        let attributes = json!({
            "attempt": number("2"), "notBefore": number("1781870410000"), "firstFailure": number("1781870346000"),
            "queuedAt": number("1781870345000"), "reason": {"stringValue": "Status 500", "dataType": "String"},
        });
        let message = read("retries", &attributes);
        let retry = Retry {
            attempt: 2,
            not_before: "2026-06-19T12:00:10Z".parse().unwrap(),
            first_failure: "2026-06-19T11:59:06Z".parse().unwrap(),
        };
        assert_eq!(message.retry, Some(retry));
        assert_eq!(message.queued_at.as_millisecond(), 1_781_870_345_000);
        assert_eq!(message.wait(NOW), Some(SignedDuration::from_secs(10)));
        assert_eq!(message.wait(retry.not_before), None);
    }

    #[test]
    fn a_message_of_the_first_queue_is_new_whatever_it_went_through() {
        let message = read(
            "callbacks",
            &json!({"attempt": number("5"), "queuedAt": number("1781870345000")}),
        );
        assert_eq!((message.retry, message.wait(NOW)), (None, None));
        assert_eq!(message.queued_at.as_millisecond(), 1_781_870_345_000);
        let message = read("callbacks", &json!({}));
        assert_eq!(message.queued_at.as_millisecond(), 1_781_870_000_000);
    }

    #[test]
    fn a_retry_without_its_attributes_is_due() {
        for attributes in [
            json!({}),
            json!({"attempt": number("many"), "notBefore": {"dataType": "Binary"}}),
        ] {
            let message = read("retries", &attributes);
            let retry = Retry {
                attempt: 1,
                not_before: NOW,
                first_failure: message.queued_at,
            };
            assert_eq!(message.retry, Some(retry));
            assert_eq!(message.wait(NOW), None);
        }
    }

    #[test]
    fn what_stays_is_named() {
        let answer = serde_json::to_string(&Answer::keeping(["m1".to_owned()])).unwrap();
        assert_eq!(answer, r#"{"batchItemFailures":[{"itemIdentifier":"m1"}]}"#);
        let none = serde_json::to_string(&Answer::default()).unwrap();
        assert_eq!(none, r#"{"batchItemFailures":[]}"#);
    }
}
