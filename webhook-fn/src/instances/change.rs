//! `PUT /instances/{id}` and `PATCH /instances/{id}`

use secrecy::ExposeSecret;
use serde_json::Value;
use shared::close::webhook::{CreatedSubscription, Status, SubscribedEvent};
use shared::instance::Instance;
use shared::settings::{FieldError, Policy, Settings, field};
use shared::table::TableError;

use super::find::find_by_account;
use super::request::{self, Provision};
use super::settle::settle;
use super::signature_keys::rotate;
use super::view;
use crate::app::{App, Call};
use crate::authorization::Credentials;
use crate::error::HandlerError;
use crate::subscription::{self, Step, account};

/// Whoever is overtaken so often by other changes is told to come back.
pub(super) const MAX_TRIES: usize = 5;

/// Replaces an instance by the one in the body.
///
/// # Errors
/// 400 with all that is missing or wrong; 401, 404, 409, 413, 503.
pub async fn replace(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
    id: &str,
) -> Result<Value, HandlerError> {
    let policy = &app.config.policy;
    change(app, call, credentials, id, |old| {
        request::parse(call.body, policy, Some(old))
    })
    .await
}

/// Changes the parts of an instance that the body names.
///
/// # Errors
/// As [`replace`].
pub async fn patch(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
    id: &str,
) -> Result<Value, HandlerError> {
    let policy = &app.config.policy;
    change(app, call, credentials, id, |old| {
        request::parse_patch(call.body, policy, old)
    })
    .await
}

async fn change(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
    id: &str,
    read: impl Fn(&Instance) -> Result<Provision, HandlerError>,
) -> Result<Value, HandlerError> {
    let mut is_settled = true;
    let result = try_change(app, call, credentials, id, read, &mut is_settled).await;
    if result.is_err() && !is_settled {
        undo(app, id).await;
    }
    result
}

async fn try_change(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
    id: &str,
    read: impl Fn(&Instance) -> Result<Provision, HandlerError>,
    is_settled: &mut bool,
) -> Result<Value, HandlerError> {
    for _ in 0..MAX_TRIES {
        let old = find_by_account(app, credentials, id).await?;
        let provision = read(&old)?;
        match apply(app, call, &old, provision, is_settled).await {
            // Somebody else was faster: what the request says is to be said of what is there now.
            Err(HandlerError::Table(TableError::Conflict)) => {}
            result => return result,
        }
    }
    Err(HandlerError::Contended)
}

/// Makes the subscription at Close fit, then stores the instance; if that fails, nothing of Close's was made in vain.
/// `is_settled` says whether Close has what is stored; a request that is tried again may have changed it.
async fn apply(
    app: &App,
    call: &Call<'_>,
    old: &Instance,
    provision: Provision,
    is_settled: &mut bool,
) -> Result<Value, HandlerError> {
    let old_settings = Settings::parse(&old.configuration, &Policy::of_stored())
        .map_err(HandlerError::Configuration)?;
    let Provision {
        name,
        tags,
        configuration,
        settings,
    } = provision;
    let mut new = Instance {
        name,
        tags,
        configuration,
        // As `replace` stores it.
        health: old.health.renewed(),
        ..old.clone()
    };
    refuse_another_key(&new, &old_settings, &settings)?;
    let step = step(old, &old_settings, &settings, *is_settled);
    *is_settled &= step == Step::Keep;
    let created = follow(app, call, step, &old_settings, &mut new, &settings).await?;
    new.previous_keys = rotate(old, &new.configuration, call.clock.now());

    let is_polled = settings.poller.is_some() && !new.disabled;
    let stored = app
        .instances
        .replace(&new, is_polled, call.clock.now())
        .await;
    app.cache.remove(old.id);
    // Of two subscriptions the one that no stored instance knows must go.
    let superfluous = match (&stored, &created) {
        (Err(_), Some(created)) => Some((&settings, created.id.as_str())),
        (Ok(()), Some(_)) => old.subscription_id.as_deref().map(|id| (&old_settings, id)),
        (_, None) => None,
    };
    if let Some((settings, id)) = superfluous {
        subscription::remove(app, account(settings), id).await?;
    }
    stored?;
    tracing::info!(instance.id = %new.id, "changed");
    Ok(view::to_json(&new, &settings, &call.public_url))
}

