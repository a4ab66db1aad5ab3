//! `PUT /instances/{id}/enabled` and `DELETE /instances/{id}/enabled`

use serde_json::Value;
use shared::instance::Instance;
use shared::settings::Settings;
use shared::table::TableError;
use shared::warnings::Warnings;

use super::change::MAX_TRIES;
use super::find::find_ready;
use super::settle::{settle, settle_after};
use super::subscribe::unsettled;
use super::view;
use crate::app::App;
use crate::http::authorization::Credentials;
use crate::http::call::Call;
use crate::http::error::HandlerError;

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
    for _ in 0..MAX_TRIES {
        let old = find_ready(app, credentials, id).await?;
        let settings = Settings::stored(&old.configuration).map_err(HandlerError::Configuration)?;
        let new = Instance {
            disabled,
            ..old.renewed()
        };
        let is_polled = settings.poller.is_some() && !disabled;
        let stored = app
            .instances
            .replace(&new, is_polled, call.clock.now())
            .await;
        app.cache.remove(new.id);
        match stored {
            Err(TableError::Conflict) => continue,
            Err(error) if view::has_subscription(&new, &settings) => {
                return Err(settle_after(app, call, new.id, error.into()).await);
            }
            stored => stored?,
        }
        let mut answer = view::to_json(&new, &settings, &call.public_url);
        if view::has_subscription(&new, &settings) {
            let settled = settle(app, call, new.id).await;
            let settled = settled.map_err(|error| unsettled(new.id, error))?;
            let mut warnings = Warnings::default();
            settled.staying.warn(&mut warnings);
            view::set_webhook(&mut answer, settled.webhook);
            view::set_warnings(&mut answer, warnings);
        }
        tracing::info!(instance.id = %new.id, disabled, "enabled or disabled");
        return Ok(answer);
    }
    Err(HandlerError::Contended)
}
