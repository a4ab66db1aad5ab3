//! What an instance's configuration means.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Map, Value};

use self::callback::{Callback, CallbackReader};
use self::reconciliation::{Reconciliation, ReconciliationReader};
use crate::close::base_url::{at_present_host, normalize};
use crate::close::client::Account;
use crate::close::timestamp;
use crate::close::webhook::SubscribedEvent;
use crate::instance::configuration::Configuration;
use crate::instance::policy::{Origin, Policy};
use crate::json;
use crate::polling::field_error::FieldError;
use crate::polling::poller_configuration;
use crate::polling::resource::Resource;
use crate::polling::urls;

pub mod address;
pub mod callback;
pub mod field;
pub mod objects;
pub mod reconciliation;

/// Close's keys have 64 hex digits. Several may be kept beside each other, in an item of 400 KB.
const MAX_SIGNATURE_KEY: usize = 1024;

const DEFAULT_REFRESH_INTERVAL_MINUTES: u64 = 15;
/// A year; longer would be a mistake.
const MAX_REFRESH_INTERVAL_MINUTES: u64 = 366 * 24 * 60;

/// What is said of a text that [`parse_time`] does not take.
pub const EXPECTED_TIME: &str = "expected a time since 1970, such as 2026-06-19T12:00:00Z";

/// An instance's configuration, read and checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Close's API as the parser writes the URL, at its present host, without a slash at the end.
    pub base_url: String,
    /// The Close API key.
    pub api_key: SecretString,
    /// Whether events are wanted.
    pub events_enabled: bool,
    /// Where notifications go beside the bus, for an instance whose events are wanted.
    pub callback: Option<Callback>,
    /// The key with which Close signs its webhooks; without one the URL itself is the secret.
    pub signature_key: Option<SecretString>,
    /// What to subscribe to at Close, for an instance that asks for it and whose events are wanted.
    pub subscription: Option<Vec<SubscribedEvent>>,
    /// How webhooks are reconciled with the event log, for an instance whose events are wanted.
    pub reconciliation: Option<Box<Reconciliation>>,
    /// What to poll, for a polling instance whose events are wanted.
    pub polling: Option<Polling>,
}

/// What to poll and how often.
#[derive(Debug, Clone)]
pub struct Polling {
    /// The time between polls, whole minutes.
    pub interval: Duration,
    /// Where the first poll starts, if not at the instance's creation.
    pub start: Option<Timestamp>,
    /// What to poll.
    pub resources: Vec<Resource>,
}

impl Settings {
    /// Whether poller-fn has anything to do for the instance.
    pub fn is_polled(&self) -> bool {
        self.polling.is_some() || self.reconciliation.is_some()
    }

    /// What can be backfilled: what is polled, or else what there is beside the webhooks that are reconciled.
    pub fn backfilled(&self) -> &[Resource] {
        match (&self.polling, &self.reconciliation) {
            (Some(polling), _) => &polling.resources,
            (None, Some(reconciliation)) => &reconciliation.backfilled,
            (None, None) => &[],
        }
    }

    /// Whether both channels may report a change, so that poller-fn keeps the ledger as well.
    pub fn keeps_ledger(&self) -> bool {
        self.signature_key.is_some() || self.reconciliation.is_some()
    }

    /// Reads the configuration of an instance that was checked when it was provisioned.
    ///
    /// # Errors
    /// All that makes the configuration unreadable, each with its field.
    pub fn stored(configuration: &Configuration) -> Result<Self, Vec<FieldError>> {
        Self::parse(configuration, &Policy::of_stored())
    }

