//! One change at Close, before it is an instance's event.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::close::object_type;

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
    /// The entry of Close's event log that reports the change, if one does.
    pub entry: Option<EntryKey>,
    /// Where Close has what `raw` holds, relative to the API's base: `contact/cont_…/`.
    pub href: String,
    /// What Close sent.
    pub raw: Arc<RawValue>,
}

/// An entry of Close's event log in one of its forms. All stay the same where Close hides the entry's data later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryKey {
    /// `ev_…`
    pub id: String,
    /// The entry's own date, which changes where Close puts another update into the entry.
    pub date: Timestamp,
    /// The object's id.
    pub object_id: String,
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

impl Identity {
    /// For what has neither a date nor anything else of its own: a retry has the same bytes, another change has not.
    pub fn of_bytes(json: &RawValue) -> Self {
        Self::Parts(vec![hex::encode(Sha256::digest(json.get()))])
    }
}

impl EventType {
    /// The word for Close's `action` on an object of Close's `object_type`.
    pub fn of(object_type: &str, action: &str) -> Self {
        match action {
            _ if !object_type::is_of_known_family(object_type) => Self::Unknown,
            "created" => Self::Created,
            "deleted" => Self::Deleted,
            _ if object_type::is_known_action(action) => Self::Updated,
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

/// Where Close has an object, relative to the API's base; the event log, where Close has it under no path.
pub fn object_href(object_type: &str, object_id: &str) -> String {
    object_type::path(object_type, object_id).unwrap_or_else(|| "event/".to_owned())
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
        for (object_type, action) in [
            ("bulk_action.edit", "paused"),
            ("import", "reverting"),
            ("import", "reverted"),
            ("membership", "activated"),
        ] {
            let found = EventType::of(object_type, action);
            assert_eq!(found, EventType::Updated, "{object_type}.{action}");
        }
        assert_eq!(EventType::of("contact", "deleted"), EventType::Deleted);
    }

    #[test]
    fn a_new_object_or_action_is_unknown() {
        assert_eq!(EventType::of("lead", "teleported"), EventType::Unknown);
        assert_eq!(EventType::of("starship", "created"), EventType::Unknown);
    }

    #[test]
    fn an_object_without_a_path_is_found_in_the_event_log() {
        assert_eq!(object_href("contact", "cont_1"), "contact/cont_1/");
        assert_eq!(object_href("import", "impo_1"), "event/");
    }
}
