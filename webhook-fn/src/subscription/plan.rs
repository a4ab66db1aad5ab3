//! What a change of an instance means for its subscription.

use shared::close::webhook::SubscribedEvent;
use shared::instance::settings::Settings;

/// What a change of an instance means for its subscription.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Nothing.
    Keep,
    /// There is none yet, or only one of another account.
    Create(&'a [SubscribedEvent]),
    /// It stays, for other events.
    Cover(&'a [SubscribedEvent]),
    /// It is no longer wanted.
    Remove,
}

/// Decides what is to be done at Close when `old` becomes `new`. `has_subscription` says whether there is one now.
pub fn step<'a>(old: &Settings, has_subscription: bool, new: &'a Settings) -> Step<'a> {
    match &new.subscription {
        None if has_subscription => Step::Remove,
        Some(events) if !has_subscription || !old.account().is(new.account()) => {
            Step::Create(events)
        }
        Some(events) if old.subscription.as_ref() != Some(events) => Step::Cover(events),
        Some(_) | None => Step::Keep,
    }
}

#[cfg(test)]
mod tests {
    use shared::instance::configuration::Configuration;
    use shared::instance::settings::Settings;

    use super::{Step, step};

    fn settings(members: &[(&str, &str)]) -> Settings {
        let mut configuration = Configuration::default();
        let basis = [
            ("username", "api_key"),
            ("event.notification.enabled", "true"),
            ("event.notification.type", "eventbridge"),
            ("event.vendor.type", "webhook"),
        ];
        for (key, value) in basis.iter().chain(members) {
            configuration.set(key, value);
        }
        Settings::stored(&configuration).unwrap()
    }

    #[test]
    fn the_subscription_follows_the_configuration() {
        let none = settings(&[]);
        let all = settings(&[("event.webhook.subscribe", "true")]);
        let leads = settings(&[
            ("event.webhook.subscribe", "true"),
            ("event.objects", "lead"),
        ]);
        let other = settings(&[("event.webhook.subscribe", "true"), ("username", "other")]);
        let off = settings(&[
            ("event.webhook.subscribe", "true"),
            ("event.notification.enabled", "false"),
        ]);
        let events = |settings: &Settings| settings.subscription.clone().unwrap();

        assert_eq!(step(&none, false, &none), Step::Keep);
        assert_eq!(step(&none, false, &all), Step::Create(&events(&all)));
        assert_eq!(step(&all, true, &all), Step::Keep);
        assert_eq!(step(&all, true, &leads), Step::Cover(&events(&leads)));
        assert_eq!(step(&all, true, &other), Step::Create(&events(&other)));
        assert_eq!(step(&all, true, &none), Step::Remove);
        assert_eq!(step(&all, true, &off), Step::Remove);
        // Lost on the way: made anew.
        assert_eq!(step(&all, false, &all), Step::Create(&events(&all)));
    }
}
