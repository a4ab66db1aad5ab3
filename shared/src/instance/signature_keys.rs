//! Which signature keys an instance takes, and which sign its notifications, while one is being replaced.

use crate::instance::callback_origin;
use crate::instance::settings::{callback, field};
use crate::instance::{Instance, PreviousKey};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;

/// Close retries a delivery for so long, and may have signed it with the old key. A receiver gets as long to learn a new one.
const OVERLAP: SignedDuration = SignedDuration::from_hours(72);

/// Of more keys than this the first and the last are kept, for an item of the table holds 400 KB: the first is the one that most
/// receivers have, however often an Element token is replaced.
const MAX_PREVIOUS: usize = 10;

/// Notes in `new` which keys are good beside its own, once it replaces `old`.
pub fn rotate(old: &Instance, new: &mut Instance, now: Timestamp) {
    new.previous_keys = beside(
        new.configuration.get(field::SIGNATURE_KEY),
        old.configuration.get(field::SIGNATURE_KEY),
        &old.previous_keys,
        now,
    );
    // Signatures of an old key are for whoever knows that key.
    let other = callback_origin::other(&old.configuration, &new.configuration);
    new.previous_callback_keys = if other.is_some() {
        Vec::new()
    } else {
        let key = |of: &Instance| callback::signature_key(&of.configuration, &of.token_hash);
        let (new_key, old_key) = (key(new), key(old));
        beside(
            new_key.as_ref().map(ExposeSecret::expose_secret),
            old_key.as_ref().map(ExposeSecret::expose_secret),
            &old.previous_callback_keys,
            now,
        )
    };
}

/// The keys that are good beside a new one: those that still are, and the replaced one. Without a key there is nothing to be
/// good beside.
fn beside(
    new: Option<&str>,
    replaced: Option<&str>,
    previous: &[PreviousKey],
    now: Timestamp,
) -> Vec<PreviousKey> {
    let Some(new) = new else {
        return Vec::new();
    };
    let replaced = replaced.map(|key| PreviousKey {
        key: key.to_owned(),
        good_until: now.saturating_add(OVERLAP).unwrap_or(now),
    });
    let good = PreviousKey::good(previous, now).cloned().chain(replaced);
    let mut good: Vec<_> = good.filter(|previous| previous.key != new).collect();
    if let Some(more) = good.len().checked_sub(MAX_PREVIOUS) {
        good.drain(1..=more);
    }
    good
}

#[cfg(test)]
mod tests {
    use super::rotate;
    use crate::instance::configuration::Configuration;
    use crate::instance::{Instance, PreviousKey};
    use jiff::{SignedDuration, Timestamp};

    const HOUR: SignedDuration = SignedDuration::from_hours(1);
    const WEBHOOK_KEY: &str = "event.webhook.signature.key";
    const CALLBACK_KEY: &str = "event.notification.signature.key";
    const CALLBACK_URL: &str = "event.notification.callback.url";

    fn instance(members: &[(&str, &str)]) -> Instance {
        let mut configuration = Configuration::default();
        for (key, value) in members {
            configuration.set(key, value);
        }
        let id = 1.try_into().unwrap();
        Instance::new(id, "Test", configuration, Timestamp::UNIX_EPOCH)
    }

    fn texts(keys: &[PreviousKey]) -> Vec<&str> {
        keys.iter().map(|previous| previous.key.as_str()).collect()
    }

    /// Changes the configuration in that hour.
    fn change(old: &mut Instance, members: &[(&str, &str)], hour: i32) {
        let mut new = Instance {
            token_hash: old.token_hash.clone(),
            ..instance(members)
        };
        rotate(old, &mut new, Timestamp::UNIX_EPOCH + HOUR * hour);
        *old = new;
    }

    #[test]
    fn a_replaced_webhook_key_is_good_for_72_hours() {
        let mut one = instance(&[(WEBHOOK_KEY, "aa")]);
        let mut rotated = |key: Option<&str>, hour| {
            let members: Vec<_> = key.map(|key| (WEBHOOK_KEY, key)).into_iter().collect();
            change(&mut one, &members, hour);
            texts(&one.previous_keys).join(" ")
        };
        assert_eq!(rotated(Some("aa"), 0), "");
        assert_eq!(rotated(Some("bb"), 0), "aa");
        assert_eq!(rotated(Some("cc"), 71), "aa bb");
        assert_eq!(rotated(Some("cc"), 72), "bb");
        assert_eq!(rotated(Some("bb"), 73), "cc");
        assert_eq!(rotated(None, 74), "");
        rotated(Some("00"), 75);
        let newest: Vec<_> = (1..=12).map(|key| format!("{key:02}")).collect();
        for key in &newest {
            rotated(Some(key), 75);
        }
        assert_eq!(
            rotated(Some("13"), 75),
            format!("00 {}", newest[3..].join(" "))
        );
    }

    #[test]
    fn a_replaced_callback_key_is_good_for_72_hours_also_where_it_is_made_of_the_token() {
        let mut one = instance(&[]);
        one.token_hash = "00ff".to_owned();
        change(&mut one, &[(CALLBACK_KEY, "aa")], 0);
        assert_eq!(texts(&one.previous_callback_keys), ["whsec_AP8="]);
        change(&mut one, &[], 1);
        assert_eq!(texts(&one.previous_callback_keys), ["aa"]);
        let mut other = Instance {
            token_hash: "0000".to_owned(),
            ..one.clone()
        };
        rotate(&one, &mut other, Timestamp::UNIX_EPOCH + HOUR * 2);
        assert_eq!(texts(&other.previous_callback_keys), ["aa", "whsec_AP8="]);
        change(&mut other, &[], 73);
        assert_eq!(texts(&other.previous_callback_keys), ["whsec_AP8="]);
        assert_eq!(other.previous_keys, []);
    }

    #[test]
    fn the_receiver_at_another_origin_gets_no_signature_of_an_old_key() {
        for (url, kept) in [
            ("https://app.example.com/other", 1),
            ("https://new.example.com/hook", 0),
        ] {
            let mut one = instance(&[
                (CALLBACK_URL, "https://app.example.com/hook"),
                (CALLBACK_KEY, "aa"),
            ]);
            change(&mut one, &[(CALLBACK_URL, url), (CALLBACK_KEY, "bb")], 0);
            assert_eq!(one.previous_callback_keys.len(), kept, "{url}");
        }
    }
}
