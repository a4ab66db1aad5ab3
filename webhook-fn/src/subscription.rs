//! An instance's webhook subscription at Close.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shared::close::client::Account;
use shared::close::error::CloseError;
use shared::close::webhook::{
    self, CreatedSubscription, ListedEvent, ListedSubscription, SubscribedEvent, Wanted,
};
use shared::instance::FormerSubscription;
use shared::settings::{FieldError, Settings, field};
use shared::warnings::Warnings;

use crate::app::App;
use crate::http::error::HandlerError;
use crate::offer::Offer;

/// The status of a subscription that is not at Close.
pub const MISSING: &str = "missing";

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

/// The ids of subscriptions that no API key of an instance may remove.
#[derive(Debug, Default)]
pub struct Staying(BTreeSet<String>);

impl Staying {
    /// Notes whether a removal has worked. What one key may not remove, another may.
    fn note(&mut self, id: &str, is_gone: bool) {
        if is_gone {
            self.0.remove(id);
        } else {
            self.0.insert(id.to_owned());
        }
    }

    /// Warns of each.
    pub fn warn(&self, warnings: &mut Warnings) {
        for id in &self.0 {
            warnings.note("webhook", || {
                format!("{id} stays at Close: no API key of this instance may remove the subscription; remove it with its user's key or an admin's")
            });
        }
    }
}

/// The account that an instance's settings name.
pub fn account(settings: &Settings) -> Account<'_> {
    Account {
        base_url: &settings.base_url,
        api_key: &settings.api_key,
    }
}

/// Whether both speak to Close with one key at one address.
pub fn is_same_account(one: &Settings, other: &Settings) -> bool {
    one.base_url == other.base_url && one.api_key.expose_secret() == other.api_key.expose_secret()
}

/// Decides what is to be done at Close when `old` becomes `new`. `has_subscription` says whether there is one now.
pub fn plan<'a>(old: &Settings, has_subscription: bool, new: &'a Settings) -> Step<'a> {
    match &new.subscription {
        None if has_subscription => Step::Remove,
        Some(events) if !has_subscription || !is_same_account(old, new) => Step::Create(events),
        Some(events) if old.subscription.as_ref() != Some(events) => Step::Cover(events),
        Some(_) | None => Step::Keep,
    }
}

/// The ids of the subscriptions that post to `url`.
///
/// # Errors
/// 400 where Close refuses the key, 503 where it cannot be reached.
pub async fn ids_at(
    app: &App,
    account: Account<'_>,
    url: &str,
) -> Result<Vec<String>, HandlerError> {
    let listed = app.close.webhooks(account).await;
    let listed = listed.map_err(to_handler_error)?.into_iter();
    let ids = listed.filter(|one| one.url == url).map(|one| one.id);
    Ok(ids.collect())
}

/// Removes a subscription. Returns whether Close has it no more: there is nothing to be done about one whose account has shut
/// us out, or lets only its creator change it.
///
/// # Errors
/// 503 where Close cannot be reached.
pub async fn remove(app: &App, account: Account<'_>, id: &str) -> Result<bool, HandlerError> {
    match app.close.delete_webhook(account, id).await {
        Ok(()) => Ok(true),
        Err(error) if is_shut_out(&error) => {
            tracing::warn!(subscription.id = id, %error, "the subscription stays at Close");
            Ok(false)
        }
        Err(error) => Err(to_handler_error(error)),
    }
}

/// Removes a subscription, and whatever else posts to `url` but for the one to `keep`. Notes those that stay.
///
/// # Errors
/// 503 where Close cannot be reached.
pub async fn remove_all(
    app: &App,
    account: Account<'_>,
    id: Option<&str>,
    url: &str,
    keep: Option<&str>,
    staying: &mut Staying,
) -> Result<(), HandlerError> {
    let listed = match app.close.webhooks(account).await {
        Err(error) if is_shut_out(&error) => Vec::new(),
        listed => listed.map_err(to_handler_error)?,
    };
    let others = listed.iter().filter(|one| one.url == url);
    let others = others.map(|one| one.id.as_str());
    let others = others.filter(|other| Some(*other) != id && Some(*other) != keep);
    for id in id.into_iter().chain(others) {
        staying.note(id, remove(app, account, id).await?);
    }
    Ok(())
}