    /// Reads a configuration.
    ///
    /// # Errors
    /// Everything that is missing or wrong, each with its field.
    pub fn parse(configuration: &Configuration, policy: &Policy) -> Result<Self, Vec<FieldError>> {
        let mut reader = SettingsReader {
            configuration,
            policy,
            errors: Vec::new(),
        };
        let subscribes = reader.boolean(field::SUBSCRIBE).unwrap_or(false);
        let events_enabled = reader.events_enabled(subscribes);
        reader.check_raw();
        let (base_url, api_key) = (reader.base_url(), reader.api_key());
        let callback = reader.callback(events_enabled);
        let signature_key = reader.signature_key();
        let events = reader.subscribed_events();
        let is_subscribed = subscribes && events_enabled;
        let settings = Self {
            base_url,
            api_key,
            events_enabled,
            callback,
            signature_key,
            reconciliation: reader.reconciliation(is_subscribed, &events),
            subscription: is_subscribed.then_some(events),
            polling: reader.polling(events_enabled),
        };
        if reader.errors.is_empty() {
            Ok(settings)
        } else {
            Err(reader.errors)
        }
    }

    /// The account at Close.
    pub fn account(&self) -> Account<'_> {
        Account {
            base_url: &self.base_url,
            api_key: &self.api_key,
        }
    }
}

struct SettingsReader<'a> {
    configuration: &'a Configuration,
    policy: &'a Policy,
    errors: Vec<FieldError>,
}

