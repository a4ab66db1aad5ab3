//! How an instance's webhooks are reconciled with Close's event log.

use std::time::Duration;

use crate::close::webhook::SubscribedEvent;
use crate::close::webhook_filter;
use crate::instance::configuration::Configuration;
use crate::instance::policy::{Origin, Policy};
use crate::instance::settings::field;
use crate::polling::field_error::FieldError;
use crate::polling::poller_configuration;
use crate::polling::resource::Resource;

/// The key of the watermark. A resource's name has no `#`, and what is left of a backfill begins with one.
const WATERMARK: &str = "webhooks#log";

/// What can be backfilled, where the instance polls no resources.
const LOG: &str = "events";
const OBJECTS: &str = r#"{"leads": {"url": "/hubs/crm/leads"}, "contacts": {"url": "/hubs/crm/contacts"},
    "opportunities": {"url": "/hubs/crm/opportunities"}, "tasks": {"url": "/hubs/crm/tasks"}}"#;

/// Minutes between reconciliations. Close hides an entry's data from the keys of non-admins after an hour, so an interval and
/// what settles are shorter together.
const INTERVAL: Bounds = Bounds {
    least: 5,
    default: 30,
    most: 45,
    expected: "expected whole minutes, 5 to 45",
};
/// Seconds in which deliveries, and Close's consolidation of entries, come first.
const SETTLE: Bounds = Bounds {
    least: 0,
    default: 600,
    most: 840,
    expected: "expected whole seconds, 0 to 840",
};

/// How an instance's webhooks are reconciled with Close's event log.
#[derive(Debug, Clone)]
pub struct Reconciliation {
    /// The time between reconciliations.
    pub interval: Duration,
    /// How long before its start a reconciliation ends while webhooks are delivered.
    pub settle: Duration,
    /// Which entries of the log are reconciled.
    pub events: Vec<SubscribedEvent>,
    /// The event log, read whole.
    pub log: Resource,
    /// What can be backfilled, where the instance polls no resources: the event log, and objects as they are.
    pub backfilled: Vec<Resource>,
}

impl Reconciliation {
    /// The names of the events that are left out, because their filter cannot be evaluated here.
    pub fn left_out(&self) -> Vec<String> {
        let events = self.events.iter().filter(|event| !is_evaluable(event));
        events.map(SubscribedEvent::name).collect()
    }

    /// The events that are reconciled.
    pub fn reconciled(&self) -> impl Iterator<Item = &SubscribedEvent> {
        self.events.iter().filter(|event| is_evaluable(event))
    }
}

fn backfilled() -> Vec<Resource> {
    let objects = poller_configuration::parse(OBJECTS).unwrap_or_default();
    let log = Resource::event_log(LOG);
    std::iter::once(log).chain(objects).collect()
}

fn is_evaluable(event: &SubscribedEvent) -> bool {
    event.extra_filter.iter().all(webhook_filter::is_known)
}

/// The bounds of a whole number, and its default.
struct Bounds {
    least: u64,
    default: u64,
    most: u64,
    expected: &'static str,
}

/// Reads how an instance is reconciled.
pub(super) struct ReconciliationReader<'a> {
    pub(super) configuration: &'a Configuration,
    pub(super) policy: &'a Policy,
    pub(super) errors: &'a mut Vec<FieldError>,
}

