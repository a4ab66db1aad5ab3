//! Close's webhook subscriptions: the bodies of `/webhook/`.

use std::collections::BTreeSet;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::object_type::ObjectType;
use crate::json;

/// One kind of event that a subscription covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubscribedEvent {
    /// Close's object type.
    pub object_type: String,
    /// Close's action.
    pub action: String,
    /// What an event must fulfil beside, in Close's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_filter: Option<Value>,
}

/// A subscription as Close makes it.
#[derive(Debug, Deserialize)]
pub struct CreatedSubscription {
    /// `whsub_…`
    pub id: String,
    /// The key that its deliveries are signed with, in hex; shown this once.
    pub signature_key: SecretString,
    /// What it covers.
    #[serde(default)]
    pub events: Vec<ListedEvent>,
}

/// A subscription as Close shows it later.
#[derive(Debug, Clone, Deserialize)]
pub struct Subscription {
    /// Where it posts.
    #[serde(default)]
    pub url: String,
    /// `active` or `paused`.
    pub status: String,
    /// What it covers.
    #[serde(default)]
    pub events: Vec<ListedEvent>,
    /// Why Close paused it, if it did: `permission_revoked` where its user lost a right.
    #[serde(default)]
    pub pause_reason: Option<String>,
    /// What is wrong with it, as with one whose backlog is large.
    #[serde(default)]
    pub health_status: Option<String>,
    /// Why the last delivery that failed did so.
    #[serde(default)]
    pub latest_error: Option<String>,
}

/// An organization's subscriptions, of which there are 40 at most.
#[derive(Debug, Deserialize)]
pub struct SubscriptionList {
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

/// One kind of event that Close says a subscription covers.
#[derive(Debug, Clone, Deserialize)]
pub struct ListedEvent {
    /// Close's object type.
    #[serde(default)]
    pub object_type: String,
    /// Close's action.
    #[serde(default)]
    pub action: String,
    /// What an event must fulfil beside.
    #[serde(default)]
    pub extra_filter: Option<Box<RawValue>>,
}

/// What a name stands between, in JSON's way, too.
const QUOTES: [char; 4] = ['"', '\'', '`', '\\'];

/// What a subscription should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wanted<'a> {
    /// Where it posts.
    pub url: &'a str,
    /// What it covers.
    pub events: &'a [SubscribedEvent],
    /// Whether it delivers.
    pub status: SubscriptionStatus,
}

impl SubscribedEvent {
    /// Type and action, as in `event.objects`: `lead.merged`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.object_type, self.action)
    }

    /// Whether the other has the same type and action, whatever their filters.
    pub fn is_same_kind(&self, other: &Self) -> bool {
        self.object_type == other.object_type && self.action == other.action
    }

    /// Whether the table has the type, and not this action of it.
    pub fn is_new_action(&self) -> bool {
        let known = ObjectType::find(&self.object_type);
        known.is_some_and(|known| !known.actions.contains(&self.action.as_str()))
    }
}

impl Subscription {
    /// Whether it posts elsewhere than to `url`. An answer that names no URL says nothing of it.
    pub fn posts_elsewhere(&self, url: &str) -> bool {
        !self.url.is_empty() && self.url != url
    }

    /// Whether it covers an event that is not `wanted`, whatever the filter.
    pub fn covers_more(&self, wanted: &[SubscribedEvent]) -> bool {
        let is_wanted = |one: &ListedEvent| wanted.iter().any(|event| one.is(event));
        !self.events.iter().all(is_wanted)
    }
}

impl ListedSubscription {
    /// Whether it is as it should be. Close lists events in an order of its own.
    pub fn is(&self, wanted: &Wanted<'_>) -> bool {
        self.url == wanted.url
            && self.status == wanted.status.as_str()
            && self.events.len() == wanted.events.len()
            && wanted.events.iter().all(|event| {
                let mut listed = self.events.iter();
                listed.any(|one| one.is(event) && one.has_filter_of(event))
            })
    }
}

