//! The normalized event: the product. Its shape changes only by adding.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::event::change::{Change, EventType};
use crate::event::entry::{PutEventsEntry, RawForm, SOURCE, to_json};
use crate::event::id::EventId;
use crate::event::ledger_key::LedgerKey;
use crate::instance::Instance;
use crate::instance::id::InstanceId;
use crate::instance::settings::Settings;
use crate::json::{self, path};

pub mod bus;
pub mod change;
pub mod entry;
pub mod id;
pub mod ledger_key;
pub mod log_entry;

/// EventBridge's limit on `DetailType`, in characters.
const MAX_DETAIL_TYPE: usize = 128;

/// How a change reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Close sent it.
    Webhook,
    /// We asked Close.
    Polling,
}

/// One change of one instance, ready to be published.
#[derive(Debug, Clone)]
pub struct Event {
    /// Consumers dedupe on this.
    pub id: EventId,
    /// What changed.
    pub change: Change,
    /// The object as it was when the change was published, where Close hid it from the API key in the change itself.
    pub current: Option<Box<RawValue>>,
    instance_id: InstanceId,
    instance_name: String,
    instance_tags: Vec<String>,
    callback: bool,
    base_url: String,
    channel: Channel,
    is_reconciled: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    id: EventId,
    instance_id: InstanceId,
    instance_name: &'a str,
    instance_tags: &'a [String],
    element_key: &'static str,
    object_type: &'a str,
    object_id: &'a str,
    event_type: EventType,
    action: &'a str,
    date: String,
    channel: Channel,
    #[serde(skip_serializing_if = "Option::is_none")]
    reconciled: Option<bool>,
    callback: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_hidden: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_omitted: Option<RawOmitted>,
}

#[derive(Serialize)]
struct RawOmitted {
    bytes: usize,
    href: String,
}

impl Event {
    /// The event of a change of an instance.
    pub fn new(instance: &Instance, settings: &Settings, channel: Channel, change: Change) -> Self {
        Self {
            id: EventId::of(instance.id, &change),
            change,
            current: None,
            instance_id: instance.id,
            instance_name: instance.name.clone(),
            instance_tags: instance.tags.clone(),
            callback: settings.callback.is_some(),
            base_url: settings.base_url.clone(),
            channel,
            is_reconciled: false,
        }
    }

    /// The event of an entry that a webhook should have delivered, and that a reconciliation found in the event log. `raw`, the
    /// entry, becomes the body of the delivery.
    #[must_use]
    pub fn reconciled(mut self) -> Self {
        let body = format!(r#"{{"event":{}}}"#, self.change.raw.get());
        if let Ok(body) = json::raw(&body) {
            self.change.raw = Arc::from(body);
        }
        self.channel = Channel::Webhook;
        self.is_reconciled = true;
        self
    }

    /// Whether a reconciliation found the event.
    pub fn is_reconciled(&self) -> bool {
        self.is_reconciled
    }

    /// The keys under which the ledger knows the event: one, or two where an entry of the event log reports the change.
    pub fn ledger_keys(&self) -> impl Iterator<Item = LedgerKey> + use<> {
        let entry = self.change.entry.as_ref();
        let by_entry = entry.map(|entry| LedgerKey::of_entry(self.instance_id, entry));
        std::iter::once(LedgerKey::of_event(self.id)).chain(by_entry)
    }

    /// The entry to publish, in this form or in the next that will do: as text where EventBridge would refuse the JSON, and
    /// without what Close sent where the entry would be larger than `max_bytes`. Returns the form with it.
    pub fn to_entry(&self, form: RawForm, max_bytes: usize) -> (PutEventsEntry, RawForm) {
        let raw = &self.change.raw;
        let form = match form {
            RawForm::Json if !path::suits_event_bridge(raw) => RawForm::Text,
            form => form,
        };
        // The text alone is over the limit for most that does not fit, and spares building the whole.
        let may_fit = form != RawForm::Omitted && raw.get().len() < max_bytes;
        let entry = may_fit
            .then(|| self.entry(form))
            .filter(|entry| entry.size() <= max_bytes);
        match entry {
            Some(entry) => (entry, form),
            None => (self.entry(RawForm::Omitted), RawForm::Omitted),
        }
    }

    fn entry(&self, form: RawForm) -> PutEventsEntry {
        let (object_type, word) = (
            &self.change.object_type,
            self.change.event_type.lower_case(),
        );
        let detail_type = if object_type.is_empty() {
            word.to_owned()
        } else {
            format!("{object_type}.{word}")
        };
        PutEventsEntry {
            source: SOURCE,
            detail_type: detail_type.chars().take(MAX_DETAIL_TYPE).collect(),
            time: self.change.date,
            detail: to_json(&self.detail(form)),
        }
    }

    /// It is left out with `raw` where that is too large, and where EventBridge might refuse it.
    fn current(&self, form: RawForm) -> Option<&RawValue> {
        let current = self.current.as_deref().filter(|_| form == RawForm::Json);
        current.filter(|current| path::suits_event_bridge(current))
    }

    fn detail(&self, form: RawForm) -> Detail<'_> {
        let change = &self.change;
        Detail {
            id: self.id,
            instance_id: self.instance_id,
            instance_name: &self.instance_name,
            instance_tags: &self.instance_tags,
            element_key: SOURCE,
            object_type: &change.object_type,
            object_id: &change.object_id,
            event_type: change.event_type,
            action: &change.action,
            date: format_date(change.date),
            channel: self.channel,
            reconciled: self.is_reconciled.then_some(true),
            callback: self.callback,
            data_hidden: change.data_hidden.then_some(true),
            current: self.current(form),
            raw: (form == RawForm::Json).then_some(&change.raw),
            raw_text: (form == RawForm::Text).then(|| change.raw.get()),
            raw_omitted: (form == RawForm::Omitted).then(|| RawOmitted {
                bytes: change.raw.get().len(),
                href: format!("{}/{}", self.base_url, change.href),
            }),
        }
    }
}

