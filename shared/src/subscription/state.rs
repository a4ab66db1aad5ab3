//! How a subscription is.

use crate::close::webhook::{
    self, CreatedSubscription, ListedEvent, SubscribedEvent, Subscription, SubscriptionStatus,
};

/// How an instance's subscription is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionState {
    /// Close has it.
    AtClose(SubscriptionAtClose),
    /// Close should have it and has not.
    Missing {
        /// `whsub_…`, if the instance names one.
        id: Option<String>,
    },
    /// Close does not say.
    Unknown {
        /// `whsub_…`, if the instance names one.
        id: Option<String>,
        /// Why not.
        reason: String,
    },
}

/// A subscription that Close has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionAtClose {
    /// `whsub_…`
    pub id: String,
    /// `active` or `paused`: Close's word.
    pub status: String,
    /// Why Close paused the subscription, if Close did and says so.
    pub pause_reason: Option<String>,
    /// The wanted events that it does not cover, as `task.voicemail.created`.
    pub refused: Vec<String>,
    /// What Close finds wrong with it.
    pub health_status: Option<String>,
    /// Why the last delivery that failed did so.
    pub latest_error: Option<String>,
    /// Whether it stays as it is, because Close lets only an admin or the user who made it change it, and the API key is
    /// another user's.
    pub is_locked: bool,
}

impl SubscriptionState {
    /// In a word: `active`, `paused`, `missing` or `unknown`.
    pub fn status(&self) -> &str {
        match self {
            Self::AtClose(found) => &found.status,
            Self::Missing { .. } => "missing",
            Self::Unknown { .. } => "unknown",
        }
    }
}

impl SubscriptionAtClose {
    /// A subscription of which no more is known.
    pub fn new(id: &str, status: &str) -> Self {
        Self {
            id: id.to_owned(),
            status: status.to_owned(),
            pause_reason: None,
            refused: Vec::new(),
            health_status: None,
            latest_error: None,
            is_locked: false,
        }
    }

    /// One that was just made, for the `wanted` events.
    pub fn created(created: &CreatedSubscription, wanted: &[SubscribedEvent]) -> Self {
        let active = Self::new(&created.id, SubscriptionStatus::Active.as_str());
        active.covering(&created.events, wanted)
    }

    /// What Close says of one to the `wanted` events.
    pub fn found(id: &str, found: Subscription, wanted: &[SubscribedEvent]) -> Self {
        Self {
            pause_reason: found.pause_reason,
            health_status: found.health_status,
            latest_error: found.latest_error,
            ..Self::new(id, &found.status).covering(&found.events, wanted)
        }
    }

    /// The same, which covers only these of the `wanted` events.
    #[must_use]
    pub fn covering(self, covered: &[ListedEvent], wanted: &[SubscribedEvent]) -> Self {
        Self {
            refused: refused(wanted, covered),
            ..self
        }
    }

    /// The same, which the API key may not change.
    #[must_use]
    pub fn locked(self) -> Self {
        Self {
            is_locked: true,
            ..self
        }
    }
}

/// The `wanted` events that are not `covered`, as `task.voicemail.created`.
pub fn refused(wanted: &[SubscribedEvent], covered: &[ListedEvent]) -> Vec<String> {
    // An answer that names no events says nothing of them.
    let wanted = if covered.is_empty() { &[] } else { wanted };
    let missing = webhook::missing(wanted, covered).into_iter();
    let names = missing.map(|event| format!("{}.{}", event.object_type, event.action));
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::{SubscriptionAtClose, SubscriptionState};
    use crate::instance::settings::objects;

    #[test]
    fn events_that_close_does_not_cover_are_named_unless_it_names_none() {
        let wanted = objects::events(Some("group")).unwrap();
        let refused = |answer: &str| {
            let created = crate::json::read(answer).unwrap();
            SubscriptionAtClose::created(&created, &wanted).refused
        };
        let covered = r#"{"id": "whsub_1", "signature_key": "aa", "events": [
            {"object_type": "group", "action": "created"}, {"object_type": "group", "action": "updated"}]}"#;
        assert_eq!(refused(covered), ["group.deleted"]);
        assert_eq!(
            refused(r#"{"id": "whsub_1", "signature_key": "aa"}"#),
            [""; 0]
        );
    }

    #[test]
    fn a_state_has_closes_word_or_ours() {
        let paused = SubscriptionAtClose::new("whsub_1", "paused");
        let unknown = SubscriptionState::Unknown {
            id: None,
            reason: String::new(),
        };
        let states = [
            SubscriptionState::AtClose(paused),
            SubscriptionState::Missing { id: None },
            unknown,
        ];
        let words: Vec<_> = states.iter().map(SubscriptionState::status).collect();
        assert_eq!(words, ["paused", "missing", "unknown"]);
    }
}
