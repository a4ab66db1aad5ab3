//! What a change of an instance does: at Close what Close may refuse, then in the table.

use secrecy::ExposeSecret;
use shared::close::client::Account;
use shared::close::webhook::{CreatedSubscription, SubscribedEvent};
use shared::instance::settings::{Settings, field};
use shared::instance::signature_keys::rotate;
use shared::instance::{FormerSubscription, Instance};
use shared::polling::field_error::FieldError;
use shared::polling::warnings::Warnings;
use shared::subscription::error::{SubscriptionError, is_locked};
use shared::subscription::{at_close, creation, offer};
use url::Url;

use super::request::CheckedRequest;
use crate::app::App;
use crate::http::call::Call;
use crate::http::error::HandlerError;
use crate::subscription::plan::{self, Step};
use crate::subscription::reach::Reach;

/// A change that was stored.
#[derive(Debug)]
pub struct Changed {
    /// As it is stored.
    pub instance: Instance,
    /// What its configuration means.
    pub settings: Settings,
    /// What of the request has no effect.
    pub warnings: Warnings,
}

/// Has Close take what the change means for the subscription, then stores the instance. Sets `concerns_close` where the
/// subscription is to change.
///
/// # Errors
/// A conflict where the instance was changed since it was read; 400 where Close refuses the key or the subscription, or the
/// request has another signature key than the subscription; 503.
pub async fn apply(
    app: &App,
    call: &Call<'_>,
    old: &Instance,
    request: CheckedRequest,
    concerns_close: &mut bool,
) -> Result<Changed, HandlerError> {
    let old_settings = Settings::stored(&old.configuration).map_err(HandlerError::Configuration)?;
    let CheckedRequest {
        name,
        tags,
        configuration,
        settings,
        warnings,
    } = request;
    let mut new = Instance {
        name,
        tags,
        configuration,
        ..old.clone().renewed()
    };
    if callback_url(&settings) != callback_url(&old_settings) {
        new.callback_since = old.version + 1;
    }
    let now = call.clock.now();
    new.reconciled_from = new
        .reconciled_from
        .after_change(&old_settings, &settings, now);
    refuse_another_key(&new, &old_settings, &settings)?;
    let step = plan::step(&old_settings, old.subscription_id.is_some(), &settings);
    *concerns_close |= step != Step::Keep;
    let created = prepare(app, call, &step, old, &old_settings, &settings).await?;
    let is_former = match &created {
        Some(created) => {
            creation::adopt(&mut new, created);
            // With the same key the old subscription is gone at Close, or locked: that key could not remove it later either.
            !old_settings.account().is(settings.account())
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
    creation::store(&Reach::of(app, call), &new, &settings, created.as_ref()).await?;
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
    let account = settings.account();
    let own = old.subscription_id.as_deref();
    if let Some(id) = own
        // Another key may be one of the same organization's.
        && cover(app, account, id, events).await?
    {
        return Ok(None);
    }
    let reach = &Reach::of(app, call);
    let url = old.id.webhook_url(&call.public_url);
    let before = at_close::ids_at(reach, account, &url).await?;
    let old_account = old_settings.account();
    let former = (!account.is(old_account)).then_some(old_account);
    let created = creation::create(reach, account, old.id, &url, events, &before, former).await;
    Ok(created?)
}

/// Changes which events a subscription covers, of those that Close takes. Returns whether the account may and Close has it.
async fn cover(
    app: &App,
    account: Account<'_>,
    id: &str,
    events: &[SubscribedEvent],
) -> Result<bool, SubscriptionError> {
    let covered = offer::ask(events, |events| async move {
        app.close.set_webhook_events(account, id, &events).await
    });
    match covered.await {
        Err(error) if is_locked(&error) => Ok(false),
        covered => Ok(covered?.is_some()),
    }
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

/// A subscription that stays has its key, also where a whole new configuration does not repeat it.
fn keep_key(new: &mut Instance, old_settings: &Settings) {
    if new.subscription_id.is_some()
        && let Some(key) = &old_settings.signature_key
    {
        new.configuration
            .set_default(field::SIGNATURE_KEY, key.expose_secret());
    }
}
