//! `GET /instances/{id}`

use serde_json::Value;
use shared::settings::{Policy, Settings};

use super::find::find;
use super::view;
use crate::app::{App, Call};
use crate::authorization::Credentials;
use crate::error::HandlerError;
use crate::subscription::{self, account};

/// Shows an instance, its secrets masked, and what Close says of its subscription.
///
/// # Errors
/// 400, 401, 404 or 503.
pub async fn read(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
    id: &str,
) -> Result<Value, HandlerError> {
    let instance = find(app, credentials, id).await?;
    let settings = Settings::parse(&instance.configuration, &Policy::of_stored())
        .map_err(HandlerError::Configuration)?;
    let mut answer = view::to_json(&instance, &settings, &call.public_url);
    if let Some(id) = &instance.subscription_id {
        answer["webhook"] = subscription::describe(app, account(&settings), id).await;
    }
    Ok(answer)
}
