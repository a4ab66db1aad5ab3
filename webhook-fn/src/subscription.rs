//! An instance's webhook subscription at Close.

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared::close::client::Account;
use shared::close::error::CloseError;
use shared::close::webhook::{CreatedSubscription, Status, SubscribedEvent, duplicate_of};
use shared::settings::{FieldError, Settings, field};

use crate::app::App;
use crate::error::HandlerError;

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

/// The account that an instance's settings name.
pub fn account(settings: &Settings) -> Account<'_> {
    Account {
        base_url: &settings.base_url,
        api_key: &settings.api_key,
    }
}

/// Decides what is to be done at Close when `old` becomes `new`. `has_subscription` says whether there is one now.
pub fn plan<'a>(old: &Settings, has_subscription: bool, new: &'a Settings) -> Step<'a> {
    let is_same_account =
        old.base_url == new.base_url && old.api_key.expose_secret() == new.api_key.expose_secret();
    match &new.subscription {
        None if has_subscription => Step::Remove,
        Some(events) if !has_subscription || !is_same_account => Step::Create(events),
        Some(events) if old.subscription.as_ref() != Some(events) => Step::Cover(events),
        Some(_) | None => Step::Keep,
    }
}

/// Subscribes `url`. One that Close has already, for the same URL and events, is replaced: its key is shown no more. One
/// that was made without our hearing of it is removed, if Close can be asked again.
///
/// # Errors
/// 400 where Close refuses the key or the subscription, 503 where it cannot be reached.
pub async fn create(
    app: &App,
    account: Account<'_>,
    url: &str,
    events: &[SubscribedEvent],
) -> Result<CreatedSubscription, HandlerError> {
    let mut result = app.close.create_webhook(account, url, events).await;
    if let Err(CloseError::Rejected { message, .. }) = &result
        && let Some(id) = duplicate_of(message)
    {
        remove(app, account, id).await?;
        result = app.close.create_webhook(account, url, events).await;
    }
    if let Err(CloseError::Unavailable(_)) = &result
        && let Err(error) = remove_all_of(app, account, url).await
    {
        tracing::warn!(
            url,
            cause = error.cause(),
            "a subscription may be left at Close"
        );
    }
    result.map_err(to_handler_error)
}

/// Removes a subscription. One that Close has not, or whose account has shut us out, is gone as far as we can tell.
///
/// # Errors
/// 503 where Close cannot be reached.
pub async fn remove(app: &App, account: Account<'_>, id: &str) -> Result<(), HandlerError> {
    match app.close.delete_webhook(account, id).await {
        Ok(()) => Ok(()),
        Err(error) if is_shut_out(&error) => {
            tracing::warn!(subscription.id = id, %error, "the subscription stays at Close");
            Ok(())
        }
        Err(error) => Err(to_handler_error(error)),
    }
}

/// Removes whatever subscriptions post to `url`.
///
/// # Errors
/// 503 where Close cannot be reached.
pub async fn remove_all_of(app: &App, account: Account<'_>, url: &str) -> Result<(), HandlerError> {
    let ids = match app.close.webhooks_to(account, url).await {
        Err(error) if is_shut_out(&error) => Vec::new(),
        ids => ids.map_err(to_handler_error)?,
    };
    for id in ids {
        remove(app, account, &id).await?;
    }
    Ok(())
}

/// Changes which events a subscription covers. Returns whether Close still has it.
///
/// # Errors
/// 400 where Close refuses the key or the events, 503 where it cannot be reached.
pub async fn cover(
    app: &App,
    account: Account<'_>,
    id: &str,
    events: &[SubscribedEvent],
) -> Result<bool, HandlerError> {
    app.close
        .set_webhook_events(account, id, events)
        .await
        .map_err(to_handler_error)
}

/// Changes which events a subscription covers, and pauses or resumes it.
///
/// # Errors
/// 400 where Close refuses the key or the events, 503 where it cannot be reached.
pub async fn set(
    app: &App,
    account: Account<'_>,
    id: &str,
    events: &[SubscribedEvent],
    status: Status,
) -> Result<(), HandlerError> {
    let is_there = app
        .close
        .set_webhook(account, id, events, status)
        .await
        .map_err(to_handler_error)?;
    if !is_there {
        tracing::warn!(
            subscription.id = id,
            "the subscription is no longer at Close"
        );
    }
    Ok(())
}

/// What Close says of a subscription, for whoever reads its instance: its status, `missing` where it is gone, `unknown`
/// where Close does not say.
pub async fn describe(app: &App, account: Account<'_>, id: &str) -> Value {
    match app.close.webhook(account, id).await {
        Ok(Some(found)) => {
            json!({"id": id, "status": found.status, "pauseReason": found.pause_reason})
        }
        Ok(None) => json!({"id": id, "status": "missing"}),
        Err(error) => json!({"id": id, "status": "unknown", "reason": error.to_string()}),
    }
}

/// Whether we can do nothing at this account, now or later.
fn is_shut_out(error: &CloseError) -> bool {
    matches!(
        error,
        CloseError::Unauthorized { .. } | CloseError::HostNotAllowed
    )
}

/// What Close refuses the owner must change; what it cannot do now may work later.
fn to_handler_error(error: CloseError) -> HandlerError {
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
    use shared::settings::{Policy, Settings};

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
        Settings::parse(&configuration, &Policy::default()).unwrap()
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