impl ListedEvent {
    fn is(&self, event: &SubscribedEvent) -> bool {
        self.object_type == event.object_type && self.action == event.action
    }

    fn has_filter_of(&self, event: &SubscribedEvent) -> bool {
        let filter = self.extra_filter.as_deref();
        let filter = filter.and_then(|filter| json::tree(filter.get()).ok());
        filter == event.extra_filter
    }
}

/// The events of `wanted` that are not `covered`, whatever their filters, which Close may write in another way.
pub fn missing<'a>(
    wanted: &'a [SubscribedEvent],
    covered: &[ListedEvent],
) -> Vec<&'a SubscribedEvent> {
    let is_covered = |event: &&SubscribedEvent| covered.iter().any(|one| one.is(event));
    wanted.iter().filter(|event| !is_covered(event)).collect()
}

/// Whether a subscription delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SubscriptionStatus {
    /// It does.
    Active,
    /// It does not, and what waited is dropped.
    Paused,
}

impl SubscriptionStatus {
    /// Close's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
        }
    }
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

/// The positions of the events that a refusal is about, if it says so: by position, or by name. Empty if the refusal is about a
/// filter, or names most of the types, as a list of what Close takes does.
pub fn refused(message: &str, events: &[SubscribedEvent]) -> Vec<usize> {
    if message.contains("filter") || !duplicates_of(message).is_empty() {
        return Vec::new();
    }
    let mut refused = positions(message);
    refused.retain(|position| *position < events.len());
    if refused.is_empty() {
        refused = named(message, events, false);
        if are_most(&refused, events) {
            refused = named(message, events, true);
        }
        if are_most(&refused, events) {
            refused.clear();
        }
    }
    refused
}

/// Whether the events have more than half of all types.
fn are_most(some: &[usize], events: &[SubscribedEvent]) -> bool {
    let types: BTreeSet<_> = events.iter().map(|event| &event.object_type).collect();
    let named = some.iter().filter_map(|at| events.get(*at));
    let named: BTreeSet<_> = named.map(|event| &event.object_type).collect();
    1 < types.len() && types.len() < 2 * named.len()
}

/// The positions that `{"field-errors": {"events": {"3": …}}}` names, where the errors of a list are by position.
fn positions(message: &str) -> Vec<usize> {
    let Ok(message) = json::tree(message) else {
        return Vec::new();
    };
    let events = &message["field-errors"]["events"];
    let by_position = [events, &events["errors"]]
        .into_iter()
        .filter_map(Value::as_object);
    by_position
        .flat_map(|errors| errors.keys().filter_map(|key| key.parse().ok()))
        .collect()
}

/// The events whose type a text names, and, of those, the ones whose action it names, if it does.
fn named(message: &str, events: &[SubscribedEvent], is_quoted: bool) -> Vec<usize> {
    let of_named_types: Vec<_> = (0..events.len())
        .filter(|at| names_type(message, &events[*at], is_quoted))
        .collect();
    let has_named_action = |at: &usize| names(message, &events[*at].action).next().is_some();
    if of_named_types.iter().any(has_named_action) {
        return of_named_types
            .into_iter()
            .filter(has_named_action)
            .collect();
    }
    of_named_types
}

/// Whether a text names the event's type, alone or with the event's action. `contact` and the like are words as well, which
/// name the type only between quotes or with the action; `must_quote` has all types be so.
fn names_type(message: &str, event: &SubscribedEvent, must_quote: bool) -> bool {
    let object_type = event.object_type.as_str();
    let is_a_word = !object_type.contains(['.', '_']) && ObjectType::find(object_type).is_some();
    let has = |name: &str, must_quote: bool| {
        names(message, name).any(|(before, after)| {
            !must_quote || before.ends_with(QUOTES) && after.starts_with(QUOTES)
        })
    };
    let with_action = format!("{object_type}.{}", event.action);
    has(object_type, is_a_word || must_quote) || has(&with_action, must_quote)
}

