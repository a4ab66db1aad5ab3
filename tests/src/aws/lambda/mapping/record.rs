//! The event that a function gets with a batch of messages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::aws::sqs::queue::Received;
use crate::aws::sqs::queue::message::{Attribute, AttributeValue, md5_of_attributes};
use crate::plumbing::ids::REGION;

/// The largest event of an invocation.
const MAXIMUM_PAYLOAD: usize = 6 * 1024 * 1024;
const OPENING: &str = r#"{"Records":["#;
const CLOSING: &str = "]}";

/// The batch as events with their messages: one, unless that would be too large.
pub(crate) fn payloads(queue_arn: &str, batch: Vec<Received>) -> Vec<(Vec<Received>, String)> {
    let mut payloads: Vec<(Vec<Received>, String)> = Vec::new();
    for received in batch {
        let record = record(queue_arn, &received).to_string();
        match payloads.last_mut() {
            Some((batch, payload))
                if payload.len() + record.len() + 1 + CLOSING.len() <= MAXIMUM_PAYLOAD =>
            {
                payload.push(',');
                payload.push_str(&record);
                batch.push(received);
            }
            _ => payloads.push((vec![received], format!("{OPENING}{record}"))),
        }
    }
    for (_, payload) in &mut payloads {
        payload.push_str(CLOSING);
    }
    payloads
}

fn record(queue_arn: &str, received: &Received) -> Value {
    let message = &received.message;
    let own = received.attributes.iter();
    let own: Map<_, _> = own
        .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
        .collect();
    let attributes = message.attributes.iter();
    let attributes: Map<_, _> = attributes
        .map(|(name, attribute)| (name.clone(), written(attribute)))
        .collect();
    let mut record = json!({
        "messageId": message.id,
        "receiptHandle": received.handle,
        "body": message.body,
        "attributes": own,
        "messageAttributes": attributes,
        "md5OfBody": message.md5_of_body(),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    });
    if let Some(checksum) = md5_of_attributes(&message.attributes) {
        record["md5OfMessageAttributes"] = checksum.into();
    }
    record
}

/// Lambda's way to write an attribute, which is not SQS's own.
fn written(attribute: &Attribute) -> Value {
    let (name, value) = match &attribute.value {
        AttributeValue::Text(text) => ("stringValue", text.clone()),
        AttributeValue::Binary(bytes) => ("binaryValue", STANDARD.encode(bytes)),
    };
    let data_type = &attribute.data_type;
    json!({name: value, "stringListValues": [], "binaryListValues": [], "dataType": data_type})
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::aws::sqs::queue::message::Message;

    fn received(message: Message) -> Received {
        Received {
            handle: "handle".to_owned(),
            message: Arc::new(message),
            attributes: vec![("ApproximateReceiveCount", "1".to_owned())],
        }
    }

    #[test]
    fn a_record_has_lambdas_shape() {
        let message = Message {
            id: "m-1".to_owned(),
            ..Message::new(r#"{"a": 1.50}"#).with("attempt", Attribute::number(1))
        };
        let payloads = payloads("arn:aws:sqs:x", vec![received(message)]);
        insta::assert_snapshot!(payloads[0].1, @r#"{"Records":[{"messageId":"m-1","receiptHandle":"handle","body":"{\"a\": 1.50}","attributes":{"ApproximateReceiveCount":"1"},"messageAttributes":{"attempt":{"stringValue":"1","stringListValues":[],"binaryListValues":[],"dataType":"Number"}},"md5OfBody":"c021779b9e5b43f63b5b6f40f8c06f0d","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:x","awsRegion":"us-east-1","md5OfMessageAttributes":"337f6a19a0db123db43541f7cb6e45f6"}]}"#);
    }

    #[test]
    fn a_batch_that_is_too_large_for_one_event_becomes_several() {
        let batch = (0..10).map(|_| received(Message::new("x".repeat(1024 * 1024))));
        let payloads = payloads("arn:aws:sqs:x", batch.collect());
        let counts: Vec<_> = payloads.iter().map(|(batch, _)| batch.len()).collect();
        assert_eq!(counts, [5, 5]);
        assert!(
            payloads
                .iter()
                .all(|(_, payload)| payload.len() <= MAXIMUM_PAYLOAD)
        );
    }
}