impl SettingsReader<'_> {
    fn fail(&mut self, field: &str, message: &str) {
        self.errors.push(FieldError::new(field, message));
    }

    fn boolean(&mut self, key: &str) -> Option<bool> {
        let boolean = self.configuration.get(key)?.to_ascii_lowercase().parse();
        if boolean.is_err() {
            self.fail(key, "expected true or false");
        }
        boolean.ok()
    }

    /// Whoever subscribes wants events.
    fn events_enabled(&mut self, subscribes: bool) -> bool {
        let enabled = self.boolean(field::ENABLED);
        if subscribes && enabled == Some(false) && self.policy.origin == Origin::Request {
            self.fail(
                field::SUBSCRIBE,
                "expected false where event.notification.enabled is false: a subscription is for events that are wanted",
            );
        }
        enabled.unwrap_or(subscribes)
    }

    /// Whoever wants no `raw` must not get it all the same.
    fn check_raw(&mut self) {
        if self.boolean(field::RAW_ENABLED) == Some(false) {
            self.fail(
                field::RAW_ENABLED,
                "expected true: events hold what Close sent; a rule's input transformer can leave it out",
            );
        }
    }

    fn api_key(&mut self) -> SecretString {
        let key = self.configuration.get(field::USERNAME);
        if key.is_none() {
            self.errors
                .push(FieldError::required(field::USERNAME, "the Close API key"));
        }
        key.unwrap_or_default().into()
    }

    /// The base URL gets the API key, so it must be Close's, or one that the operator named.
    fn base_url(&mut self) -> String {
        let text = self
            .configuration
            .get(field::BASE_URL)
            .unwrap_or(self.policy.base_urls.default_url());
        let policy = self.policy;
        let is_good = |url: &String| {
            policy.any_base_url || policy.base_urls.allows(url) && policy.is_unambiguous(text, url)
        };
        let Some(parsed) = normalize(text).filter(is_good) else {
            self.fail(
                field::BASE_URL,
                "expected the https URL of Close's API, https://api.close.com/api/v1",
            );
            return String::new();
        };
        at_present_host(&parsed)
    }

    fn callback(&mut self, events_enabled: bool) -> Option<Callback> {
        let mut reader = CallbackReader {
            configuration: self.configuration,
            policy: self.policy,
            errors: &mut self.errors,
        };
        reader.callback(events_enabled)
    }

    fn reconciliation(
        &mut self,
        is_subscribed: bool,
        events: &[SubscribedEvent],
    ) -> Option<Box<Reconciliation>> {
        let is_asked = self.boolean(field::RECONCILE);
        let mut reader = ReconciliationReader {
            configuration: self.configuration,
            policy: self.policy,
            errors: &mut self.errors,
        };
        reader.reconciliation(is_asked, is_subscribed, events)
    }

    fn signature_key(&mut self) -> Option<SecretString> {
        let key = self.configuration.get(field::SIGNATURE_KEY)?;
        if MAX_SIGNATURE_KEY < key.len() || hex::decode(key).is_err() {
            self.fail(
                field::SIGNATURE_KEY,
                "expected the signature_key of the webhook subscription, in hex",
            );
        }
        Some(key.into())
    }

    /// The events that the instance subscribes to, or would.
    fn subscribed_events(&mut self) -> Vec<SubscribedEvent> {
        let filters = self.filters();
        match objects::events(self.configuration.get(field::OBJECTS)) {
            Ok(mut events) => {
                let set = objects::set_filters(&mut events, &filters);
                for error in set.err().unwrap_or_default() {
                    self.fail(field::EXTRA_FILTER, &error.to_string());
                }
                events
            }
            Err(error) => {
                self.fail(field::OBJECTS, &error.to_string());
                Vec::new()
            }
        }
    }

    fn filters(&mut self) -> Map<String, Value> {
        let text = self.configuration.get(field::EXTRA_FILTER);
        match text.map(json::tree) {
            None => Map::new(),
            Some(Ok(Value::Object(filters))) => filters,
            Some(_) => {
                self.fail(
                    field::EXTRA_FILTER,
                    "expected a JSON object of Close's webhook filters by the names of event.objects, such as {\"lead.updated\": {…}}",
                );
                Map::new()
            }
        }
    }

    fn polling(&mut self, events_enabled: bool) -> Option<Polling> {
        let vendor_type = self
            .configuration
            .get(field::VENDOR_TYPE)
            .map(str::to_ascii_lowercase);
        match vendor_type.as_deref() {
            None | Some("webhook" | "webhooks") => {}
            Some("polling") if !events_enabled => {}
            Some("polling") => {
                return Some(Polling {
                    interval: self.interval(),
                    start: self.start(),
                    resources: self.resources(),
                });
            }
            Some(_) => self.fail(field::VENDOR_TYPE, "expected polling or webhook"),
        }
        None
    }

    fn interval(&mut self) -> Duration {
        let is_possible = |minutes: &u64| (1..=MAX_REFRESH_INTERVAL_MINUTES).contains(minutes);
        let minutes = self.configuration.get(field::REFRESH_INTERVAL);
        let minutes = minutes.map(|text| text.trim().parse().ok().filter(is_possible));
        if minutes == Some(None) {
            self.fail(
                field::REFRESH_INTERVAL,
                "expected whole minutes, 1 to 527040",
            );
        }
        let minutes = minutes
            .flatten()
            .unwrap_or(DEFAULT_REFRESH_INTERVAL_MINUTES);
        Duration::from_mins(minutes)
    }

    fn start(&mut self) -> Option<Timestamp> {
        let start = parse_time(self.configuration.get(field::POLLER_START)?);
        if start.is_none() {
            self.fail(field::POLLER_START, EXPECTED_TIME);
        }
        start
    }

    /// An instance that has both is one whose lines were translated once: the translation counts.
    fn resources(&mut self) -> Vec<Resource> {
        let json = self.configuration.get(poller_configuration::KEY);
        let lines = self.configuration.get(urls::KEY);
        let resources = match (json, lines) {
            (Some(json), _) => poller_configuration::parse(json),
            (None, Some(lines)) => urls::parse(lines),
            (None, None) => Err(vec![FieldError::required(
                poller_configuration::KEY,
                "the resources to poll, each with its url",
            )]),
        };
        resources.unwrap_or_else(|errors| {
            self.errors.extend(errors);
            Vec::new()
        })
    }
}

