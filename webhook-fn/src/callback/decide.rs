//! What to do with a notification, and what its attempt means for it.

use jiff::{SignedDuration, Timestamp};
use shared::address;
use shared::instance::{Instance, Phase};
use shared::settings::callback::Callback;
use shared::settings::{Policy, Settings};

use super::deliver::Attempt;
use super::message::{Message, Retry};
use super::reason::Reason;
use super::schedule;

/// Whose notifications are delivered.
#[derive(Debug)]
pub struct Known {
    /// As it is stored.
    pub instance: Instance,
    /// What its configuration means.
    pub settings: Settings,
}

/// What becomes of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was delivered.
    Delivered,
    /// It is tried again.
    Again(Retry, Reason),
    /// It is given up.
    Dead(Reason),
}

/// Reads a stored instance.
///
/// # Errors
/// Where there is none, or none that works.
pub fn know(instance: Option<Instance>) -> Result<Known, Reason> {
    let instance = instance.ok_or(Reason::UnknownInstance)?;
    if instance.phase == Phase::Removing {
        return Err(Reason::UnknownInstance);
    }
    let settings = Settings::parse(&instance.configuration, &Policy::of_stored());
    let settings = settings.map_err(|_| Reason::BadConfiguration)?;
    Ok(Known { instance, settings })
}

/// Where to deliver a notification of an instance.
///
/// # Errors
/// Why it is given up without an attempt.
pub fn destination<'a>(
    known: &'a Known,
    message: &Message,
    allow_loopback: bool,
    now: Timestamp,
) -> Result<&'a Callback, Reason> {
    let callback = known.settings.callback.as_ref().ok_or(Reason::NoCallback)?;
    let state = &known.instance.callback;
    let is_public =
        callback.url.scheme() == "https" && !address::names_no_public_address(&callback.url);
    if state.is_gone(&callback.url) {
        Err(Reason::Gone)
    } else if !is_public && !allow_loopback {
        Err(Reason::AddressNotAllowed)
    } else if message.retry.is_none() && state.is_open(now) {
        Err(Reason::CircuitOpen)
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
    let attempt = message.retry.map_or(0, |retry| retry.attempt) + 1;
    let first_failure = message.retry.map_or(now, |retry| retry.first_failure);
    match schedule::next(attempt, first_failure, now, retry_after, random) {
        None => Outcome::Dead(reason),
        Some(not_before) => Outcome::Again(
            Retry {
                attempt,
                not_before,
                first_failure,
            },
            reason,
        ),
    }
}

