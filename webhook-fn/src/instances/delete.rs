//! `DELETE /instances/{id}`

use serde_json::{Value, json};
use shared::instance_id::InstanceId;
use shared::table::TableError;

use crate::app::App;
use crate::authorization::Credentials;
use crate::error::HandlerError;

/// Removes an instance with all that polling knows of it. If it breaks off on the way, the same request ends it.
///
/// # Errors
/// 400, 401, 404 or 503.
pub async fn delete(app: &App, credentials: &Credentials, id: &str) -> Result<Value, HandlerError> {
    let id: InstanceId = id.parse()?;
    let instance = app.instances.get(id).await?;
    credentials.require_account_or_token(&app.config, instance.as_ref())?;
    app.cache.remove(id);
    // First nothing must come in any more, not even from a poll that runs.
    app.instances
        .retire(id)
        .await
        .map_err(|error| match error {
            TableError::Conflict => HandlerError::UnknownInstance(id),
            other => other.into(),
        })?;
    app.watermarks.delete_all(id).await?;
    app.instances.delete(id).await?;
    tracing::info!(instance.id = %id, "removed");
    Ok(json!({}))
}
