//! One change at Close, before it is an instance's event.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// A change as either channel reports it.
#[derive(Debug, Clone)]
pub struct Change {
    /// Close's own type: `lead`, `contact`, `task.lead`, `activity.call` …
    pub object_type: String,
    /// The object's id, as the event says it: Close's, or what a resource's `idField` names.
    pub object_id: String,
    /// Close's own id of the object: `lead_…`. Changes are told apart by it.
    pub own_id: String,
    /// What happened, in one of four words.
    pub event_type: EventType,
    /// What happened, in Close's own word.
    pub action: String,
    /// When it happened.
    pub date: Timestamp,
    /// What tells this change from the object's others.
    pub identity: Identity,
    /// Whether Close kept the object's `data` from the API key.
    pub data_hidden: bool,
    /// Whether it is an entry of the event log that does not say what changed, or not as Close does.
    pub is_unreadable: bool,
    /// Where Close has what `raw` holds, relative to the API's base: `contact/cont_…/`.
    pub href: String,
    /// What Close sent.
    pub raw: Arc<RawValue>,
}

/// What tells a change from the others of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Its date: the same on every retry and on both channels.
    Date,
    /// Close gave no time or no id, so whatever else stays the same on a retry.
    Parts(Vec<String>),
}

/// What happened to the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EventType {
    /// The object is new.
    Created,
    /// The object changed: every action of Close's other than created and deleted.
    Updated,
    /// The object is gone.
    Deleted,
    /// An object or an action that Close has added since this was written, or an entry that cannot be read.
    Unknown,
}

/// Close's actions that change an object without making or deleting it.
/// Source: the event log's table of types and actions, developer.close.com/resources/event-log.
const UPDATING_ACTIONS: [&str; 10] = [
    "updated",
    "merged",
    "completed",
    "sent",
    "answered",
    "scheduled",
    "started",
    "canceled",
    "activated",
    "deactivated",
];

/// The part before the first dot of every object type in that table.
const FAMILIES: [&str; 26] = [
    "activity",
    "bulk_action",
    "comment",
    "comment_thread",
    "contact",
    "custom_activity_type",
    "custom_fields",
    "custom_object",
    "custom_object_type",
    "email_template",
    "export",
    "group",
    "import",
    "lead",
    "lead_merge",
    "membership",
    "opportunity",
    "phone_number",
    "saved_search",
    "sequence",
    "sequence_subscription",
    "sms_template",
    "status",
    "task",
    "unsubscribed_email",
    "custom_activity",
];

impl Identity {
    /// For what has neither a date nor anything else of its own: a retry has the same bytes, another change has not.
    pub fn of_bytes(json: &RawValue) -> Self {
        Self::Parts(vec![hex::encode(Sha256::digest(json.get()))])
    }
}

impl EventType {
    /// The word for Close's `action` on an object of Close's `object_type`.
    pub fn of(object_type: &str, action: &str) -> Self {
        let family = object_type.split('.').next().unwrap_or_default();
        match action {
            _ if !FAMILIES.contains(&family) => Self::Unknown,
            "created" => Self::Created,
            "deleted" => Self::Deleted,
            _ if UPDATING_ACTIONS.contains(&action) => Self::Updated,
            _ => Self::Unknown,
        }
    }

    /// The word in lower case, as a `DetailType` ends.
    pub fn lower_case(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Unknown => "unknown",
        }
    }
}

/// The path of an object in Close's API: `contact/cont_…/`, `activity/call/acti_…/`. All tasks share one path.
pub fn object_href(object_type: &str, object_id: &str) -> String {
    match object_type.split_once('.') {
        Some(("task", _)) => format!("task/{object_id}/"),
        _ => format!("{}/{object_id}/", object_type.replace('.', "/")),
    }
}

#[cfg(test)]
mod tests {
    use super::{EventType, object_href};

    #[test]
    fn every_action_of_close_has_its_word() {
        assert_eq!(EventType::of("lead", "created"), EventType::Created);
        assert_eq!(EventType::of("lead", "merged"), EventType::Updated);
        assert_eq!(EventType::of("task.lead", "completed"), EventType::Updated);
        assert_eq!(
            EventType::of("activity.call", "answered"),
            EventType::Updated
        );
        assert_eq!(EventType::of("contact", "deleted"), EventType::Deleted);
    }

    #[test]
    fn a_new_object_or_action_is_unknown() {
        assert_eq!(EventType::of("lead", "teleported"), EventType::Unknown);
        assert_eq!(EventType::of("starship", "created"), EventType::Unknown);
    }

    #[test]
    fn an_object_is_found_under_its_kind() {
        assert_eq!(object_href("contact", "cont_1"), "contact/cont_1/");
        assert_eq!(object_href("task.lead", "task_1"), "task/task_1/");
        assert_eq!(
            object_href("activity.call", "acti_1"),
            "activity/call/acti_1/"
        );
    }
}
