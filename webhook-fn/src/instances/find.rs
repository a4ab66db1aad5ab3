//! The instance that a path names, for whoever may see it.

use shared::instance::{Instance, Phase};
use shared::instance_id::InstanceId;

use crate::app::App;
use crate::authorization::Credentials;
use crate::error::HandlerError;

/// The instance `id`, unless it is being removed.
///
/// # Errors
/// 400 where the id is none, 401, 404, 503.
pub async fn find(
    app: &App,
    credentials: &Credentials,
    id: &str,
) -> Result<Instance, HandlerError> {
    let instance = find_any(app, credentials, id).await?;
    match instance.phase {
        Phase::Removing => Err(HandlerError::UnknownInstance(instance.id)),
        Phase::Provisioning | Phase::Ready => Ok(instance),
    }
}

/// The instance `id`, if it is to be changed: neither being set up nor being removed.
///
/// # Errors
/// As [`find`]; 503 while it is being set up.
pub async fn find_ready(
    app: &App,
    credentials: &Credentials,
    id: &str,
) -> Result<Instance, HandlerError> {
    let instance = find(app, credentials, id).await?;
    match instance.phase {
        Phase::Provisioning => Err(HandlerError::Provisioning(instance.id)),
        Phase::Removing | Phase::Ready => Ok(instance),
    }
}

/// The instance `id`, also while it is being removed.
///
/// # Errors
/// As [`find`].
pub async fn find_any(
    app: &App,
    credentials: &Credentials,
    id: &str,
) -> Result<Instance, HandlerError> {
    let id: InstanceId = id.parse()?;
    let instance = app.instances.get(id).await?;
    credentials.require_account_or_token(&app.config, instance.as_ref())?;
    instance.ok_or(HandlerError::UnknownInstance(id))
}
