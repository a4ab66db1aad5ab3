//! A model of Close's subscription: one, for nobody else has the URL.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shared::close::error::CloseError;
use shared::close::webhook::{ListedEvent, SubscribedEvent, SubscriptionStatus, Wanted};

/// The webhook subscription at Close.
#[derive(Debug, Default)]
pub(crate) struct Webhooks {
    pub(crate) subscription: Option<AtClose>,
    created: usize,
    /// Counts how often what waits was dropped.
    pub(crate) drops: usize,
}

/// A subscription.
#[derive(Debug, Clone)]
pub(crate) struct AtClose {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) is_active: bool,
    events: Vec<SubscribedEvent>,
}

impl Webhooks {
    /// Makes a subscription, unless there is one of the URL. Returns it as JSON.
    pub(crate) fn create(
        &mut self,
        url: &str,
        events: &[SubscribedEvent],
    ) -> Result<Value, CloseError> {
        if let Some(same) = self.subscription.as_ref().filter(|one| one.url == url) {
            return Err(CloseError::Rejected {
                status: 400,
                message: format!("Duplicate active subscription: {}", same.id),
            });
        }
        self.created += 1;
        let made = AtClose {
            id: format!("whsub_{}", self.created),
            url: url.to_owned(),
            is_active: true,
            events: events.to_vec(),
        };
        let mut shown = made.shown();
        shown["signature_key"] = "ab12".into();
        self.drops += 1;
        self.subscription = Some(made);
        Ok(shown)
    }

    /// The subscription of this id, as JSON.
    pub(crate) fn read(&self, id: &str) -> Option<Value> {
        self.of(id).map(AtClose::shown)
    }

    /// All subscriptions, as JSON.
    pub(crate) fn list(&self) -> Vec<Value> {
        self.subscription.iter().map(AtClose::shown).collect()
    }

    /// Makes a subscription what is wanted, if it is there. Returns what it covers.
    pub(crate) fn set(&mut self, id: &str, wanted: &Wanted<'_>) -> Option<Vec<SubscribedEvent>> {
        self.of(id)?;
        let found = self.subscription.as_mut()?;
        wanted.url.clone_into(&mut found.url);
        found.events = wanted.events.to_vec();
        found.is_active = wanted.status == SubscriptionStatus::Active;
        Some(found.events.clone())
    }

    pub(crate) fn delete(&mut self, id: &str) {
        if self.of(id).is_some() {
            self.subscription = None;
            self.drops += 1;
        }
    }

    /// Does what somebody does at Close, or Close by itself.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut AtClose)) {
        if let Some(found) = &mut self.subscription {
            change(found);
        }
        self.drops += 1;
    }

    fn of(&self, id: &str) -> Option<&AtClose> {
        self.subscription.as_ref().filter(|one| one.id == id)
    }
}

impl AtClose {
    /// Has it cover the events that this is true of.
    pub(crate) fn narrow(&mut self, is_kept: impl FnMut(&SubscribedEvent) -> bool) {
        self.events.retain(is_kept);
    }

    /// Whether an event is delivered to this URL.
    pub(crate) fn delivers(&self, url: &str, object_type: &str, action: &str) -> bool {
        let mut events = self.events.iter();
        let is_covered =
            events.any(|event| event.object_type == object_type && event.action == action);
        self.is_active && self.url == url && is_covered
    }

    fn shown(&self) -> Value {
        let status = if self.is_active { "active" } else { "paused" };
        json!({"id": self.id, "url": self.url, "status": status, "events": self.events})
    }
}

/// Events as Close lists them.
pub(crate) fn listed(events: &[SubscribedEvent]) -> Vec<ListedEvent> {
    parsed(&json!(events)).unwrap_or_default()
}

/// Parses an answer of Close as its client does.
pub(crate) fn parsed<T: DeserializeOwned>(json: &Value) -> Option<T> {
    shared::json::read(&json.to_string()).ok()
}