/// ISO 8601 in UTC with milliseconds, which is what Close keeps, or with all digits where there are more.
fn format_date(date: Timestamp) -> String {
    if date.subsec_nanosecond() % 1_000_000 == 0 {
        format!("{date:.3}")
    } else {
        format!("{date:.6}")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use serde_json::Value;

    use super::{Channel, Event};
    use crate::event::change::{Change, EventType, Identity};
    use crate::event::entry::{PutEventsEntry, RawForm};
    use crate::event::id::EventId;
    use crate::instance::Instance;
    use crate::instance::configuration::Configuration;
    use crate::instance::policy::Policy;
    use crate::instance::settings::Settings;
    use crate::json::{raw, tree};

    pub(crate) fn change(action: &str, date: &str, json: &str) -> Change {
        Change {
            object_type: "contact".to_owned(),
            object_id: "cont_1".to_owned(),
            own_id: "cont_1".to_owned(),
            event_type: EventType::of("contact", action),
            action: action.to_owned(),
            date: date.parse().unwrap(),
            identity: Identity::Date,
            data_hidden: false,
            is_unreadable: false,
            entry: None,
            href: "contact/cont_1/".to_owned(),
            raw: Arc::from(raw(json).unwrap()),
        }
    }

    pub(crate) fn event(change: Change) -> Event {
        let mut configuration = Configuration::default();
        configuration.set_default("username", "api_key");
        let settings = Settings::parse(&configuration, &Policy::default()).unwrap();
        let instance = Instance::new(
            20931.try_into().unwrap(),
            "Test",
            configuration,
            Timestamp::UNIX_EPOCH,
        );
        Event::new(&instance, &settings, Channel::Polling, change)
    }

    fn entry(raw: &str, max_bytes: usize) -> PutEventsEntry {
        event(change("updated", "2026-06-19T12:06:45.242Z", raw))
            .to_entry(RawForm::Json, max_bytes)
            .0
    }

    fn id(action: &str, date: &str) -> EventId {
        event(change(action, date, "{}")).id
    }

    #[test]
    fn an_entry_has_the_published_shape() {
        let entry = entry(r#"{"id": "cont_1",  "n": 1.50}"#, 1_000);
        assert_eq!(
            (entry.source, entry.detail_type.as_str()),
            ("closeio", "contact.updated")
        );
        insta::assert_snapshot!(entry.detail, @r#"{"id":"479e76ad29a077976e08103ed6e66062","instanceId":20931,"instanceName":"Test","instanceTags":["Test"],"elementKey":"closeio","objectType":"contact","objectId":"cont_1","eventType":"UPDATED","action":"updated","date":"2026-06-19T12:06:45.242Z","channel":"polling","callback":false,"raw":{"id": "cont_1",  "n": 1.50}}"#);
    }

    #[test]
    fn the_id_tells_changes_apart_and_nothing_else() {
        let date = "2026-06-19T12:06:45.242Z";
        assert_eq!(id("created", date), id("updated", date));
        for (action, other_date) in [
            ("deleted", date),
            ("completed", date),
            ("updated", "2026-06-19T12:06:45.242001Z"),
        ] {
            assert_ne!(
                id("updated", date),
                id(action, other_date),
                "{action} {other_date}"
            );
        }
    }

    #[test]
    fn the_id_goes_by_closes_own_id_whatever_the_event_says() {
        let date = "2026-06-19T12:06:45.242Z";
        let of = |object_id: &str, own_id: &str| {
            let mut change = change("updated", date, "{}");
            object_id.clone_into(&mut change.object_id);
            own_id.clone_into(&mut change.own_id);
            event(change).id
        };
        assert_eq!(of("lead_1", "cont_1"), of("cont_1", "cont_1"));
        assert_ne!(of("lead_1", "cont_1"), of("lead_1", "cont_2"));
    }

    #[test]
    fn raw_over_the_limit_is_left_out_and_the_limit_is_exact() {
        let size = entry("\"12345\"", 1_000).size();
        assert!(entry("\"12345\"", size).detail.contains(r#""raw":"12345""#));
        let detail: Value = tree(&entry("\"12345\"", size - 1).detail).unwrap();
        assert_eq!(
            detail["rawOmitted"].to_string(),
            r#"{"bytes":7,"href":"https://api.close.com/api/v1/contact/cont_1/"}"#
        );
        assert_eq!(detail.get("raw"), None);
    }

    #[test]
    fn what_event_bridge_would_refuse_goes_as_text() {
        let detail: Value = tree(&entry(r#"{"n":9223372036854775808}"#, 1_000).detail).unwrap();
        assert_eq!(detail["rawText"], r#"{"n":9223372036854775808}"#);
        assert_eq!(detail.get("raw"), None);
    }

    #[test]
    fn a_detail_type_without_an_object_type_is_a_word() {
        let mut change = change("", "2026-06-19T12:06:45Z", "{}");
        change.object_type = String::new();
        change.event_type = EventType::Unknown;
        let (entry, _) = event(change).to_entry(RawForm::Json, 10_000);
        assert_eq!(entry.detail_type, "unknown");
    }

    #[test]
    fn a_detail_type_has_128_characters_at_most() {
        let mut change = change("updated", "2026-06-19T12:06:45Z", "{}");
        change.object_type = "ü".repeat(200);
        assert_eq!(
            event(change)
                .to_entry(RawForm::Json, 10_000)
                .0
                .detail_type
                .chars()
                .count(),
            128
        );
    }
}
