//! The body of a notification, as receivers of the Cloud Elements service know it.
//!
//! Its members, their order and their types are those of notifications captured from that service in 2018; what there were
//! accounts, companies and users is constant here.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use shared::close::object_type::{self, Objects};
use shared::event::Channel;
use shared::event::change::EventType;
use shared::instance::id::InstanceId;
use shared::instance::settings::Settings;
use shared::json;

use super::event::{Detail, Published};

/// Accounts, companies and users were numbers.
const NOBODY: u32 = 1;
const HUB: &str = "crm";
const SEVERITY: &str = "medium";
const USER: &str = "notifications@cloud-elements.com";
/// Java's `Date.toString()`.
const CREATED_DATE: &str = "%a %b %d %H:%M:%S UTC %Y";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Notification<'a> {
    severity: &'static str,
    created_date: String,
    topic: String,
    action: &'static str,
    id: String,
    message: NotificationMessage<'a>,
    user: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NotificationMessage<'a> {
    element_key: &'a str,
    account_id: u32,
    event_id: String,
    company_id: u32,
    instance_id: InstanceId,
    #[serde(rename = "instance_id")]
    instance_id_too: InstanceId,
    instance_name: &'a str,
    instance_tags: &'a [String],
    raw: Raw<'a>,
    user_id: u32,
    events: [NotificationEvent<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NotificationEvent<'a> {
    date: String,
    element_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    poll_date: Option<String>,
    event_type: EventType,
    hub_key: &'static str,
    object_id: &'a str,
    object_type: &'a str,
}

/// What Close sent: a webhook's body as it came, or a record that was polled, under the name of its resource.
struct Raw<'a> {
    event: &'a Detail<'a>,
    /// `raw`, or what `rawText` holds, which is JSON too, once half of a surrogate pair is a character.
    json: Option<Cow<'a, RawValue>>,
    /// Where it was polled, and when.
    polled: Option<(&'a str, Timestamp)>,
}

/// The notification of an event. It is the same on every attempt, for all of it comes from the event.
pub fn body(published: &Published<'_>, settings: &Settings) -> String {
    let Published { event, time } = published;
    let resource = resource_name(&event.object_type, settings);
    let poll_date = (event.channel == Channel::Polling).then_some(*time);
    to_json(&Notification {
        severity: SEVERITY,
        created_date: time.strftime(CREATED_DATE).to_string(),
        topic: format!(
            "instance-{}-{}-events",
            event.instance_id, event.element_key
        ),
        action: action(event.event_type),
        id: decimal_id(event),
        message: message(event, resource, poll_date),
        user: USER,
    })
}

fn message<'a>(
    event: &'a Detail<'a>,
    resource: &'a str,
    poll_date: Option<Timestamp>,
) -> NotificationMessage<'a> {
    NotificationMessage {
        element_key: &event.element_key,
        account_id: NOBODY,
        event_id: event.id.to_string(),
        company_id: NOBODY,
        instance_id: event.instance_id,
        instance_id_too: event.instance_id,
        instance_name: &event.instance_name,
        instance_tags: &event.instance_tags,
        raw: raw(event, resource, poll_date),
        user_id: NOBODY,
        events: [notification_event(event, resource, poll_date)],
    }
}

fn raw<'a>(event: &'a Detail<'a>, resource: &'a str, poll_date: Option<Timestamp>) -> Raw<'a> {
    let text = event.raw_text.as_deref();
    let from_text = text.and_then(|text| json::read(text).ok());
    Raw {
        event,
        json: event.raw.or(from_text).map(json::mended),
        polled: poll_date.map(|poll_date| (resource, poll_date)),
    }
}

fn notification_event<'a>(
    event: &'a Detail<'a>,
    object_type: &'a str,
    poll_date: Option<Timestamp>,
) -> NotificationEvent<'a> {
    NotificationEvent {
        date: to_seconds(event.date),
        element_key: &event.element_key,
        poll_date: poll_date.map(to_seconds),
        event_type: event.event_type,
        hub_key: HUB,
        object_id: &event.object_id,
        object_type,
    }
}

fn to_json(notification: &Notification<'_>) -> String {
    #[expect(
        clippy::expect_used,
        reason = "texts, numbers and valid JSON always serialize"
    )]
    serde_json::to_string(notification).expect("a notification serializes")
}

