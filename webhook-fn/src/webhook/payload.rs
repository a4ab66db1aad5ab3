//! The two bodies that Close has sent to a webhook.
//!
//! Today's is `{"event": {…}, "subscription_id": "whsub_…"}` with an entry of the event log; 2014's is
//! `{"model": "lead", "event": "create", "data": {…}}`, unsigned, with the object, or only the ids of a deletion or merge.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use shared::close::timestamp;
use shared::event::change::{Change, EventType, Identity, object_href};
use shared::event::log_entry;
use shared::json::path;

use crate::http::webhook_error::PayloadError;

#[derive(Deserialize)]
struct WebhookBody<'a> {
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// Reads a webhook's body as changes: one, or two for a merge of 2014. `received` dates what Close gave no time.
///
/// # Errors
/// When the body is not JSON, or not Close's.
pub fn to_changes(body: &[u8], received: Timestamp) -> Result<Vec<Change>, PayloadError> {
    let not_json = |error: &dyn ToString| PayloadError::NotJson(error.to_string());
    let text = shared::json::text(body).map_err(|error| not_json(&error))?;
    let raw = shared::json::raw(text).map_err(|error| not_json(&error))?;
    let raw: Arc<RawValue> = Arc::from(raw);
    let mended = shared::json::mended(&raw);
    let body: WebhookBody<'_> =
        shared::json::read(mended.get()).map_err(|_| PayloadError::NotAWebhook)?;
    match (body.event, body.model, body.data) {
        (Some(event), _, _) if log_entry::is_entry(event) => Ok(vec![log_entry::to_change(
            event,
            Arc::clone(&raw),
            received,
        )]),
        (Some(event), Some(model), Some(data)) => {
            legacy_changes(&to_text(model)?, &to_text(event)?, data, &raw, received)
        }
        _ => Err(PayloadError::NotAWebhook),
    }
}

fn to_text(json: &RawValue) -> Result<String, PayloadError> {
    shared::json::string(json.get()).ok_or(PayloadError::NotAWebhook)
}

/// A merge becomes what today's format sends of itself: the source is deleted, the destination merged.
fn legacy_changes(
    model: &str,
    event: &str,
    data: &RawValue,
    raw: &Arc<RawValue>,
    received: Timestamp,
) -> Result<Vec<Change>, PayloadError> {
    let id = |key: &'static str| path::text_at(data, key);
    let change =
        |object_id: &str, action: &str, date: Option<Timestamp>, identity: Identity| Change {
            event_type: EventType::of(model, action),
            date: date.unwrap_or(received),
            identity,
            data_hidden: false,
            is_unreadable: false,
            entry: None,
            href: object_href(model, object_id),
            object_type: model.to_owned(),
            object_id: object_id.to_owned(),
            own_id: object_id.to_owned(),
            action: action.to_owned(),
            raw: Arc::clone(raw),
        };
    if event == "merge" {
        let (source, destination) = id("source_id")
            .zip(id("destination_id"))
            .ok_or(PayloadError::NoObject("a source_id and a destination_id"))?;
        let identity = Identity::Parts(vec![source.clone(), destination.clone()]);
        return Ok(vec![
            change(&source, "deleted", None, identity.clone()),
            change(&destination, "merged", None, identity),
        ]);
    }
    let object_id = id("id").ok_or(PayloadError::NoObject("an id"))?;
    let stamp = id("date_updated").and_then(|text| timestamp::parse(&text));
    let (when, identity) = match (event, stamp) {
        // The body of a deletion is its id alone, and an object is deleted once.
        ("delete", _) => (None, Identity::Parts(Vec::new())),
        (_, Some(stamp)) => (Some(stamp), Identity::Date),
        (_, None) => (None, Identity::of_bytes(raw)),
    };
    Ok(vec![change(&object_id, past_tense(event), when, identity)])
}

