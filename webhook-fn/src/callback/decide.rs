//! What to do with a notification, and what its attempt means for it.

use jiff::{SignedDuration, Timestamp};
use shared::instance::callback_state::CallbackState;
use shared::instance::settings::Settings;
use shared::instance::settings::address;
use shared::instance::settings::callback::Callback;
use shared::instance::{Instance, Phase};

use super::attempt::Attempt;
use super::message::{Message, Retry};
use super::reason::Reason;
use super::schedule;

/// Whose notifications are delivered.
#[derive(Debug)]
pub struct Recipient {
    /// As it is stored.
    pub instance: Instance,
    /// What its configuration means.
    pub settings: Settings,
    /// How its callback URL has fared.
    pub state: CallbackState,
}

impl Recipient {
    /// Reads a stored instance.
    ///
    /// # Errors
    /// Where the instance is unknown or being removed, or its configuration is not valid.
    pub fn read(instance: Option<Instance>) -> Result<Self, Reason> {
        let instance = instance.ok_or(Reason::UnknownInstance)?;
        if instance.phase == Phase::Removing {
            return Err(Reason::UnknownInstance);
        }
        let settings = Settings::stored(&instance.configuration);
        let settings = settings.map_err(|_| Reason::BadConfiguration)?;
        Ok(Self {
            state: instance.callback.of(instance.callback_since),
            instance,
            settings,
        })
    }
}

/// What to do with a notification.
#[derive(Debug)]
pub enum Plan<'a> {
    /// It is posted.
    Post(&'a Callback),
    /// This has become of it, without an attempt.
    Without(Outcome),
}

/// What becomes of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was delivered.
    Delivered,
    /// It is tried again.
    Again(Retry, Reason),
    /// It is tried for the first time from the retry queue, where a slow callback URL holds up only what waits anyway.
    Diverted,
    /// It is given up.
    Dead(Reason),
}

/// What to do with a notification of an instance. `random` is from -1 to 1.
pub fn plan<'a>(
    recipient: &'a Recipient,
    message: &Message,
    allow_loopback: bool,
    now: Timestamp,
    random: f64,
) -> Plan<'a> {
    let state = &recipient.state;
    let callback = match destination(recipient, allow_loopback) {
        Ok(callback) => callback,
        Err(reason) => return Plan::Without(Outcome::Dead(reason)),
    };
    if message.attempts == 0
        && state.is_open(now)
        && let Some(retry) = schedule::spared(now, random)
    {
        Plan::Without(Outcome::Again(retry, Reason::CircuitOpen))
    } else if !message.is_retry && state.is_slow(now) {
        Plan::Without(Outcome::Diverted)
    } else {
        Plan::Post(callback)
    }
}

fn destination(recipient: &Recipient, allow_loopback: bool) -> Result<&Callback, Reason> {
    let callback = recipient
        .settings
        .callback
        .as_ref()
        .ok_or(Reason::NoCallback)?;
    let is_public =
        callback.url.scheme() == "https" && !address::names_no_public_address(&callback.url);
    if recipient.state.gone {
        Err(Reason::Gone)
    } else if !is_public && !allow_loopback {
        Err(Reason::AddressNotAllowed)
    } else {
        Ok(callback)
    }
}

/// What an attempt means. `random` is from -1 to 1.
pub fn outcome(attempt: Attempt, message: &Message, now: Timestamp, random: f64) -> Outcome {
    match attempt {
        Attempt::Delivered => Outcome::Delivered,
        Attempt::Refused(reason) => Outcome::Dead(reason),
        Attempt::Failed {
            reason,
            retry_after,
        } => again(reason, retry_after, message, now, random),
    }
}