/// Removes a former subscription of an instance whose webhooks go to `url`, but not the one to `keep`. Notes those that stay.
///
/// # Errors
/// As [`remove_all`].
pub async fn remove_former(
    app: &App,
    former: &FormerSubscription,
    url: &str,
    keep: Option<&str>,
    staying: &mut Staying,
) -> Result<(), HandlerError> {
    let account = Account {
        base_url: &former.base_url,
        api_key: &SecretString::from(former.api_key.as_str()),
    };
    remove_all(app, account, Some(&former.id), url, keep, staying).await
}

/// Makes a subscription at Close, of the events that Close takes.
///
/// # Errors
/// As [`CloseError`] says.
pub async fn make(
    app: &App,
    account: Account<'_>,
    url: &str,
    events: &[SubscribedEvent],
) -> Result<CreatedSubscription, CloseError> {
    let mut offer = Offer::new(events);
    loop {
        match app.close.create_webhook(account, url, offer.events()).await {
            Err(error) if offer.narrow(&error) => {}
            made => return made,
        }
    }
}

/// Changes which events a subscription covers, of those that Close takes. Returns whether the account may and Close has it.
///
/// # Errors
/// 400 where Close refuses the key or the events, 503 where it cannot be reached.
pub async fn cover(
    app: &App,
    account: Account<'_>,
    id: &str,
    events: &[SubscribedEvent],
) -> Result<bool, HandlerError> {
    let mut offer = Offer::new(events);
    loop {
        let events = offer.events();
        match app.close.set_webhook_events(account, id, events).await {
            Err(error) if offer.narrow(&error) => {}
            Err(CloseError::Unauthorized { status: 403 }) => return Ok(false),
            covered => return Ok(covered.map_err(to_handler_error)?.is_some()),
        }
    }
}

/// Makes the subscription called `named` what is `wanted`, and removes whatever else posts to the same URL. Returns how the
/// subscription is then, and notes those that stay beside it; where Close has not got it, nothing is removed.
///
/// # Errors
/// 400 where Close refuses the key or the subscription, 503 where it cannot be reached.
pub async fn ensure(
    app: &App,
    account: Account<'_>,
    named: &str,
    wanted: &Wanted<'_>,
    staying: &mut Staying,
) -> Result<Option<Value>, HandlerError> {
    let listed = app.close.webhooks(account).await;
    let listed = listed.map_err(to_handler_error)?;
    let same = listed.iter().find(|one| one.id == named);
    let shown = match same {
        Some(found) if found.is(wanted) => described(named, &found.status, &[]),
        // A key may not see what another user of the organization has made.
        found => match (set(app, account, named, wanted).await, found) {
            (Err(CloseError::Unauthorized { status: 403 }), Some(found)) => {
                locked(named, &found.status)
            }
            (set, _) => match set.map_err(to_handler_error)? {
                Some(covered) => {
                    let refused = refused(wanted.events, &covered);
                    described(named, wanted.status.as_str(), &refused)
                }
                None => return Ok(None),
            },
        },
    };
    let is_stray = |one: &&ListedSubscription| one.url == wanted.url && one.id != named;
    for stray in listed.iter().filter(is_stray) {
        staying.note(&stray.id, remove(app, account, &stray.id).await?);
    }
    Ok(Some(shown))
}

async fn set(
    app: &App,
    account: Account<'_>,
    id: &str,
    wanted: &Wanted<'_>,
) -> Result<Option<Vec<ListedEvent>>, CloseError> {
    let mut offer = Offer::new(wanted.events);
    loop {
        let events = offer.events();
        let wanted = Wanted { events, ..*wanted };
        match app.close.set_webhook(account, id, &wanted).await {
            Err(error) if offer.narrow(&error) => {}
            set => return set,
        }
    }
}