/// 2014's word as today's.
fn past_tense(event: &str) -> &str {
    match event {
        "create" => "created",
        "update" => "updated",
        "delete" => "deleted",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use shared::event::change::{EventType, Identity};

    use super::to_changes;

    fn summary(body: &str) -> Vec<(String, String, EventType)> {
        let changes = to_changes(body.as_bytes(), Timestamp::UNIX_EPOCH).unwrap();
        changes
            .into_iter()
            .map(|change| (change.object_id, change.action, change.event_type))
            .collect()
    }

    fn error(body: &[u8]) -> String {
        to_changes(body, Timestamp::UNIX_EPOCH)
            .unwrap_err()
            .to_string()
    }

    fn owned(id: &str, action: &str, event_type: EventType) -> (String, String, EventType) {
        (id.to_owned(), action.to_owned(), event_type)
    }

    #[test]
    fn a_merge_of_2014_deletes_one_and_merges_into_the_other() {
        let changes = summary(
            r#"{"model":"lead","event":"merge","data":{"source_id":"lead_1","destination_id":"lead_2"}}"#,
        );
        assert_eq!(
            changes,
            [
                owned("lead_1", "deleted", EventType::Deleted),
                owned("lead_2", "merged", EventType::Updated)
            ]
        );
    }

    #[test]
    fn a_retry_of_a_body_without_a_time_is_told_by_the_same_parts() {
        let body = br#"{"model":"lead","event":"delete","data":{"id":"lead_1"}}"#;
        let [first, retry] = [0, 60].map(|second| {
            to_changes(body, Timestamp::from_second(second).unwrap())
                .unwrap()
                .remove(0)
        });
        assert_eq!(first.identity, Identity::Parts(Vec::new()));
        assert_eq!(first.identity, retry.identity);
        assert_ne!(first.date, retry.date);
    }

    #[test]
    fn raw_keeps_every_byte() {
        let body = "{\"event\" : {\"object_type\":\"lead\",\"object_id\":\"lead_1\",\"action\":\"x\",\n \"n\":1.10e2, \"u\":\"\\u00e9é\"},\t\"subscription_id\":\"w\"}";
        assert_eq!(
            to_changes(body.as_bytes(), Timestamp::UNIX_EPOCH).unwrap()[0]
                .raw
                .get(),
            body
        );
    }

    #[test]
    fn an_event_that_cannot_be_read_is_a_change_all_the_same() {
        let body = r#"{"event":{"object_type":"lead","object_id":null,"action":7},"subscription_id":"w","model":7}"#;
        assert_eq!(summary(body), [owned("", "", EventType::Unknown)]);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_body() {
        let body = r#"{"model":"lead","event":"delete","data":{"id":"lead_1"}}"#;
        let marked = format!("\u{feff}{body}");
        let changes = to_changes(marked.as_bytes(), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(changes[0].raw.get(), body);
    }

    #[test]
    fn what_is_no_webhook_is_refused_with_the_reason() {
        insta::assert_snapshot!(error(b"{\"event\":"), @"expected JSON: EOF while parsing a value at line 1 column 9");
        insta::assert_snapshot!(error(b"\xff{}"), @"expected JSON: invalid utf-8 sequence of 1 bytes from index 0");
        insta::assert_snapshot!(error(b"\xff\xfe{\0}\0"), @"expected JSON: the text is in UTF-16: save it as UTF-8");
        insta::assert_snapshot!(error(b"[]"), @"expected a webhook of Close's, with an `event` object, or with `model`, `event` and `data`");
        insta::assert_snapshot!(error(b"{\"model\":\"lead\",\"event\":7,\"data\":{}}"), @"expected a webhook of Close's, with an `event` object, or with `model`, `event` and `data`");
        insta::assert_snapshot!(error(b"{\"event\":{\"data\":{\"id\":\"lead_1\"}}}"), @"expected a webhook of Close's, with an `event` object, or with `model`, `event` and `data`");
        insta::assert_snapshot!(error(b"{\"model\":\"lead\",\"event\":\"update\",\"data\":{}}"), @"expected `data` to have an id");
        insta::assert_snapshot!(error(b"{\"model\":\"lead\",\"event\":\"merge\",\"data\":{\"source_id\":\"lead_1\"}}"), @"expected `data` to have a source_id and a destination_id");
    }
}
