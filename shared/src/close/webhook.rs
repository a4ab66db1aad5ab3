//! Close's webhook subscriptions: what to subscribe to, and the bodies of `/webhook/`.

use std::collections::BTreeSet;
use std::fmt;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// The object types that a subscription covers by default, each with its actions beside created, updated and deleted.
/// Source: the table of types and actions, developer.close.com/resources/event-log; it leaves out an organization's own
/// settings, exports and bulk actions.
const SUBSCRIBED: [(&str, &[&str]); 15] = [
    ("lead", &["merged"]),
    ("contact", &[]),
    ("opportunity", &[]),
    ("task.lead", &["completed"]),
    ("activity.note", &[]),
    ("activity.call", &["answered", "completed"]),
    ("activity.email", &["sent"]),
    ("activity.email_thread", &[]),
    ("activity.sms", &["sent"]),
    (
        "activity.meeting",
        &["scheduled", "started", "completed", "canceled"],
    ),
    ("activity.custom_activity", &[]),
    ("activity.form_submission", &[]),
    ("activity.whatsapp_message", &[]),
    ("activity.lead_status_change", &[]),
    ("activity.opportunity_status_change", &[]),
];

/// What a resource of the hub is at Close.
const RESOURCES: [(&str, &str); 6] = [
    ("accounts", "lead"),
    ("leads", "lead"),
    ("contacts", "contact"),
    ("opportunities", "opportunity"),
    ("tasks", "task.lead"),
    ("activities", "activity"),
];

/// One kind of event that a subscription covers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SubscribedEvent {
    /// Close's object type.
    pub object_type: String,
    /// Close's action.
    pub action: String,
}

/// A name that no subscribed object has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownObject(pub String);

/// A subscription as Close makes it.
#[derive(Debug, Deserialize)]
pub struct CreatedSubscription {
    /// `whsub_…`
    pub id: String,
    /// The key that its deliveries are signed with, in hex; shown this once.
    pub signature_key: SecretString,
}

/// A subscription as Close shows it later.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Subscription {
    /// `active` or `paused`.
    pub status: String,
    /// Why Close paused it, if it did.
    #[serde(default)]
    pub pause_reason: Option<String>,
}

/// An organization's subscriptions, of which there are 40 at most.
#[derive(Debug, Deserialize)]
pub struct Listed {
    /// Each of them.
    pub data: Vec<ListedSubscription>,
}

/// One of them. Others than ours may have been made in any way, so that nothing of them is required.
#[derive(Debug, Deserialize)]
pub struct ListedSubscription {
    /// `whsub_…`
    pub id: String,
    /// Where it posts.
    #[serde(default)]
    pub url: String,
    /// `active` or `paused`.
    #[serde(default)]
    pub status: String,
    /// What it covers.
    #[serde(default)]
    pub events: Vec<ListedEvent>,
}

/// One kind of event that a listed subscription covers.
#[derive(Debug, Deserialize)]
pub struct ListedEvent {
    /// Close's object type.
    #[serde(default)]
    pub object_type: String,
    /// Close's action.
    #[serde(default)]
    pub action: String,
}

/// What a subscription should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wanted<'a> {
    /// Where it posts.
    pub url: &'a str,
    /// What it covers.
    pub events: &'a [SubscribedEvent],
    /// Whether it delivers.
    pub status: Status,
}

impl ListedSubscription {
    /// Whether it is as it should be. Close lists events in an order of its own.
    pub fn is(&self, wanted: &Wanted<'_>) -> bool {
        let covered: BTreeSet<_> = self
            .events
            .iter()
            .map(|event| (event.object_type.as_str(), event.action.as_str()))
            .collect();
        let events = wanted.events.iter();
        let events: BTreeSet<_> = events
            .map(|event| (event.object_type.as_str(), event.action.as_str()))
            .collect();
        self.url == wanted.url && self.status == wanted.status.as_str() && covered == events
    }
}

/// Whether a subscription delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It does.
    Active,
    /// It does not, and what waited is dropped.
    Paused,
}

impl Status {
    /// Close's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
        }
    }
}

/// The events of a subscription to `objects`, a list between commas of Close's object types, their families (`activity`)
/// and the hub's resources (`accounts`); to all of them, where there is none.
///
/// # Errors
/// The first name that is none of these.
pub fn events(objects: Option<&str>) -> Result<Vec<SubscribedEvent>, UnknownObject> {
    let names = objects
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let mut wanted = Vec::new();
    for name in names {
        let name = RESOURCES
            .iter()
            .find(|(resource, _)| *resource == name)
            .map_or(name, |(_, own)| own);
        if !SUBSCRIBED
            .iter()
            .any(|(object_type, _)| covers(name, object_type))
        {
            return Err(UnknownObject(name.to_owned()));
        }
        wanted.push(name);
    }
    let is_wanted = |object_type: &str| {
        wanted.is_empty() || wanted.iter().any(|name| covers(name, object_type))
    };
    let subscribed = SUBSCRIBED
        .iter()
        .filter(|(object_type, _)| is_wanted(object_type));
    Ok(subscribed
        .flat_map(|(object_type, more)| events_of(object_type, more))
        .collect())
}