/// Checks that a text can be a Close API key. Close's own keys are letters, digits and signs of ASCII, and Basic authentication
/// ends a key at a colon. Close would refuse another text only when it is used.
///
/// # Errors
/// The form that was expected. The error does not repeat the text.
pub fn check_api_key(text: &str) -> Result<(), FieldError> {
    let is_good = |byte: u8| byte.is_ascii_graphic() && byte != b':';
    if text.bytes().all(is_good) {
        return Ok(());
    }
    let message = "expected the Close API key alone, without white space or a colon";
    Err(FieldError::new(field::USERNAME, message))
}

/// Reads a time that an owner gives. What is dated before 1970 is a mistake.
pub fn parse_time(text: &str) -> Option<Timestamp> {
    timestamp::parse(text).filter(|time| Timestamp::UNIX_EPOCH <= *time)
}

#[cfg(test)]
mod tests {
    use crate::close::base_url::BaseUrls;
    use std::time::Duration;

    use super::{Policy, Settings, check_api_key, field};
    use crate::instance::configuration::Configuration;
    use crate::polling::urls;

    fn interval(minutes: &str) -> Result<Duration, String> {
        let mut configuration = Configuration::default();
        for (key, value) in [
            (field::USERNAME, "api_key"),
            (field::ENABLED, "true"),
            (field::NOTIFICATION_TYPE, "eventbridge"),
            (field::VENDOR_TYPE, "polling"),
            (urls::KEY, "leads"),
            (field::REFRESH_INTERVAL, minutes),
        ] {
            configuration.set(key, value);
        }
        let settings = Settings::parse(&configuration, &Policy::default());
        settings
            .map(|settings| settings.polling.unwrap().interval)
            .map_err(|errors| errors[0].to_string())
    }

    #[test]
    fn an_interval_is_whole_minutes_of_a_year_at_most() {
        assert_eq!(interval(""), Ok(Duration::from_mins(15)));
        assert_eq!(interval(" 1 "), Ok(Duration::from_mins(1)));
        assert_eq!(interval("527040"), Ok(Duration::from_hours(8_784)));
        for minutes in [
            "0",
            "-1",
            "1.5",
            "x",
            "527041",
            "9223372036854775808",
            "1e9",
        ] {
            let refused = interval(minutes).unwrap_err();
            assert_eq!(
                refused,
                "event.poller.refresh_interval: expected whole minutes, 1 to 527040"
            );
        }
    }

    /// Whether events are wanted and whether they are subscribed to.
    fn subscribed(enabled: &str, policy: &Policy) -> Result<(bool, bool), String> {
        let mut configuration = Configuration::default();
        for (key, value) in [
            (field::USERNAME, "api_key"),
            (field::ENABLED, enabled),
            (field::SUBSCRIBE, "true"),
        ] {
            configuration.set(key, value);
        }
        Settings::parse(&configuration, policy)
            .map(|settings| (settings.events_enabled, settings.subscription.is_some()))
            .map_err(|errors| errors[0].to_string())
    }

    #[test]
    fn to_subscribe_is_to_want_events() {
        let request = Policy::default();
        assert_eq!(subscribed("", &request), Ok((true, true)));
        assert_eq!(subscribed("true", &request), Ok((true, true)));
        let refused = subscribed("false", &request).unwrap_err();
        assert!(
            refused.starts_with("event.webhook.subscribe: expected false"),
            "{refused}"
        );
        let stored = subscribed("false", &Policy::of_stored());
        assert_eq!(stored, Ok((false, false)));
    }

    #[test]
    fn an_api_key_has_no_white_space_and_no_colon() {
        assert_eq!(check_api_key("api_1a2B.c-3_!"), Ok(()));
        for key in [
            " api_1",
            "api_1 ",
            "api_1\n",
            "api 1",
            "api\t1",
            "api\u{a0}1",
            "\u{feff}api_1",
            "api_1:",
            "api_1:secret",
        ] {
            assert!(check_api_key(key).is_err(), "{key:?}");
        }
    }

