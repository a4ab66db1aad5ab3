//! Which signature keys an instance takes while one is being replaced.

use jiff::{SignedDuration, Timestamp};
use shared::configuration::Configuration;
use shared::instance::{Instance, PreviousKey};
use shared::settings::field;

/// Close retries a delivery for so long, and may have signed it with the old key.
const OVERLAP: SignedDuration = SignedDuration::from_hours(72);

/// Whoever rotates more often in that time gives up the oldest: an item of the table holds 400 KB.
const MAX_PREVIOUS: usize = 10;

/// The previous keys of `old` once its configuration is `new`: those that are still good, and its own if `new` has another.
/// Without a key there is nothing to be good beside.
pub fn rotate(old: &Instance, new: &Configuration, now: Timestamp) -> Vec<PreviousKey> {
    let Some(new_key) = new.get(field::SIGNATURE_KEY) else {
        return Vec::new();
    };
    let replaced = old
        .configuration
        .get(field::SIGNATURE_KEY)
        .map(|key| PreviousKey {
            key: key.to_owned(),
            good_until: now.saturating_add(OVERLAP).unwrap_or(now),
        });
    let good = old.good_previous_keys(now).cloned().chain(replaced);
    let good: Vec<_> = good.filter(|previous| previous.key != new_key).collect();
    good[good.len().saturating_sub(MAX_PREVIOUS)..].to_vec()
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use shared::configuration::Configuration;
    use shared::instance::Instance;

    use super::rotate;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn configuration(key: Option<&str>) -> Configuration {
        let mut configuration = Configuration::default();
        if let Some(key) = key {
            configuration.set("event.webhook.signature.key", key);
        }
        configuration
    }

    fn rotated(instance: &mut Instance, key: Option<&str>, hour: i32) -> Vec<String> {
        let now = Timestamp::UNIX_EPOCH + HOUR * hour;
        instance.previous_keys = rotate(instance, &configuration(key), now);
        instance.configuration = configuration(key);
        instance
            .previous_keys
            .iter()
            .map(|previous| previous.key.clone())
            .collect()
    }

    #[test]
    fn a_replaced_key_is_good_for_72_hours() {
        let mut instance = Instance::new(
            1.try_into().unwrap(),
            "Test",
            configuration(Some("aa")),
            Timestamp::UNIX_EPOCH,
        );
        let none = Vec::<String>::new();
        assert_eq!(rotated(&mut instance, Some("aa"), 0), none);
        assert_eq!(rotated(&mut instance, Some("bb"), 0), ["aa"]);
        assert_eq!(rotated(&mut instance, Some("cc"), 71), ["aa", "bb"]);
        assert_eq!(rotated(&mut instance, Some("cc"), 72), ["bb"]);
        assert_eq!(rotated(&mut instance, Some("bb"), 73), ["cc"]);
        assert_eq!(rotated(&mut instance, None, 74), none);
        rotated(&mut instance, Some("00"), 75);
        let newest: Vec<_> = (1..=12).map(|key| format!("{key:02}")).collect();
        for key in &newest {
            rotated(&mut instance, Some(key), 75);
        }
        assert_eq!(rotated(&mut instance, Some("13"), 75), newest[2..]);
    }
}