/// `activity` covers `activity.call`.
fn covers(name: &str, object_type: &str) -> bool {
    object_type
        .strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn events_of<'a>(
    object_type: &'a str,
    more: &'a [&str],
) -> impl Iterator<Item = SubscribedEvent> + 'a {
    let actions = ["created", "updated", "deleted"].iter().chain(more);
    actions.map(|action| SubscribedEvent {
        object_type: object_type.to_owned(),
        action: (*action).to_owned(),
    })
}

/// The ids of the subscriptions that a refusal names: `Duplicate active subscription. Existing duplicates are: whsub_…`.
pub fn duplicates_of(message: &str) -> Vec<&str> {
    if !message.contains("uplicate") {
        return Vec::new();
    }
    let words =
        message.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    words.filter(|word| word.starts_with("whsub_")).collect()
}

impl fmt::Display for UnknownObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<_> = SUBSCRIBED
            .iter()
            .map(|(object_type, _)| *object_type)
            .collect();
        write!(
            f,
            "expected object types of Close's between commas ({}), but found `{}`",
            known.join(", "),
            self.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{ListedSubscription, Status, UnknownObject, Wanted, duplicates_of, events};

    fn listed(objects: Option<&str>) -> Vec<String> {
        let events = events(objects).unwrap();
        events
            .iter()
            .map(|event| format!("{} {}", event.object_type, event.action))
            .collect()
    }

    #[test]
    fn all_objects_with_their_actions_by_default() {
        let all = listed(None);
        assert_eq!(all.len(), 15 * 3 + 1 + 1 + 2 + 1 + 1 + 4);
        assert!(
            all.contains(&"lead merged".to_owned())
                && all.contains(&"activity.meeting canceled".to_owned())
        );
        assert_eq!(listed(Some(" , ")), all);
    }

    #[test]
    fn objects_are_narrowed_by_type_family_or_resource() {
        let leads = [
            "lead created",
            "lead updated",
            "lead deleted",
            "lead merged",
        ];
        assert_eq!(listed(Some("accounts")), leads);
        assert_eq!(listed(Some("lead")), leads);
        assert_eq!(listed(Some("activity.call")).len(), 5);
        assert_eq!(listed(Some("activities")).len(), 11 * 3 + 2 + 1 + 1 + 4);
        assert_eq!(
            events(Some("lead, ship")),
            Err(UnknownObject("ship".to_owned()))
        );
        assert_eq!(events(Some("act")), Err(UnknownObject("act".to_owned())));
    }

    #[test]
    fn duplicates_are_named() {
        let message = r#"{"error": "Duplicate active subscription: whsub_1aB"}"#;
        assert_eq!(duplicates_of(message), ["whsub_1aB"]);
        let message = "Bad Request: Duplicate active subscription. Existing duplicates are: whsub_1aB, whsub_2.";
        assert_eq!(duplicates_of(message), ["whsub_1aB", "whsub_2"]);
        assert_eq!(duplicates_of("whsub_1aB is paused"), [""; 0]);
    }

    #[test]
    fn a_listed_subscription_is_compared_whatever_the_order_of_its_events() {
        let recorded = r#"{"id": "whsub_1", "url": "https://a/1", "status": "active", "events": [
            {"action": "created", "extra_filter": null, "object_type": "lead"},
            {"action": "deleted", "extra_filter": null, "object_type": "lead"},
            {"action": "merged", "extra_filter": null, "object_type": "lead"},
            {"action": "updated", "extra_filter": null, "object_type": "lead"}]}"#;
        let listed: ListedSubscription = crate::json::read(recorded).unwrap();
        let (leads, contacts) = (events(Some("lead")), events(Some("contact")));
        let (leads, contacts) = (leads.unwrap(), contacts.unwrap());
        let wanted = |url, events, status| {
            listed.is(&Wanted {
                url,
                events,
                status,
            })
        };
        assert!(wanted("https://a/1", &leads, Status::Active));
        assert!(!wanted("https://a/2", &leads, Status::Active));
        assert!(!wanted("https://a/1", &leads[1..], Status::Active));
        assert!(!wanted("https://a/1", &contacts, Status::Active));
        assert!(!wanted("https://a/1", &leads, Status::Paused));
    }
}
