//! What SQS hands over and what Lambda wants to know of it.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The attribute that counts the attempts that have failed.
pub const ATTEMPT: &str = "attempt";
/// The attribute with the time of the first failure, in milliseconds since 1970.
pub const FIRST_FAILURE: &str = "firstFailure";
/// The attribute with the last failure, or why the notification was given up.
pub const REASON: &str = "reason";

/// SQS's own attribute with the trace header of whoever sent the message.
const TRACE_HEADER: &str = "AWSTraceHeader";

/// A batch of messages of one queue.
#[derive(Debug, Deserialize)]
pub struct SqsEvent {
    /// The messages.
    #[serde(rename = "Records")]
    pub records: Vec<SqsRecord>,
}

/// A message as Lambda delivers it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SqsRecord {
    message_id: String,
    body: String,
    #[serde(default)]
    attributes: HashMap<String, String>,
    #[serde(default)]
    message_attributes: HashMap<String, Attribute>,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attribute {
    #[serde(default)]
    string_value: Option<String>,
}

/// A message. What is received is due: a queue keeps back what is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// SQS's id of it.
    pub id: String,
    /// An event, if all is well.
    pub body: String,
    /// Whether it comes from the retry queue.
    pub is_retry: bool,
    /// How many attempts have failed.
    pub attempts: u32,
    /// When the first of them failed.
    pub first_failure: Option<Timestamp>,
    /// How many invocations led to it, each because of a message that the one before sent. Lambda ends such a chain after 16.
    pub hops: u32,
}

/// The next attempt of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How many attempts have failed.
    pub attempts: u32,
    /// When the first failed.
    pub first_failure: Timestamp,
    /// When the next is due.
    pub due: Timestamp,
}

/// The messages of a batch that stay in their queue; the others are deleted.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    batch_item_failures: Vec<BatchItemFailure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchItemFailure {
    item_identifier: String,
}

impl Message {
    /// Reads a record. One of the first queue is tried for the first time, whatever its attributes say: so it is with what is
    /// moved there from the dead-letter queue.
    pub fn read(record: SqsRecord, retry_queue_url: &str) -> Self {
        let is_retry = name_of(&record.event_source_arn, ':') == name_of(retry_queue_url, '/');
        let attribute = |name: &str| {
            let attribute = record.message_attributes.get(name).filter(|_| is_retry)?;
            attribute.string_value.as_deref()
        };
        Self {
            is_retry,
            attempts: attribute(ATTEMPT)
                .and_then(|text| text.parse().ok())
                .unwrap_or(0),
            first_failure: attribute(FIRST_FAILURE).and_then(to_time),
            hops: record
                .attributes
                .get(TRACE_HEADER)
                .map_or(0, |trace| hops(trace)),
            id: record.message_id,
            body: record.body,
        }
    }
}

impl BatchResponse {
    /// The answer that keeps these messages.
    pub fn keeping(ids: impl IntoIterator<Item = String>) -> Self {
        let failure = |item_identifier| BatchItemFailure { item_identifier };
        Self {
            batch_item_failures: ids.into_iter().map(failure).collect(),
        }
    }

    /// The ids of the messages that stay.
    pub fn kept(&self) -> impl Iterator<Item = &str> {
        let failures = self.batch_item_failures.iter();
        failures.map(|failure| failure.item_identifier.as_str())
    }
}

/// The largest count in the `Lineage` of a trace header, such as `Lineage=a87bd80c:1|68fd508a:5`, which Lambda adds to. Its form
/// is not documented; AWS X-Ray's documentation of the header has examples.
fn hops(trace: &str) -> u32 {
    let mut fields = trace.split(';').map(str::trim);
    let lineage = fields.find_map(|field| field.strip_prefix("Lineage="));
    let counts = lineage.unwrap_or_default().split([':', '|']);
    // A part of eight characters is a hash.
    let counts = counts.filter(|count| count.len() <= 4);
    counts
        .filter_map(|count| count.parse().ok())
        .max()
        .unwrap_or(0)
}

/// A queue's name, which its ARN and its URL both end with.
fn name_of(address: &str, separator: char) -> &str {
    address
        .rsplit_once(separator)
        .map_or(address, |(_, name)| name)
}

fn to_time(millis: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(millis.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{BatchResponse, Message, SqsEvent};

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
        Message::read(record, RETRY_QUEUE)
    }

    fn number(value: &str) -> Value {
        json!({"stringValue": value, "stringListValues": [], "binaryListValues": [], "dataType": "Number"})
    }

    fn message(is_retry: bool) -> Message {
        Message {
            id: "m1".to_owned(),
            body: "{}".to_owned(),
            is_retry,
            attempts: 0,
            first_failure: None,
            hops: 0,
        }
    }

    #[test]
    fn a_chain_is_as_long_as_its_lineage_says() {
        for (trace, expected) in [
            (
                "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1",
                0,
            ),
            (
                "Root=1-67891233-abcdef012345678912345678;Lineage=a87bd80c:1|68fd508a:5",
                5,
            ),
            (
                "Root=1-67891233-abcdef012345678912345678; Lineage=25:a87bd80c:1",
                25,
            ),
            ("Lineage=many;Root=1", 0),
            ("Lineage=68005081:2", 2),
            ("", 0),
        ] {
            assert_eq!(super::hops(trace), expected, "{trace}");
        }
    }

    #[test]
    fn a_retry_knows_what_was_tried() {
        let attributes = json!({
            "attempt": number("2"), "firstFailure": number("1781870346000"),
            "reason": {"stringValue": "Status 500", "dataType": "String"},
        });
        let expected = Message {
            attempts: 2,
            first_failure: Some("2026-06-19T11:59:06Z".parse().unwrap()),
            ..message(true)
        };
        assert_eq!(read("retries", &attributes), expected);
    }

    #[test]
    fn a_message_of_the_first_queue_is_new_whatever_it_went_through() {
        let attributes = json!({"attempt": number("5"), "firstFailure": number("1781870346000")});
        assert_eq!(read("callbacks", &attributes), message(false));
    }

    #[test]
    fn a_retry_without_its_attributes_was_not_tried() {
        for attributes in [
            json!({}),
            json!({"attempt": number("many"), "firstFailure": {"dataType": "Binary"}}),
        ] {
            assert_eq!(read("retries", &attributes), message(true));
        }
    }

    #[test]
    fn what_stays_is_named() {
        let answer = BatchResponse::keeping(["m1".to_owned()]);
        assert_eq!(answer.kept().collect::<Vec<_>>(), ["m1"]);
        let answer = serde_json::to_string(&answer).unwrap();
        assert_eq!(answer, r#"{"batchItemFailures":[{"itemIdentifier":"m1"}]}"#);
        let none = serde_json::to_string(&BatchResponse::default()).unwrap();
        assert_eq!(none, r#"{"batchItemFailures":[]}"#);
    }
}