/// Close signs a subscription that it made for us with a key of its own. With another, every delivery would be refused once
/// the overlap of the two is over.
fn refuse_another_key(
    new: &Instance,
    old_settings: &Settings,
    settings: &Settings,
) -> Result<(), HandlerError> {
    let given = new.configuration.get(field::SIGNATURE_KEY);
    let own = old_settings
        .signature_key
        .as_ref()
        .map(ExposeSecret::expose_secret);
    let is_ours = new.subscription_id.is_some() && settings.subscription.is_some();
    if !is_ours || given.is_none() || given == own {
        return Ok(());
    }
    let name = format!("configuration.{}", field::SIGNATURE_KEY);
    let message = "Close signs this instance's own subscription with the key that is stored; set event.webhook.subscribe to false to use another";
    Err(HandlerError::Invalid(vec![FieldError::new(&name, message)]))
}

/// What to do at Close. Where that may not have what is stored, it is told again.
fn step<'a>(
    old: &Instance,
    old_settings: &Settings,
    settings: &'a Settings,
    is_settled: bool,
) -> Step<'a> {
    let has_subscription = old.subscription_id.is_some();
    match (
        subscription::plan(old_settings, has_subscription, settings),
        &settings.subscription,
    ) {
        (Step::Keep, Some(events)) if !is_settled => Step::Cover(events),
        (step, _) => step,
    }
}

/// Does at Close what the change means for the subscription. Returns a new one, if one was made.
async fn follow(
    app: &App,
    call: &Call<'_>,
    step: Step<'_>,
    old_settings: &Settings,
    new: &mut Instance,
    settings: &Settings,
) -> Result<Option<CreatedSubscription>, HandlerError> {
    let events = match (step, new.subscription_id.as_deref()) {
        (Step::Create(events) | Step::Cover(events), Some(id)) => {
            // Another key may be one of the same organization's.
            if subscription::cover(app, account(settings), id, events).await? {
                keep_key(new, old_settings);
                return Ok(None);
            }
            events
        }
        (Step::Create(events), None) => events,
        (Step::Remove, Some(id)) => {
            subscription::remove(app, account(old_settings), id).await?;
            new.subscription_id = None;
            return Ok(None);
        }
        (Step::Keep, Some(_)) => {
            keep_key(new, old_settings);
            return Ok(None);
        }
        (_, None) => return Ok(None),
    };
    let created = subscription::create(
        app,
        account(settings),
        &view::webhook_url(new, &call.public_url),
        events,
    )
    .await?;
    new.configuration
        .set(field::SIGNATURE_KEY, created.signature_key.expose_secret());
    new.subscription_id = Some(created.id.clone());
    if new.disabled {
        quiet(app, settings, &created.id, events).await?;
    }
    Ok(Some(created))
}

/// Pauses the new subscription of a disabled instance, or removes it.
async fn quiet(
    app: &App,
    settings: &Settings,
    id: &str,
    events: &[SubscribedEvent],
) -> Result<(), HandlerError> {
    let paused = subscription::set(app, account(settings), id, events, Status::Paused).await;
    if paused.is_err() {
        subscription::remove(app, account(settings), id).await?;
    }
    paused
}

/// Tells Close again what is stored, after a change of it that was not stored.
async fn undo(app: &App, id: &str) {
    let settled = match id.parse() {
        Ok(id) => settle(app, id).await,
        Err(_) => Ok(()),
    };
    if let Err(error) = settled {
        let cause = error.cause();
        tracing::error!(instance.id = id, %error, cause, "the subscription at Close may differ from the instance's");
    }
}

/// A subscription that stays has its key, also where a whole new configuration does not repeat it.
fn keep_key(new: &mut Instance, old_settings: &Settings) {
    if let Some(key) = &old_settings.signature_key {
        new.configuration
            .set_default(field::SIGNATURE_KEY, key.expose_secret());
    }
}