/// What the instance's poller configuration calls the objects, or the hub's own name for them; Close's, for what the hub
/// does not know.
fn resource_name<'a>(object_type: &'a str, settings: &'a Settings) -> &'a str {
    let resources = settings
        .polling
        .iter()
        .flat_map(|polling| &polling.resources);
    let mut own = resources.filter(|resource| {
        // What polls everything names nothing.
        let objects = resource.query.objects;
        objects != Objects::All && objects.include(object_type)
    });
    if let Some(resource) = own.next() {
        return &resource.name;
    }
    object_type::resource_name(object_type).unwrap_or(object_type)
}

fn action(event_type: EventType) -> &'static str {
    match event_type {
        EventType::Created => "create",
        EventType::Updated => "update",
        EventType::Deleted => "delete",
        EventType::Unknown => "unknown",
    }
}

/// The event's id was a decimal number: 63 bits of ours, which fit a signed one.
fn decimal_id(event: &Detail<'_>) -> String {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&event.id.0[..8]);
    (u64::from_be_bytes(bytes) >> 1).to_string()
}

fn to_seconds(time: Timestamp) -> String {
    format!("{time:.0}")
}

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let (None, Some(json)) = (self.polled, &self.json) {
            return json.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        if let Some((resource, poll_date)) = self.polled {
            let records: Vec<_> = self.json.iter().collect();
            map.serialize_entry(resource, &records)?;
            map.serialize_entry("pollDate", &poll_date.as_millisecond())?;
            map.serialize_entry("objectType", resource)?;
        }
        if let Some(omitted) = self.event.raw_omitted {
            map.serialize_entry("rawOmitted", omitted)?;
        }
        if let (Some(_), Some(current)) = (self.polled, self.event.current) {
            map.serialize_entry("current", current)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use shared::instance::configuration::Configuration;
    use shared::instance::settings::Settings;
    use shared::json;

    use super::body;
    use crate::callback::event::Published;

    fn settings(resources: Option<Value>) -> Settings {
        let mut configuration = Configuration::default();
        configuration.set("username", "api_key");
        configuration.set("event.notification.enabled", "true");
        configuration.set(
            "event.notification.callback.url",
            "https://app.example.com/",
        );
        configuration.set("event.vendor.type", "webhook");
        if let Some(resources) = resources {
            configuration.set("event.vendor.type", "polling");
            configuration.set("event.poller.configuration", &resources.to_string());
        }
        Settings::stored(&configuration).unwrap()
    }

    fn message(channel: &str, object_type: &str, event_type: &str, rest: &str) -> String {
        format!(
            r#"{{"source":"closeio","time":"2018-07-31T19:40:36.12Z","detail":{{"id":"479e76ad29a077976e08103ed6e66062","instanceId":20931,"instanceName":"Test",
            "instanceTags":["Test"],"elementKey":"closeio","objectType":"{object_type}","objectId":"lead_1","eventType":"{event_type}",
            "action":"x","date":"2018-07-31T19:39:46.242Z","channel":"{channel}","callback":true,{rest}}}}}"#
        )
    }

    fn notification(message: &str, resources: Option<Value>) -> String {
        body(&Published::parse(message).unwrap(), &settings(resources))
    }

    fn object_type(object_type: &str, resources: Option<Value>) -> Value {
        let message = message("polling", object_type, "UPDATED", r#""raw":{}"#);
        let body: Value = json::tree(&notification(&message, resources)).unwrap();
        let found = body["message"]["events"][0]["objectType"].clone();
        assert_eq!(body["message"]["raw"]["objectType"], found);
        found
    }

    #[test]
    fn a_polled_record_stands_under_its_resource() {
        let raw = r#""raw":{"id":"lead_1",  "name": "Zoë","value":1.50}"#;
        let resources = json!({"accounts": {"url": "/hubs/crm/accounts"}});
        let body = notification(&message("polling", "lead", "CREATED", raw), Some(resources));
        insta::assert_snapshot!(body, @r#"{"severity":"medium","createdDate":"Tue Jul 31 19:40:36 UTC 2018","topic":"instance-20931-closeio-events","action":"create","id":"2580346354556484555","message":{"elementKey":"closeio","accountId":1,"eventId":"479e76ad29a077976e08103ed6e66062","companyId":1,"instanceId":20931,"instance_id":20931,"instanceName":"Test","instanceTags":["Test"],"raw":{"accounts":[{"id":"lead_1",  "name": "Zoë","value":1.50}],"pollDate":1533066036120,"objectType":"accounts"},"userId":1,"events":[{"date":"2018-07-31T19:39:46Z","elementKey":"closeio","pollDate":"2018-07-31T19:40:36Z","eventType":"CREATED","hubKey":"crm","objectId":"lead_1","objectType":"accounts"}]},"user":"notifications@cloud-elements.com"}"#);
    }

    #[test]
    fn a_webhooks_body_goes_on_byte_for_byte() {
        let raw =
            r#""raw":{"model": "lead",  "event":"update", "data":{"n": 12345678901234567890.0}}"#;
        let body = notification(&message("webhook", "lead", "UPDATED", raw), None);
        insta::assert_snapshot!(body, @r#"{"severity":"medium","createdDate":"Tue Jul 31 19:40:36 UTC 2018","topic":"instance-20931-closeio-events","action":"update","id":"2580346354556484555","message":{"elementKey":"closeio","accountId":1,"eventId":"479e76ad29a077976e08103ed6e66062","companyId":1,"instanceId":20931,"instance_id":20931,"instanceName":"Test","instanceTags":["Test"],"raw":{"model": "lead",  "event":"update", "data":{"n": 12345678901234567890.0}},"userId":1,"events":[{"date":"2018-07-31T19:39:46Z","elementKey":"closeio","eventType":"UPDATED","hubKey":"crm","objectId":"lead_1","objectType":"accounts"}]},"user":"notifications@cloud-elements.com"}"#);
    }

    #[test]
    fn what_event_bridge_would_not_take_is_json_again() {
        let text = r#""rawText":"{\"n\": 9223372036854775808}""#;
        let body = notification(&message("webhook", "lead", "UPDATED", text), None);
        assert!(
            body.contains(r#""raw":{"n": 9223372036854775808},"#),
            "{body}"
        );
    }

    #[test]
    fn half_of_a_surrogate_pair_is_a_character() {
        let text = r#""rawText":"{\"name\": \"cut \\ud83d\"}""#;
        for (channel, raw) in [
            ("webhook", r#""raw":{"name": "cut \ufffd"},"#),
            ("polling", r#""raw":{"accounts":[{"name": "cut \ufffd"}],"#),
        ] {
            let body = notification(&message(channel, "lead", "UPDATED", text), None);
            assert!(body.contains(raw), "{body}");
            assert!(json::tree(&body).is_ok());
        }
    }

    #[test]
    fn what_was_too_large_says_where_to_read_it() {
        let omitted =
            r#""rawOmitted":{"bytes":7,"href":"https://api.close.com/api/v1/lead/lead_1/"}"#;
        let body = notification(&message("webhook", "lead", "UPDATED", omitted), None);
        assert!(body.contains(&format!(r#""raw":{{{omitted}}},"#)), "{body}");
        let body = notification(&message("polling", "lead", "UPDATED", omitted), None);
        let raw = r#""raw":{"accounts":[],"pollDate":1533066036120,"objectType":"accounts","rawOmitted":{"#;
        assert!(body.contains(raw), "{body}");
    }

    #[test]
    fn what_close_hid_stands_beside_the_record() {
        let hidden = r#""raw":{"id":"ev_1"},"dataHidden":true,"current":{"id":"lead_1"}"#;
        let body = notification(&message("polling", "lead", "UPDATED", hidden), None);
        assert!(body.contains(r#""current":{"id":"lead_1"}}"#), "{body}");
    }

    #[test]
    fn every_event_type_has_its_action() {
        for (event_type, action) in [
            ("CREATED", "create"),
            ("UPDATED", "update"),
            ("DELETED", "delete"),
            ("UNKNOWN", "unknown"),
        ] {
            let message = message("webhook", "lead", event_type, r#""raw":{}"#);
            let body: Value = json::tree(&notification(&message, None)).unwrap();
            assert_eq!(body["action"], action);
            assert_eq!(body["message"]["events"][0]["eventType"], event_type);
        }
    }

    #[test]
    fn an_object_type_is_the_name_of_the_resource() {
        for (of, name) in [
            ("lead", "accounts"),
            ("contact", "contacts"),
            ("opportunity", "opportunities"),
            ("task.lead", "tasks"),
            ("activity.call", "activities"),
            ("custom_activity_type", "custom_activity_type"),
        ] {
            assert_eq!(object_type(of, None), name);
        }
        let resources = || {
            Some(json!({
                "everything": {"url": "/hubs/crm/events"},
                "leads": {"url": "/hubs/crm/leads"},
                "calls": {"url": "/hubs/crm/activities"},
            }))
        };
        assert_eq!(object_type("lead", resources()), "leads");
        assert_eq!(object_type("activity.call", resources()), "calls");
        assert_eq!(object_type("contact", resources()), "contacts");
    }
}