fn again(
    reason: Reason,
    retry_after: Option<SignedDuration>,
    message: &Message,
    now: Timestamp,
    random: f64,
) -> Outcome {
    let attempts = message.attempts.saturating_add(1);
    let first_failure = message.first_failure.unwrap_or(now);
    match schedule::next(attempts, first_failure, now, retry_after, random) {
        None => Outcome::Dead(reason),
        Some(due) => Outcome::Again(
            Retry {
                attempts,
                first_failure,
                due,
            },
            reason,
        ),
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use shared::instance::callback_state::CallbackState;
    use shared::instance::configuration::Configuration;
    use shared::instance::{Instance, Phase};

    use super::{Outcome, Plan, Recipient, outcome, plan};
    use crate::callback::attempt::Attempt;
    use crate::callback::message::{Message, Retry};
    use crate::callback::reason::Reason;

    const NOW: Timestamp = Timestamp::constant(1_781_870_400, 0);
    const URL: &str = "https://app.example.com/hook";

    fn instance(url: &str) -> Instance {
        let mut configuration = Configuration::default();
        for (key, value) in [
            ("username", "api_key"),
            ("event.notification.enabled", "true"),
            ("event.vendor.type", "webhook"),
            ("event.notification.callback.url", url),
        ] {
            configuration.set(key, value);
        }
        Instance::new(20_931.try_into().unwrap(), "Test", configuration, NOW)
    }

    fn recipient(url: &str, state: CallbackState) -> Recipient {
        let mut instance = instance(url);
        instance.callback = state;
        Recipient::read(Some(instance)).unwrap()
    }

    /// A message of the first queue, or one of the retry queue after so many failures.
    fn message(attempts: Option<u32>) -> Message {
        let attempted = attempts.filter(|attempts| 0 < *attempts);
        Message {
            id: "m1".to_owned(),
            body: String::new(),
            is_retry: attempts.is_some(),
            attempts: attempts.unwrap_or(0),
            first_failure: attempted.map(|_| NOW - SignedDuration::from_secs(64)),
            hops: 0,
        }
    }

    fn planned(recipient: &Recipient, attempts: Option<u32>) -> Result<String, Outcome> {
        match plan(recipient, &message(attempts), false, NOW, 0.0) {
            Plan::Post(callback) => Ok(callback.url.to_string()),
            Plan::Without(outcome) => Err(outcome),
        }
    }

    fn failed(reason: Reason) -> Attempt {
        Attempt::Failed {
            reason,
            retry_after: None,
        }
    }

    fn later(seconds: i64) -> Timestamp {
        NOW + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn an_instance_must_be_there_and_work() {
        assert_eq!(Recipient::read(None).unwrap_err(), Reason::UnknownInstance);
        let mut removing = instance(URL);
        removing.phase = Phase::Removing;
        assert_eq!(
            Recipient::read(Some(removing)).unwrap_err(),
            Reason::UnknownInstance
        );
        let mut broken = instance(URL);
        broken.configuration.set("event.vendor.type", "pull");
        assert_eq!(
            Recipient::read(Some(broken)).unwrap_err(),
            Reason::BadConfiguration
        );
        let mut disabled = instance(URL);
        disabled.disabled = true;
        assert!(Recipient::read(Some(disabled)).is_ok());
    }

    #[test]
    fn it_must_have_a_callback_still() {
        let mut instance = instance(URL);
        instance
            .configuration
            .set("event.notification.enabled", "false");
        let recipient = Recipient::read(Some(instance)).unwrap();
        let dead = Outcome::Dead(Reason::NoCallback);
        assert_eq!(planned(&recipient, None), Err(dead));
    }

    #[test]
    fn a_url_that_is_gone_is_not_asked_again_but_another_is() {
        let gone = CallbackState {
            gone: true,
            ..CallbackState::default()
        };
        for attempts in [None, Some(1)] {
            let dead = Outcome::Dead(Reason::Gone);
            assert_eq!(planned(&recipient(URL, gone.clone()), attempts), Err(dead));
            let mut other = instance(URL);
            other.callback = gone.clone();
            other.callback_since = 2;
            let other = Recipient::read(Some(other)).unwrap();
            assert_eq!(planned(&other, attempts), Ok(URL.to_owned()));
        }
    }

    #[test]
    fn while_the_circuit_is_open_only_what_failed_before_is_tried() {
        let state = |until| CallbackState {
            open_until: Some(until),
            ..CallbackState::default()
        };
        let retry = Retry {
            attempts: 3,
            first_failure: NOW,
            due: later(512),
        };
        let open = recipient(URL, state(later(1)));
        let spared = Err(Outcome::Again(retry, Reason::CircuitOpen));
        assert_eq!(planned(&open, None), spared);
        assert_eq!(planned(&open, Some(0)), spared);
        assert_eq!(planned(&open, Some(1)), Ok(URL.to_owned()));
        assert_eq!(
            planned(&recipient(URL, state(NOW)), None),
            Ok(URL.to_owned())
        );
    }

    #[test]
    fn a_slow_url_is_called_from_the_retry_queue_alone() {
        let state = |until| CallbackState {
            slow_until: Some(until),
            ..CallbackState::default()
        };
        let slow = recipient(URL, state(later(1)));
        assert_eq!(planned(&slow, None), Err(Outcome::Diverted));
        assert_eq!(planned(&slow, Some(0)), Ok(URL.to_owned()));
        assert_eq!(planned(&slow, Some(1)), Ok(URL.to_owned()));
        assert_eq!(
            planned(&recipient(URL, state(NOW)), None),
            Ok(URL.to_owned())
        );
    }

    #[test]
    fn a_private_address_or_http_is_for_local_use_alone() {
        for url in [
            "https://127.0.0.1/",
            "https://[fd00::1]/",
            "http://app.example.com/",
        ] {
            let recipient = recipient(url, CallbackState::default());
            let dead = Outcome::Dead(Reason::AddressNotAllowed);
            assert_eq!(planned(&recipient, None), Err(dead), "{url}");
            let allowed = plan(&recipient, &message(None), true, NOW, 0.0);
            assert!(matches!(allowed, Plan::Post(_)), "{url}");
        }
    }

    #[test]
    fn a_failure_is_tried_again_until_the_sixth() {
        let again = |message: &Message| outcome(failed(Reason::Status(500)), message, NOW, 0.0);
        let retry = Retry {
            attempts: 1,
            first_failure: NOW,
            due: later(8),
        };
        let first = Outcome::Again(retry, Reason::Status(500));
        assert_eq!(again(&message(None)), first);
        assert_eq!(again(&message(Some(0))), first);
        let retry = Retry {
            attempts: 3,
            first_failure: later(-64),
            due: later(448),
        };
        let third = Outcome::Again(retry, Reason::Status(500));
        assert_eq!(again(&message(Some(2))), third);
        let dead = Outcome::Dead(Reason::Status(500));
        assert_eq!(again(&message(Some(5))), dead);
        assert_eq!(again(&message(Some(u32::MAX))), dead);
    }

    #[test]
    fn what_will_not_work_later_is_given_up_at_once() {
        for reason in [Reason::Gone, Reason::AddressNotAllowed] {
            let found = outcome(Attempt::Refused(reason), &message(None), NOW, 0.0);
            assert_eq!(found, Outcome::Dead(reason));
        }
    }
}
