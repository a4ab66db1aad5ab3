//! `PUT /instances/{id}` and `PATCH /instances/{id}`

use serde_json::Value;
use shared::instance::Instance;
use shared::instance::id::InstanceId;
use shared::store::conflicts::Conflicts;
use shared::subscription::settle::{Settled, settle};
use shared::subscription::state::SubscriptionState;

use super::apply::{Changed, apply};
use super::find::find_ready_by_account;
use super::request::{self, CheckedRequest};
use super::unsettled::{settle_after, unsettled};
use super::view;
use super::warnings::warn_of_staying;
use crate::app::App;
use crate::conflicts::resolve;
use crate::http::authorization::Credentials;
use crate::http::call::Call;
use crate::http::error::HandlerError;
use crate::subscription::reach::Reach;

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
        warn_of_staying(&settled.staying, &mut warnings);
        view::set_webhook(&mut answer, settled.subscription.as_ref());
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
        let request = read(&old)?;
        let changed = apply(app, call, &old, request, concerns_close).await;
        if let Some(changed) = resolve(&mut conflicts, changed)? {
            return Ok(changed);
        }
    }
}

/// Tells Close what is stored, after a change of which nobody knows whether it is.
async fn undo(app: &App, call: &Call<'_>, id: &str, error: HandlerError) -> HandlerError {
    let Ok(id) = id.parse::<InstanceId>() else {
        return error;
    };
    let url = id.webhook_url(&call.public_url);
    settle_after(&Reach::of(app, call), id, &url, error).await
}

/// Brings Close to what is stored now. A change that does not concern it is done all the same; its answer says what is wrong.
async fn follow(
    app: &App,
    call: &Call<'_>,
    instance: &Instance,
    concerns_close: bool,
) -> Result<Settled, HandlerError> {
    let url = instance.id.webhook_url(&call.public_url);
    match settle(&Reach::of(app, call), instance.id, &url).await {
        Err(error) if !concerns_close => {
            let error = HandlerError::from(error);
            let reason = error.cause().unwrap_or_else(|| error.to_string());
            tracing::warn!(instance.id = %instance.id, reason, "the subscription at Close may differ from the instance's");
            let id = instance.subscription_id.clone();
            Ok(Settled {
                subscription: Some(SubscriptionState::Unknown { id, reason }),
                ..Settled::default()
            })
        }
        settled => settled.map_err(|error| unsettled(instance.id, error)),
    }
}