/// What becomes of a notification for which there was no time. That was no attempt.
pub fn postponed(message: &Message, now: Timestamp) -> Outcome {
    let first_failure = message.retry.map_or(now, |retry| retry.first_failure);
    let retry = Retry {
        attempt: message.retry.map_or(0, |retry| retry.attempt),
        not_before: schedule::soon(now),
        first_failure,
    };
    Outcome::Again(retry, Reason::TooSlow)
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use shared::callback::CallbackState;
    use shared::configuration::Configuration;
    use shared::instance::{Instance, Phase};

    use super::{Known, Outcome, destination, know, outcome, postponed};
    use crate::callback::deliver::Attempt;
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

    fn known(url: &str, state: CallbackState) -> Known {
        let mut instance = instance(url);
        instance.callback = state;
        know(Some(instance)).unwrap()
    }

    fn message(attempt: Option<u32>) -> Message {
        let retry = attempt.map(|attempt| Retry {
            attempt,
            not_before: NOW,
            first_failure: NOW - SignedDuration::from_secs(64),
        });
        Message {
            id: "m1".to_owned(),
            receipt_handle: "r1".to_owned(),
            body: String::new(),
            queued_at: NOW,
            retry,
        }
    }

    fn decided(known: &Known, attempt: Option<u32>) -> Result<String, Reason> {
        let callback = destination(known, &message(attempt), false, NOW)?;
        Ok(callback.url.to_string())
    }

    fn failed(reason: Reason) -> Attempt {
        Attempt::Failed {
            reason,
            retry_after: None,
        }
    }

    #[test]
    fn an_instance_must_be_there_and_work() {
        assert_eq!(know(None).unwrap_err(), Reason::UnknownInstance);
        let mut removing = instance(URL);
        removing.phase = Phase::Removing;
        assert_eq!(know(Some(removing)).unwrap_err(), Reason::UnknownInstance);
        let mut broken = instance(URL);
        broken.configuration.set("event.vendor.type", "pull");
        assert_eq!(know(Some(broken)).unwrap_err(), Reason::BadConfiguration);
        let mut disabled = instance(URL);
        disabled.disabled = true;
        assert!(know(Some(disabled)).is_ok());
    }

    #[test]
    fn it_must_have_a_callback_still() {
        let mut instance = instance(URL);
        instance
            .configuration
            .set("event.notification.enabled", "false");
        let known = know(Some(instance)).unwrap();
        assert_eq!(decided(&known, None), Err(Reason::NoCallback));
    }

    #[test]
    fn a_url_that_is_gone_is_not_asked_again_but_another_is() {
        let gone = |url: &str| CallbackState {
            gone_url: Some(url.to_owned()),
            ..CallbackState::default()
        };
        for attempt in [None, Some(1)] {
            assert_eq!(decided(&known(URL, gone(URL)), attempt), Err(Reason::Gone));
            let other = known(URL, gone("https://app.example.com/old"));
            assert_eq!(decided(&other, attempt), Ok(URL.to_owned()));
        }
    }

    #[test]
    fn while_too_many_wait_only_they_are_tried() {
        let state = |seconds| CallbackState {
            open_until: Some(NOW + SignedDuration::from_secs(seconds)),
            ..CallbackState::default()
        };
        let open = known(URL, state(1));
        assert_eq!(decided(&open, None), Err(Reason::CircuitOpen));
        assert_eq!(decided(&open, Some(1)), Ok(URL.to_owned()));
        assert_eq!(decided(&known(URL, state(0)), None), Ok(URL.to_owned()));
    }

    #[test]
    fn a_private_address_or_http_is_for_local_use_alone() {
        for url in [
            "https://127.0.0.1/",
            "https://[fd00::1]/",
            "http://app.example.com/",
        ] {
            let known = known(url, CallbackState::default());
            assert_eq!(
                decided(&known, None),
                Err(Reason::AddressNotAllowed),
                "{url}"
            );
            assert!(destination(&known, &message(None), true, NOW).is_ok());
        }
    }

    #[test]
    fn a_failure_is_tried_again_five_times() {
        let attempt = failed(Reason::Status(500));
        let first = Retry {
            attempt: 1,
            not_before: NOW + SignedDuration::from_secs(8),
            first_failure: NOW,
        };
        let found = outcome(attempt, &message(None), NOW, 0.0);
        assert_eq!(found, Outcome::Again(first, Reason::Status(500)));

        let third = Retry {
            attempt: 3,
            not_before: NOW + SignedDuration::from_secs(512 - 64),
            first_failure: NOW - SignedDuration::from_secs(64),
        };
        let found = outcome(attempt, &message(Some(2)), NOW, 0.0);
        assert_eq!(found, Outcome::Again(third, Reason::Status(500)));

        let found = outcome(attempt, &message(Some(5)), NOW, 0.0);
        assert_eq!(found, Outcome::Dead(Reason::Status(500)));
    }

    #[test]
    fn what_will_not_work_later_is_given_up_at_once() {
        for reason in [Reason::Gone, Reason::AddressNotAllowed] {
            let found = outcome(Attempt::Refused(reason), &message(None), NOW, 0.0);
            assert_eq!(found, Outcome::Dead(reason));
        }
    }

    #[test]
    fn want_of_time_is_no_attempt() {
        for (attempt, since) in [(None, 0), (Some(2), 64)] {
            let retry = Retry {
                attempt: attempt.unwrap_or(0),
                not_before: NOW + SignedDuration::from_secs(8),
                first_failure: NOW - SignedDuration::from_secs(since),
            };
            let found = postponed(&message(attempt), NOW);
            assert_eq!(found, Outcome::Again(retry, Reason::TooSlow));
        }
    }
}