impl ReconciliationReader<'_> {
    /// The reconciliation of `events`: of the instance's own subscription, unless its owner declines, or of one made by hand, where
    /// its owner asks for it.
    pub(super) fn reconciliation(
        &mut self,
        is_asked: Option<bool>,
        is_subscribed: bool,
        events: &[SubscribedEvent],
    ) -> Option<Box<Reconciliation>> {
        let minutes = self.number(field::RECONCILE_INTERVAL, &INTERVAL);
        let seconds = self.number(field::SETTLE, &SETTLE);
        let has_key = self.configuration.get(field::SIGNATURE_KEY).is_some();
        let is_asked_for_nothing = is_asked == Some(true) && !is_subscribed && !has_key;
        if is_asked_for_nothing && self.policy.origin == Origin::Request {
            self.fail(
                field::RECONCILE,
                "expected event.webhook.subscribe, or event.webhook.signature.key for a subscription made by hand: there are no webhooks to reconcile",
            );
        }
        let is_wanted = if is_subscribed {
            is_asked != Some(false)
        } else {
            is_asked == Some(true) && has_key
        };
        let reconciliation = || Reconciliation {
            interval: Duration::from_mins(minutes),
            settle: Duration::from_secs(seconds),
            events: events.to_vec(),
            log: Resource::event_log(WATERMARK),
            backfilled: backfilled(),
        };
        is_wanted.then(|| Box::new(reconciliation()))
    }

    fn number(&mut self, key: &str, bounds: &Bounds) -> u64 {
        let Some(text) = self.configuration.get(key) else {
            return bounds.default;
        };
        let number = text.trim().parse().ok();
        let number = number.filter(|number| (bounds.least..=bounds.most).contains(number));
        if number.is_none() {
            self.fail(key, bounds.expected);
        }
        number.unwrap_or(bounds.default)
    }

    fn fail(&mut self, field: &str, message: &str) {
        self.errors.push(FieldError::new(field, message));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Reconciliation;
    use crate::instance::configuration::Configuration;
    use crate::instance::policy::Policy;
    use crate::instance::settings::{Settings, field};

    fn read(members: &[(&str, &str)]) -> Result<Option<Box<Reconciliation>>, Vec<String>> {
        let mut configuration = Configuration::default();
        configuration.set(field::USERNAME, "api_key");
        configuration.set(field::NOTIFICATION_TYPE, "eventbridge");
        for (key, value) in members {
            configuration.set(key, value);
        }
        let settings = Settings::parse(&configuration, &Policy::default());
        let settings = settings.map_err(|errors| errors.iter().map(ToString::to_string).collect());
        settings.map(|settings: Settings| settings.reconciliation)
    }

    #[test]
    fn whoever_subscribes_is_reconciled_unless_the_owner_declines() {
        let subscribed = (field::SUBSCRIBE, "true");
        let reconciliation = read(&[subscribed]).unwrap().unwrap();
        assert_eq!(reconciliation.interval, Duration::from_mins(30));
        assert_eq!(reconciliation.settle, Duration::from_mins(10));
        assert!(!reconciliation.events.is_empty());
        let names = reconciliation.backfilled.iter();
        let names: Vec<_> = names.map(|resource| resource.name.as_str()).collect();
        assert_eq!(
            names,
            ["events", "leads", "contacts", "opportunities", "tasks"]
        );
        assert!(
            read(&[subscribed, (field::RECONCILE, "false")])
                .unwrap()
                .is_none()
        );
        assert!(read(&[]).unwrap().is_none());
        let polling = [
            subscribed,
            (field::VENDOR_TYPE, "polling"),
            ("event.poller.urls", "leads"),
        ];
        assert!(read(&polling).unwrap().is_some());
    }

    #[test]
    fn a_subscription_made_by_hand_is_reconciled_where_its_owner_asks() {
        let (key, asked) = ((field::SIGNATURE_KEY, "ab12"), (field::RECONCILE, "true"));
        assert!(read(&[key]).unwrap().is_none());
        let by_hand = read(&[key, asked, (field::OBJECTS, "lead.merged")]);
        let by_hand = by_hand.unwrap().unwrap();
        assert_eq!(by_hand.events.len(), 1);
        insta::assert_snapshot!(read(&[asked]).unwrap_err().join("\n"), @"event.webhook.reconcile: expected event.webhook.subscribe, or event.webhook.signature.key for a subscription made by hand: there are no webhooks to reconcile");
    }

    #[test]
    fn an_interval_and_what_settles_are_shorter_than_the_hour_after_which_close_hides_data() {
        let with = |key, value| read(&[(field::SUBSCRIBE, "true"), (key, value)]);
        let interval = |minutes| with(field::RECONCILE_INTERVAL, minutes);
        assert_eq!(
            interval("45").unwrap().unwrap().interval,
            Duration::from_mins(45)
        );
        let settle = with(field::SETTLE, "840").unwrap().unwrap().settle;
        assert!(Duration::from_mins(45) + settle < Duration::from_hours(1));
        for refused in ["4", "46", "5.5", "x"] {
            assert!(interval(refused).is_err(), "{refused}");
        }
        insta::assert_snapshot!(with(field::SETTLE, "841").unwrap_err().join("\n"), @"event.webhook.settle: expected whole seconds, 0 to 840");
    }
}
