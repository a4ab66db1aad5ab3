//! `PUT /instances/{id}` and `PATCH /instances/{id}`

use secrecy::ExposeSecret;
use serde_json::Value;
use shared::close::webhook::CreatedSubscription;
use shared::instance::{FormerSubscription, Instance};
use shared::settings::{FieldError, Settings, field};
use shared::warnings::Warnings;
use url::Url;

use super::find::find_ready_by_account;
use super::request::{self, CheckedRequest};
use super::settle::{Settled, settle, settle_after};
use super::signature_keys::rotate;
use super::subscribe::{self, unsettled};
use super::view;
use crate::app::App;
use crate::conflicts::Conflicts;
use crate::http::authorization::Credentials;
use crate::http::call::Call;
use crate::http::error::HandlerError;
use crate::subscription::plan::{self, Step, account, is_same_account};
use crate::subscription::{at_close, describe};

/// A change that was stored.
struct Changed {
    instance: Instance,
    settings: Settings,
    warnings: Warnings,
}

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
    read: impl Fn(&Instance) -> Result<CheckedRequest, HandlerError>,
) -> Result<Value, HandlerError> {
    // Whether the subscription is to change.
    let mut concerns_close = false;
    let changed = try_change(app, call, credentials, id, read, &mut concerns_close).await;
    let changed = match changed {
        Err(error) if concerns_close => return Err(undo(app, call, id, error).await),
        changed => changed?,
    };
    let Changed {
        instance,
        settings,
        mut warnings,
    } = changed;
    let mut answer = view::to_json(&instance, &settings, &call.public_url);
    if view::has_subscription(&instance, &settings) {
        let settled = follow(app, call, &instance, concerns_close).await?;
        settled.staying.warn(&mut warnings);
        view::set_webhook(&mut answer, settled.webhook);
    }
    view::set_warnings(&mut answer, warnings);
    tracing::info!(instance.id = id, "changed");
    Ok(answer)
}

async fn try_change(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
    id: &str,
    read: impl Fn(&Instance) -> Result<CheckedRequest, HandlerError>,
    concerns_close: &mut bool,
) -> Result<Changed, HandlerError> {
    let mut conflicts = Conflicts::default();
    loop {
        let old = find_ready_by_account(app, credentials, id).await?;
        let provision = read(&old)?;
        let changed = apply(app, call, &old, provision, concerns_close).await;
        if let Some(changed) = conflicts.resolve(changed)? {
            return Ok(changed);
        }
    }
}

/// Has Close take what the change means for the subscription, then stores the instance.
async fn apply(
    app: &App,
    call: &Call<'_>,
    old: &Instance,
    provision: CheckedRequest,
    concerns_close: &mut bool,
) -> Result<Changed, HandlerError> {
    let old_settings = Settings::stored(&old.configuration).map_err(HandlerError::Configuration)?;
    let CheckedRequest {
        name,
        tags,
        configuration,
        settings,
        warnings,
    } = provision;
    let mut new = Instance {
        name,
        tags,
        configuration,
        ..old.clone().renewed()
    };
    if callback_url(&settings) != callback_url(&old_settings) {
        new.callback_since = old.version + 1;
    }
    refuse_another_key(&new, &old_settings, &settings)?;
    let step = plan::step(&old_settings, old.subscription_id.is_some(), &settings);
    *concerns_close |= step != Step::Keep;
    let created = prepare(app, call, &step, old, &old_settings, &settings).await?;
    let is_former = match &created {
        Some(created) => {
            subscribe::adopt(&mut new, created);
            // With the same key the old subscription is gone at Close, or locked: that key could not remove it later either.
            !is_same_account(&old_settings, &settings)
        }
        None if step == Step::Remove => {
            new.subscription_id = None;
            true
        }
        None => {
            keep_key(&mut new, &old_settings);
            false
        }
    };
    if is_former {
        new.former_subscriptions.extend(former(old, &old_settings));
    }
    rotate(old, &mut new, call.clock.now());
    subscribe::store(app, call, &new, &settings, created.as_ref()).await?;
    Ok(Changed {
        instance: new,
        settings,
        warnings,
    })
}

fn callback_url(settings: &Settings) -> Option<&Url> {
    settings.callback.as_ref().map(|callback| &callback.url)
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

/// Does at Close, before the change is stored, what Close may refuse. Returns a new subscription, if one was made.
async fn prepare(
    app: &App,
    call: &Call<'_>,
    step: &Step<'_>,
    old: &Instance,
    old_settings: &Settings,
    settings: &Settings,
) -> Result<Option<CreatedSubscription>, HandlerError> {
    let (Step::Create(events) | Step::Cover(events)) = step else {
        return Ok(None);
    };
    let account = account(settings);
    let own = old.subscription_id.as_deref();
    if let Some(id) = own
        // Another key may be one of the same organization's.
        && at_close::cover(app, account, id, events).await?
    {
        return Ok(None);
    }
    let url = view::webhook_url(old, &call.public_url);
    let before = at_close::ids_at(app, account, &url).await?;
    let former = (!is_same_account(old_settings, settings)).then(|| plan::account(old_settings));
    subscribe::create(app, account, old.id, &url, events, &before, former).await
}

/// The subscription that is to go once the change is stored. Until then the instance names it, with the key that can remove it.
fn former(old: &Instance, old_settings: &Settings) -> Option<FormerSubscription> {
    let id = old.subscription_id.clone()?;
    Some(FormerSubscription {
        id,
        base_url: old_settings.base_url.clone(),
        api_key: old_settings.api_key.expose_secret().to_owned(),
    })
}

/// Tells Close what is stored, after a change of which nobody knows whether it is.
async fn undo(app: &App, call: &Call<'_>, id: &str, error: HandlerError) -> HandlerError {
    match id.parse() {
        Ok(id) => settle_after(app, call, id, error).await,
        Err(_) => error,
    }
}

/// Brings Close to what is stored now. A change that does not concern it is done all the same; its answer says what is wrong.
async fn follow(
    app: &App,
    call: &Call<'_>,
    instance: &Instance,
    concerns_close: bool,
) -> Result<Settled, HandlerError> {
    match settle(app, call, instance.id).await {
        Err(error) if !concerns_close => {
            let reason = error.cause().unwrap_or_else(|| error.to_string());
            tracing::warn!(instance.id = %instance.id, reason, "the subscription at Close may differ from the instance's");
            let id = instance.subscription_id.as_deref();
            Ok(Settled {
                webhook: Some(describe::unknown(id, &reason)),
                ..Settled::default()
            })
        }
        settled => settled.map_err(|error| unsettled(instance.id, error)),
    }
}

/// A subscription that stays has its key, also where a whole new configuration does not repeat it.
fn keep_key(new: &mut Instance, old_settings: &Settings) {
    if new.subscription_id.is_some()
        && let Some(key) = &old_settings.signature_key
    {
        new.configuration
            .set_default(field::SIGNATURE_KEY, key.expose_secret());
    }
}
