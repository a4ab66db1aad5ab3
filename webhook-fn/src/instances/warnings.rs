//! What has no effect in a request that is done: whoever misspelt something is told.

use serde_json::{Map, Value};
use shared::configuration::{Configuration, known_keys};
use shared::poller_configuration::{self, fields, urls};
use shared::settings::{Settings, field};
use shared::warnings::Warnings;

/// The members that a request can change.
pub const CHANGEABLE: [&str; 3] = ["name", "tags", "configuration"];

/// The other members that are known. What an instance shows can be sent back, and so can what the service that this one follows
/// took or showed: it has no effect.
const WITHOUT_EFFECT: [&str; 26] = [
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
        let known = CHANGEABLE.into_iter().chain(WITHOUT_EFFECT);
        warnings.unknown("", name, known);
    }
}

/// Warns of the keys of the configuration that are not known, and of the members of its resources. To remove a key that an
/// `old` one has is no mistake.
pub fn warn_of_keys(
    given: &Map<String, Value>,
    old: Option<&Configuration>,
    warnings: &mut Warnings,
) {
    for (key, value) in given {
        let is_known = known_keys().any(|known| known == key);
        let removes = value.is_null() && old.is_some_and(|old| old.get(key).is_some());
        if !is_known && !removes {
            warnings.unknown("configuration.", key, known_keys());
        }
    }
    if let Some(resources) = given.get(poller_configuration::KEY) {
        poller_configuration::unknown::warn(resources, "configuration.", warnings);
    }
}

/// Warns of fields that records do not have, and of resources that are not polled, because nothing says that they are to be.
pub fn warn_of_resources(
    configuration: &Configuration,
    settings: &Settings,
    warnings: &mut Warnings,
) {
    let has_type = configuration.get(field::VENDOR_TYPE).is_some();
    let mut keys = [poller_configuration::KEY, urls::KEY].into_iter();
    let Some(key) = keys.find(|key| configuration.get(key).is_some()) else {
        return;
    };
    let place = format!("configuration.{key}");
    if let Some(poller) = &settings.poller {
        fields::warn(&poller.resources, &place, warnings);
    } else if settings.events_enabled && !has_type {
        warnings.note(&place, || {
            "is not polled, for event.vendor.type is absent; did you mean polling?".to_owned()
        });
    }
}