/// Where a text has `name` as a whole: what is before and what is behind.
fn names<'a>(message: &'a str, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let is_of_a_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let places = message.match_indices(name);
    let places = places.map(move |(at, _)| (&message[..at], &message[at + name.len()..]));
    places.filter(move |(before, after)| {
        let goes_on = after
            .strip_prefix('.')
            .unwrap_or(after)
            .starts_with(is_of_a_name);
        !goes_on && !before.ends_with(|character| is_of_a_name(character) || character == '.')
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        ListedSubscription, SubscribedEvent, SubscriptionStatus, Wanted, duplicates_of, refused,
    };

    fn event(object_type: &str, action: &str) -> SubscribedEvent {
        SubscribedEvent {
            object_type: object_type.to_owned(),
            action: action.to_owned(),
            extra_filter: None,
        }
    }

    #[test]
    fn a_refusal_names_events_by_position_or_by_name() {
        let events = [
            event("lead", "created"),
            event("contact", "created"),
            event("task.voicemail", "created"),
            event("task.voicemail", "completed"),
            event("starship", "created"),
        ];
        for (message, expected) in [
            (
                r#"{"field-errors": {"events": {"3": {"action": "Not a valid choice."}}}}"#,
                &[3][..],
            ),
            (
                r#"{"field-errors": {"events": {"errors": {"0": "x", "9": "y"}}}}"#,
                &[0],
            ),
            (
                r#"{"field-errors": {"events": "Invalid event type: task.voicemail.completed"}}"#,
                &[3],
            ),
            ("Unknown object type task.voicemail.", &[2, 3]),
            (
                "object_type 'task.voicemail' has no action 'completed'",
                &[3],
            ),
            ("Unknown: starship, task.voicemail", &[2, 3, 4]),
            (
                "'starship' is none of lead.created, contact.created, task.voicemail, starship",
                &[4],
            ),
            (r#"{"error": "\"contact\" is not known"}"#, &[1]),
            ("'lead' and `contact` are not known", &[0, 1]),
            ("contact.created is not known", &[1]),
            // Words.
            ("Something is wrong: contact support and lead the way.", &[]),
            (
                "task.voicemails, an.task.voicemail and xstarship are not known",
                &[],
            ),
            // All that Close takes.
            (r#""lead", "contact", 'task.voicemail'"#, &[]),
            (
                r#"{"field-errors": {"events": {"3": {"extra_filter": "no filter"}}}}"#,
                &[],
            ),
            ("Duplicate active subscription: whsub_1 of 'lead'", &[]),
        ] {
            assert_eq!(refused(message, &events), expected, "{message}");
        }
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
        let all = |object_type| {
            let actions = ["merged", "created", "updated", "deleted"];
            actions.map(|action| event(object_type, action))
        };
        let (leads, contacts) = (all("lead"), all("contact"));
        let mut filtered = all("lead");
        filtered[0].extra_filter = Some(json!({"type": "is_null"}));
        let wanted = |url, events: &[SubscribedEvent], status| {
            listed.is(&Wanted {
                url,
                events,
                status,
            })
        };
        assert!(wanted("https://a/1", &leads, SubscriptionStatus::Active));
        assert!(!wanted("https://a/2", &leads, SubscriptionStatus::Active));
        assert!(!wanted(
            "https://a/1",
            &leads[1..],
            SubscriptionStatus::Active
        ));
        assert!(!wanted(
            "https://a/1",
            &contacts,
            SubscriptionStatus::Active
        ));
        assert!(!wanted(
            "https://a/1",
            &filtered,
            SubscriptionStatus::Active
        ));
        assert!(!wanted("https://a/1", &leads, SubscriptionStatus::Paused));
    }
}
