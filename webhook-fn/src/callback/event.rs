//! The event in a message, as the rule delivers it.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use shared::event::Channel;
use shared::event::change::EventType;
use shared::event::entry::SOURCE;
use shared::event::id::EventId;
use shared::instance::id::InstanceId;
use shared::json;

/// What EventBridge puts round it.
#[derive(Deserialize)]
struct Envelope<'a> {
    source: String,
    #[serde(default)]
    time: Option<Timestamp>,
    #[serde(borrow)]
    detail: &'a RawValue,
}

/// An event and when it was published.
#[derive(Debug)]
pub struct Published<'a> {
    /// The event.
    pub event: Detail<'a>,
    /// When EventBridge took it, in whole seconds, the same on every delivery and after a replay; of a message that somebody
    /// sent without that, the date of the change.
    pub time: Timestamp,
}

/// One change of one instance: the `detail` of the record.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail<'a> {
    /// The same on every delivery.
    pub id: EventId,
    /// Whose.
    pub instance_id: InstanceId,
    /// What its owner called it then.
    pub instance_name: String,
    /// Its labels then.
    pub instance_tags: Vec<String>,
    /// The element's key.
    pub element_key: String,
    /// Close's own type.
    pub object_type: String,
    /// Close's id of the object.
    pub object_id: String,
    /// What happened.
    pub event_type: EventType,
    /// When.
    pub date: Timestamp,
    /// How it reached us.
    pub channel: Channel,
    /// What Close sent.
    #[serde(borrow, default)]
    pub raw: Option<&'a RawValue>,
    /// The same, where EventBridge would not take it as JSON.
    #[serde(default)]
    pub raw_text: Option<String>,
    /// Where to read it, where it was too large.
    #[serde(borrow, default)]
    pub raw_omitted: Option<&'a RawValue>,
    /// The object as it was when the change was published, where Close hid it.
    #[serde(borrow, default)]
    pub current: Option<&'a RawValue>,
}

impl<'a> Published<'a> {
    /// Reads a message's body; nothing, where it is no event of ours.
    pub fn parse(body: &'a str) -> Option<Self> {
        let envelope: Envelope<'a> = json::read(body).ok()?;
        if envelope.source != SOURCE {
            return None;
        }
        let event: Detail<'a> = json::read(envelope.detail.get()).ok()?;
        Some(Self {
            time: envelope.time.unwrap_or(event.date),
            event,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Published;

    const DETAIL: &str = r#"{"id":"479e76ad29a077976e08103ed6e66062","instanceId":20931,"instanceName":"Test","instanceTags":["Test"],"elementKey":"closeio","objectType":"contact","objectId":"cont_1","eventType":"UPDATED","action":"updated","date":"2026-06-19T12:06:45.242Z","channel":"polling","callback":true,"raw":{"id": "cont_1",  "n": 1.50}}"#;

    fn message(source: &str, detail: &str) -> String {
        format!(
            r#"{{"version":"0","id":"6a7e8feb","detail-type":"contact.updated","source":"{source}","time":"2026-06-19T12:06:52Z","resources":[],"detail":{detail}}}"#
        )
    }

    #[test]
    fn is_what_was_published() {
        let body = message("closeio", DETAIL);
        let Published { event, time } = Published::parse(&body).unwrap();
        assert_eq!(time.to_string(), "2026-06-19T12:06:52Z");
        let without = body.replace(r#""time":"2026-06-19T12:06:52Z","#, "");
        let time = Published::parse(&without).unwrap().time;
        assert_eq!(time.to_string(), "2026-06-19T12:06:45.242Z");
        assert_eq!(event.id.to_string(), "479e76ad29a077976e08103ed6e66062");
        assert_eq!(event.raw.unwrap().get(), r#"{"id": "cont_1",  "n": 1.50}"#);
    }

    #[test]
    fn anything_else_is_none() {
        for body in [
            String::new(),
            "{".to_owned(),
            "[]".to_owned(),
            DETAIL.to_owned(),
            message("closeio.poller", DETAIL),
            message("closeio", "{}"),
            message("closeio", DETAIL).replace("2026-06-19T12:06:52Z", "now"),
            message("closeio", &DETAIL.replace("479e", "xyz")),
            message("closeio", &DETAIL.replace("20931", "0")),
            message("closeio", &DETAIL.replace("UPDATED", "RETRIEVED")),
        ] {
            assert!(Published::parse(&body).is_none(), "{body}");
        }
    }
}
