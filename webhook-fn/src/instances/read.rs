//! `GET /instances/{id}`

use serde_json::Value;
use shared::instance_id::InstanceId;
use shared::settings::{Policy, Settings};

use super::view;
use crate::app::{App, Call};
use crate::authorization::Credentials;
use crate::error::HandlerError;

/// Shows an instance, its secrets masked.
///
/// # Errors
/// 400, 401, 404 or 503.
pub async fn read(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
    id: &str,
) -> Result<Value, HandlerError> {
    let id: InstanceId = id.parse()?;
    let instance = app.instances.get(id).await?;
    credentials.require_account_or_token(&app.config, instance.as_ref())?;
    let instance = instance.ok_or(HandlerError::UnknownInstance(id))?;
    let settings = Settings::parse(&instance.configuration, &Policy::of_stored())
        .map_err(HandlerError::Configuration)?;
    Ok(view::to_json(&instance, &settings, &call.public_url))
}