/// The events that are wanted and that Close does not say to be covered, as `task.voicemail.created`.
pub fn refused(wanted: &[SubscribedEvent], covered: &[ListedEvent]) -> Vec<String> {
    // An answer that names no events says nothing of them.
    let wanted = if covered.is_empty() { &[] } else { wanted };
    let missing = webhook::missing(wanted, covered).into_iter();
    let names = missing.map(|event| format!("{}.{}", event.object_type, event.action));
    names.collect()
}

/// What Close says of a subscription to the `wanted` events, for whoever reads its instance: its status, `missing` where it is
/// gone, `unknown` where Close does not say.
pub async fn describe(
    app: &App,
    account: Account<'_>,
    id: &str,
    wanted: &[SubscribedEvent],
) -> Value {
    match app.close.webhook(account, id).await {
        Ok(Some(found)) => {
            let mut shown = described(id, &found.status, &refused(wanted, &found.events));
            shown["pauseReason"] = found.pause_reason.into();
            let details = [
                ("healthStatus", found.health_status),
                ("latestError", found.latest_error),
            ];
            for (name, detail) in details {
                if let Some(detail) = detail {
                    shown[name] = detail.into();
                }
            }
            shown
        }
        Ok(None) => missing(Some(id)),
        Err(error) => unknown(Some(id), &error.to_string()),
    }
}

/// The same of a former subscription.
pub async fn describe_former(app: &App, former: &FormerSubscription) -> Value {
    let account = Account {
        base_url: &former.base_url,
        api_key: &SecretString::from(former.api_key.as_str()),
    };
    describe(app, account, &former.id, &[]).await
}

/// A subscription that Close has, without the events that it `refused`.
pub fn described(id: &str, status: &str, refused: &[String]) -> Value {
    let mut shown = json!({"id": id, "status": status, "pauseReason": null});
    if !refused.is_empty() {
        shown["refused"] = refused.into();
    }
    shown
}

/// A subscription that is at Close as another user made it.
fn locked(id: &str, status: &str) -> Value {
    let mut shown = described(id, status, &[]);
    shown["reason"] = "Close lets only an admin or the user who made this subscription change it, and the API key is another user's: it stays as it is".into();
    shown
}

/// A subscription that Close should have and has not.
pub fn missing(id: Option<&str>) -> Value {
    json!({"id": id, "status": MISSING})
}

/// A subscription of which Close does not say how it is.
pub fn unknown(id: Option<&str>, reason: &str) -> Value {
    json!({"id": id, "status": "unknown", "reason": reason})
}

/// Whether we can do nothing at this account, now or later.
fn is_shut_out(error: &CloseError) -> bool {
    matches!(
        error,
        CloseError::Unauthorized { .. } | CloseError::HostNotAllowed
    )
}

/// What Close refuses the owner must change; what it cannot do now may work later.
pub fn to_handler_error(error: CloseError) -> HandlerError {
    let refused = |field: &str, message: String| {
        HandlerError::Invalid(vec![FieldError::new(
            &format!("configuration.{field}"),
            message,
        )])
    };
    match error {
        CloseError::Unauthorized { status } => refused(
            field::USERNAME,
            format!("Close refused this API key with status {status}"),
        ),
        CloseError::HostNotAllowed => refused(field::BASE_URL, error.to_string()),
        CloseError::Rejected { message, .. } => refused(
            field::SUBSCRIBE,
            format!("Close refused the subscription: {message}"),
        ),
        error => HandlerError::Close(error),
    }
}

#[cfg(test)]
mod tests {
    use shared::configuration::Configuration;
    use shared::settings::Settings;

    use super::{Step, plan};

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

        assert_eq!(plan(&none, false, &none), Step::Keep);
        assert_eq!(plan(&none, false, &all), Step::Create(&events(&all)));
        assert_eq!(plan(&all, true, &all), Step::Keep);
        assert_eq!(plan(&all, true, &leads), Step::Cover(&events(&leads)));
        assert_eq!(plan(&all, true, &other), Step::Create(&events(&other)));
        assert_eq!(plan(&all, true, &none), Step::Remove);
        assert_eq!(plan(&all, true, &off), Step::Remove);
        // Lost on the way: made anew.
        assert_eq!(plan(&all, false, &all), Step::Create(&events(&all)));
    }
}
