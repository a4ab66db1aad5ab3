//! `PUT /instances/{id}/enabled` and `DELETE /instances/{id}/enabled`

use serde_json::Value;
use shared::instance::Instance;
use shared::instance::settings::Settings;
use shared::polling::warnings::Warnings;
use shared::store::conflicts::Conflicts;
use shared::subscription::creation::store;
use shared::subscription::settle::settle;

use super::find::find_ready;
use super::unsettled::{settle_after, unsettled};
use super::view;
use super::warnings::warn_of_staying;
use crate::app::App;
use crate::conflicts::resolve;
use crate::http::authorization::Credentials;
use crate::http::call::Call;
use crate::http::error::HandlerError;
use crate::subscription::reach::Reach;

/// Lets an instance take webhooks and be polled again, and Close deliver to it.
///
/// # Errors
/// 400, 401, 404, 409 or 503.
pub async fn enable(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
    id: &str,
) -> Result<Value, HandlerError> {
    set(app, call, credentials, id, false).await
}

/// Makes an instance take no webhooks and be polled no more, and pauses its subscription: Close drops what waits there.
///
/// # Errors
/// As [`enable`].
pub async fn disable(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
    id: &str,
) -> Result<Value, HandlerError> {
    set(app, call, credentials, id, true).await
}

async fn set(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
    id: &str,
    disabled: bool,
) -> Result<Value, HandlerError> {
    let (instance, settings) = store_enabled(app, call, credentials, id, disabled).await?;
    let mut answer = view::to_json(&instance, &settings, &call.public_url);
    if view::has_subscription(&instance, &settings) {
        let url = view::webhook_url(instance.id, &call.public_url);
        let settled = settle(&Reach::of(app, call), instance.id, &url).await;
        let settled = settled.map_err(|error| unsettled(instance.id, error))?;
        let mut warnings = Warnings::default();
        warn_of_staying(&settled.staying, &mut warnings);
        view::set_webhook(&mut answer, settled.subscription.as_ref());
        view::set_warnings(&mut answer, warnings);
    }
    tracing::info!(instance.id = %instance.id, disabled, "enabled or disabled");
    Ok(answer)
}

async fn store_enabled(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
    id: &str,
    disabled: bool,
) -> Result<(Instance, Settings), HandlerError> {
    let reach = &Reach::of(app, call);
    let mut conflicts = Conflicts::default();
    loop {
        let old = find_ready(app, credentials, id).await?;
        let settings = Settings::stored(&old.configuration).map_err(HandlerError::Configuration)?;
        let new = Instance {
            disabled,
            ..old.renewed()
        };
        let stored = match store(reach, &new, &settings, None).await {
            Err(error) if !error.is_conflict() && view::has_subscription(&new, &settings) => {
                let url = view::webhook_url(new.id, &call.public_url);
                Err(settle_after(reach, new.id, &url, error.into()).await)
            }
            stored => stored.map_err(HandlerError::from),
        };
        if resolve(&mut conflicts, stored)?.is_some() {
            return Ok((new, settings));
        }
    }
}
