//! `DELETE /instances/{id}`

use serde_json::{Value, json};
use shared::instance::settings::Settings;
use shared::instance::{Instance, Phase};
use shared::polling::warnings::Warnings;
use shared::store::conflicts::Conflicts;
use shared::subscription::removal::{self, Staying};

use super::find::find_any_by_account;
use super::view;
use super::warnings::warn_of_staying;
use crate::app::App;
use crate::conflicts::resolve;
use crate::http::authorization::Credentials;
use crate::http::call::Call;
use crate::http::error::HandlerError;
use crate::subscription::reach::Reach;

/// Removes an instance with its subscription and all that polling knows of it. If it breaks off on the way, the same
/// request ends it.
///
/// # Errors
/// 400, 401, 404, 409 or 503.
pub async fn delete(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
    id: &str,
) -> Result<Value, HandlerError> {
    // First nothing must come in any more, not even from a poll that runs.
    let instance = retire(app, call, credentials, id).await?;
    let staying = remove_subscriptions(app, call, &instance).await?;
    app.watermarks.delete_all(instance.id).await?;
    app.instances.delete(instance.id).await?;
    tracing::info!(instance.id = %instance.id, "removed");
    let (mut answer, mut warnings) = (json!({}), Warnings::default());
    warn_of_staying(&staying, &mut warnings);
    view::set_warnings(&mut answer, warnings);
    Ok(answer)
}

async fn retire(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
    id: &str,
) -> Result<Instance, HandlerError> {
    let mut conflicts = Conflicts::default();
    loop {
        let old = find_any_by_account(app, credentials, id).await?;
        let retired = Instance {
            phase: Phase::Removing,
            disabled: true,
            ..old
        };
        let stored = app
            .instances
            .replace(&retired, false, call.clock.now())
            .await;
        app.cache.remove(retired.id);
        if resolve(&mut conflicts, stored)?.is_some() {
            return Ok(retired);
        }
    }
}

/// Removes the subscription and those it followed. What broke off may have left more, which their URL tells. Returns what stays.
async fn remove_subscriptions(
    app: &App,
    call: &Call<'_>,
    instance: &Instance,
) -> Result<Staying, HandlerError> {
    let reach = &Reach::of(app, call);
    let url = instance.id.webhook_url(&call.public_url);
    let mut staying = Staying::default();
    for former in &instance.former_subscriptions {
        removal::remove_former(reach, former, &url, None, &mut staying).await?;
    }
    let Ok(settings) = Settings::stored(&instance.configuration) else {
        return Ok(staying);
    };
    let id = instance.subscription_id.as_deref();
    if id.is_some() || settings.subscription.is_some() {
        removal::remove_all(reach, settings.account(), id, &url, None, &mut staying).await?;
    }
    Ok(staying)
}
