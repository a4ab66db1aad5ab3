//! `PUT /instances/{id}/enabled` and `DELETE /instances/{id}/enabled`

use serde_json::Value;
use shared::instance::Instance;
use shared::instance::settings::Settings;
use shared::instance::stream::ReconciledFrom;
use shared::polling::field_error::FieldError;
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

/// The parameter that says from when on an enabled instance is reconciled, and the value that it may have.
const FROM: &str = "from";
const NOW: &str = "now";

/// The change that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Enable {
        /// Whether what happened meanwhile is left out.
        is_from_now: bool,
    },
    Disable,
}

/// Lets an instance take webhooks and be polled again, and Close deliver to it. The next reconciliation publishes what happened
/// while the instance was disabled, unless the query is `from=now`.
///
/// # Errors
/// 400, 401, 404, 409 or 503.
pub async fn enable(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
    id: &str,
) -> Result<Value, HandlerError> {
    let is_from_now = match call.query.first(FROM) {
        None => false,
        Some(NOW) => true,
        Some(_) => {
            let error = FieldError::new(FROM, "expected `now`, or no `from`");
            return Err(HandlerError::Invalid(vec![error]));
        }
    };
    set(app, call, credentials, id, Change::Enable { is_from_now }).await
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
    set(app, call, credentials, id, Change::Disable).await
}

async fn set(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
    id: &str,
    change: Change,
) -> Result<Value, HandlerError> {
    let (instance, settings) = store_enabled(app, call, credentials, id, change).await?;
    let mut answer = view::to_json(&instance, &settings, &call.public_url);
    if view::has_subscription(&instance, &settings) {
        let url = instance.id.webhook_url(&call.public_url);
        let settled = settle(&Reach::of(app, call), instance.id, &url).await;
        let settled = settled.map_err(|error| unsettled(instance.id, error))?;
        let mut warnings = Warnings::default();
        warn_of_staying(&settled.staying, &mut warnings);
        view::set_webhook(&mut answer, settled.subscription.as_ref());
        view::set_warnings(&mut answer, warnings);
    }
    tracing::info!(instance.id = %instance.id, ?change, "enabled or disabled");
    Ok(answer)
}

async fn store_enabled(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
    id: &str,
    change: Change,
) -> Result<(Instance, Settings), HandlerError> {
    let reach = &Reach::of(app, call);
    let mut conflicts = Conflicts::default();
    loop {
        let old = find_ready(app, credentials, id).await?;
        let settings = Settings::stored(&old.configuration).map_err(HandlerError::Configuration)?;
        let mut new = Instance {
            disabled: change == Change::Disable,
            ..old.renewed()
        };
        if let Change::Enable { is_from_now } = change {
            let now = call.clock.now();
            if is_from_now {
                new.reconciled_from = ReconciledFrom::now(now);
            }
            new.reconciled_from.enabled = Some(now);
        }
        let stored = match store(reach, &new, &settings, None).await {
            Err(error) if !error.is_conflict() && view::has_subscription(&new, &settings) => {
                let url = new.id.webhook_url(&call.public_url);
                Err(settle_after(reach, new.id, &url, error.into()).await)
            }
            stored => stored.map_err(HandlerError::from),
        };
        if resolve(&mut conflicts, stored)?.is_some() {
            return Ok((new, settings));
        }
    }
}
