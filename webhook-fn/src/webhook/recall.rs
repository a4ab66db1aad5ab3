//! The instance that a webhook came for, remembered or read.

use std::sync::Arc;
use std::time::Duration;

use shared::instance::Phase;
use shared::instance::id::InstanceId;
use shared::instance::settings::Settings;

use crate::app::App;
use crate::http::error::HandlerError;
use crate::instance_cache::{Known, Remembered};

/// The instance as it is remembered, else as it is stored.
///
/// # Errors
/// As [`read`].
pub async fn recall(app: &App, id: InstanceId) -> Result<Remembered, HandlerError> {
    match app.cache.get(id) {
        Some(remembered) => Ok(remembered),
        None => Ok(Remembered {
            known: read(app, id).await?,
            age: Duration::ZERO,
        }),
    }
}

/// The instance as it is stored, if it takes webhooks.
///
/// # Errors
/// 404 where there is none, 403 where it is disabled, 503 where it is not ready or cannot be read.
pub async fn read(app: &App, id: InstanceId) -> Result<Arc<Known>, HandlerError> {
    let instance = app.instances.get(id).await?;
    // Whatever was found, what was remembered is old: an instance that takes nothing any more is not to be taken for it.
    app.cache.remove(id);
    let instance = instance.ok_or(HandlerError::UnknownInstance(id))?;
    match instance.phase {
        Phase::Provisioning => return Err(HandlerError::Provisioning(id)),
        Phase::Removing => return Err(HandlerError::UnknownInstance(id)),
        Phase::Ready if instance.disabled => return Err(HandlerError::Disabled(id)),
        Phase::Ready => {}
    }
    let settings =
        Settings::stored(&instance.configuration).map_err(HandlerError::Configuration)?;
    let known = Arc::new(Known { instance, settings });
    app.cache.insert(Arc::clone(&known));
    Ok(known)
}
