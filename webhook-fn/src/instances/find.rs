//! The instance that a path names, for whoever may see it.

use shared::instance::{Instance, Phase};

use crate::app::App;
use crate::http::authorization::Credentials;
use crate::http::error::HandlerError;

/// The instance `id`, unless it is being removed, for the account or the instance's own token.
///
/// # Errors
/// 400 where the id is none, 401, 404, 503.
pub async fn find(
    app: &App,
    credentials: &Credentials,
    id: &str,
) -> Result<Instance, HandlerError> {
    let id = id.parse()?;
    let instance = app.instances.get(id).await?;
    credentials.require_account_or_token(&app.config, instance.as_ref())?;
    refuse_removed(instance.ok_or(HandlerError::UnknownInstance(id))?)
}

/// The instance `id`, if it is neither being set up nor being removed, for the account or the instance's own token.
///
/// # Errors
/// As [`find`]; 409 while it is being set up.
pub async fn find_ready(
    app: &App,
    credentials: &Credentials,
    id: &str,
) -> Result<Instance, HandlerError> {
    refuse_unready(find(app, credentials, id).await?)
}

/// The instance `id`, unless it is being removed, for the account alone: to decide what is read and where it goes.
///
/// # Errors
/// As [`find`].
pub async fn find_by_account(
    app: &App,
    credentials: &Credentials,
    id: &str,
) -> Result<Instance, HandlerError> {
    refuse_removed(find_any_by_account(app, credentials, id).await?)
}

/// As [`find_ready`], for the account alone.
///
/// # Errors
/// As [`find_ready`].
pub async fn find_ready_by_account(
    app: &App,
    credentials: &Credentials,
    id: &str,
) -> Result<Instance, HandlerError> {
    refuse_unready(find_by_account(app, credentials, id).await?)
}

/// The instance `id`, also while it is being removed, for the account alone.
///
/// # Errors
/// As [`find`].
pub async fn find_any_by_account(
    app: &App,
    credentials: &Credentials,
    id: &str,
) -> Result<Instance, HandlerError> {
    let id = id.parse()?;
    credentials.require_account(&app.config)?;
    let instance = app.instances.get(id).await?;
    credentials.require_right_token(instance.as_ref())?;
    instance.ok_or(HandlerError::UnknownInstance(id))
}

fn refuse_removed(instance: Instance) -> Result<Instance, HandlerError> {
    match instance.phase {
        Phase::Removing => Err(HandlerError::UnknownInstance(instance.id)),
        Phase::Provisioning | Phase::Ready => Ok(instance),
    }
}

fn refuse_unready(instance: Instance) -> Result<Instance, HandlerError> {
    match instance.phase {
        Phase::Provisioning => Err(HandlerError::NotSetUp(instance.id)),
        Phase::Removing | Phase::Ready => Ok(instance),
    }
}