    /// The base URL that a text becomes, for a stack whose operator named `named`.
    fn base_url(text: &str, named: &[&str]) -> Option<String> {
        let policy = Policy {
            base_urls: BaseUrls::new(named.iter().map(|url| (*url).to_owned()).collect()),
            ..Policy::default()
        };
        read(text, &policy)
    }

    fn read(text: &str, policy: &Policy) -> Option<String> {
        let mut configuration = Configuration::default();
        configuration.set(field::USERNAME, "api_key");
        configuration.set(field::BASE_URL, text);
        let settings = Settings::parse(&configuration, policy).ok();
        settings.map(|settings| settings.base_url)
    }

    #[test]
    fn a_base_url_is_refused_where_its_text_differs_from_the_parsed_form() {
        for text in [
            r"https://api.close.com\@evil.example",
            r"https:\\api.close.com/api/v1",
            "https:/api.close.com/api/v1",
            "https:api.close.com/api/v1",
            "HTTPS://API.CLOSE.COM/api/v1",
            "https://api.close.com:443/api/v1",
            "https://@api.close.com/api/v1",
            "https://api.close.com/api/../v1",
            "https://api.close.com/a b",
            " https://api.close.com/api/v1",
            "https://api.close.com/api/v1\n",
            "https://api.close\t.com/api/v1",
            "https://api\u{3002}close.com/api/v1",
        ] {
            assert_eq!(base_url(text, &[]), None, "{text}");
        }
        for text in ["https://api.close.com", "https://api.close.com/"] {
            assert_eq!(
                base_url(text, &[]).as_deref(),
                Some("https://api.close.com")
            );
        }
    }

    #[test]
    fn close_under_another_name_is_asked_at_its_present_host() {
        let present = "https://api.close.com/api/v1";
        for host in ["app.close.com", "api.close.io", "app.close.io", "close.io"] {
            let text = format!("https://{host}/api/v1/");
            for policy in [Policy::default(), Policy::of_stored()] {
                assert_eq!(read(&text, &policy).as_deref(), Some(present), "{text}");
            }
            assert_eq!(base_url(&text, &[&text]).as_deref(), Some(present));
        }
        for host in ["app.close.io.example.com", "www.close.io", "x.app.close.io"] {
            assert_eq!(base_url(&format!("https://{host}/api/v1"), &[]), None);
        }
        // Theirs is another port, and the operator's own.
        let named = "https://app.close.io:8443/api/v1";
        assert_eq!(base_url(named, &[named]).as_deref(), Some(named));
    }

    #[test]
    fn the_operators_own_text_is_used_in_its_parsed_form() {
        let named = ["https://Proxy.example/close/"];
        let parsed = Some("https://proxy.example/close".to_owned());
        assert_eq!(base_url(named[0], &named), parsed);
        assert_eq!(base_url("https://proxy.example/close", &named), parsed);
        assert_eq!(base_url("https://PROXY.example/close", &named), None);
    }

    #[test]
    fn a_stored_text_is_taken_in_its_parsed_form() {
        // Whoever reads an instance, and whoever sends its API key to Close.
        let sender = Policy {
            any_base_url: false,
            ..Policy::of_stored()
        };
        for policy in [Policy::of_stored(), sender.clone()] {
            for (text, parsed) in [
                (
                    r"https://api.close.com\@evil.example",
                    "https://api.close.com/@evil.example",
                ),
                (
                    "HTTPS://API.CLOSE.COM:443/api/v1",
                    "https://api.close.com/api/v1",
                ),
                (
                    "https://api.close.com/api/../v1/",
                    "https://api.close.com/v1",
                ),
            ] {
                assert_eq!(read(text, &policy).as_deref(), Some(parsed), "{text}");
            }
        }
        for text in [
            "https://evil.example",
            r"https://evil.example\@api.close.com",
        ] {
            assert_eq!(read(text, &sender), None, "{text}");
        }
    }
}
