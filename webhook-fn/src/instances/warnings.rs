//! Finds the parts of an accepted request that have no effect, such as misspelt names.

use serde_json::{Map, Value};
use shared::close::object_type;
use shared::instance::configuration::{Configuration, known_keys, used_keys};
use shared::instance::settings::objects;
use shared::instance::settings::{Settings, field};
use shared::polling::poller_configuration;
use shared::polling::warnings::{Warnings, suggestion};
use shared::polling::{paths, unknown, urls};
use shared::subscription::removal::Staying;

/// The members that a request can change.
pub const CHANGEABLE: [&str; 3] = ["name", "tags", "configuration"];

/// Other members that have no effect, and of which nobody is warned: what an instance shows, and what the service that this one
/// follows took or showed.
const WITHOUT_EFFECT: [&str; 27] = [
    "element",
    "id",
    "createdDate",
    "provisionInteractions",
    "valid",
    "disabled",
    "maxCacheSize",
    "cacheTimeToLive",
    "eventsEnabled",
    "cachingEnabled",
    "webhookUrl",
    "unsignedWebhooks",
    "polling",
    "lastPoll",
    "problems",
    "backfill",
    "callback",
    "webhook",
    "token",
    "warnings",
    "elementId",
    "providerData",
    "documentation",
    "externalAuthentication",
    "retrieveObjectsAfterInstantiation",
    "traceLoggingEnabled",
    "user",
];

/// Warns of the members of the body that are not known.
pub fn warn_of_members(members: &Map<String, Value>, warnings: &mut Warnings) {
    let is_known = |name: &str| CHANGEABLE.contains(&name) || WITHOUT_EFFECT.contains(&name);
    for name in members.keys().filter(|name| !is_known(name)) {
        warnings.unknown("", name, CHANGEABLE);
    }
}

/// Warns of the keys of the configuration that are not known, and of the members of its resources. To remove a key is no
/// mistake.
pub fn warn_of_keys(given: &Map<String, Value>, warnings: &mut Warnings) {
    for (key, value) in given {
        let is_known = known_keys().any(|known| known == key);
        if !is_known && !value.is_null() {
            warnings.unknown("configuration.", key, used_keys());
        }
    }
    if let Some(resources) = given.get(poller_configuration::KEY) {
        unknown::warn(resources, "configuration.", warnings);
    }
}

/// Warns of objects to subscribe to that are new to us. Close may know them, or they are misspelt.
pub fn warn_of_objects(configuration: &Configuration, warnings: &mut Warnings) {
    let place = format!("configuration.{}", field::OBJECTS);
    for name in objects::unknown(configuration.get(field::OBJECTS)) {
        warnings.note(&place, || {
            let suggestion = suggestion(name, object_type::names());
            format!(
                "`{name}` is not known here, and Close is asked for it all the same{suggestion}"
            )
        });
    }
}

/// Warns of subscriptions that stay at Close.
pub fn warn_of_staying(staying: &Staying, warnings: &mut Warnings) {
    for id in staying.ids() {
        warnings.note("webhook", || {
            format!("{id} stays at Close: no API key of this instance may remove the subscription; remove it with its user's key or an admin's")
        });
    }
}

/// Warns of fields that records do not have, and of resources that are not polled, because nothing says that they are to be.
pub fn warn_of_resources(
    configuration: &Configuration,
    settings: &Settings,
    warnings: &mut Warnings,
) {
    let mut keys = [poller_configuration::KEY, urls::KEY].into_iter();
    let Some(key) = keys.find(|key| configuration.get(key).is_some()) else {
        return;
    };
    let place = format!("configuration.{key}");
    if let Some(poller) = &settings.polling {
        paths::warn(&poller.resources, &place, warnings);
        return;
    }
    // Whoever says that events come by webhook, or are not wanted, wants no polls.
    let is_refused = |(key, value): &(&str, &str)| {
        let given = configuration.get(key);
        given.is_some_and(|given| !given.eq_ignore_ascii_case(value))
    };
    let needed = [(field::VENDOR_TYPE, "polling"), (field::ENABLED, "true")];
    let missing = needed
        .iter()
        .find(|(key, _)| configuration.get(key).is_none());
    if let (Some((missing, _)), false) = (missing, needed.iter().any(is_refused)) {
        warnings.note(&place, || format!("is not polled, for {missing} is absent"));
    }
}
