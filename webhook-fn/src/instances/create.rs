//! `POST /instances`

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use shared::instance::Instance;
use shared::instance_id::{InstanceId, MAX_INSTANCE_ID};
use shared::table::TableError;

use super::request::{self, Provision};
use super::view;
use crate::app::{App, Call};
use crate::authorization::{Credentials, hash_token};
use crate::error::HandlerError;

/// The chance that an id is taken is one in a million even with ten billion instances.
const MAX_DRAWS: usize = 5;

/// Provisions an instance and shows its token, this once.
///
/// # Errors
/// 400 with all that is missing or wrong; 401; 413; 503.
pub async fn create(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
) -> Result<Value, HandlerError> {
    credentials.require_account(&app.config)?;
    let Provision {
        name,
        tags,
        configuration,
        settings,
    } = request::parse(call.body, &app.config.policy)?;
    let token = random_token()?;
    let mut instance = Instance {
        id: random_id()?,
        name,
        tags,
        configuration,
        token_hash: hash_token(&token),
        created_date: call.clock.started(),
        disabled: false,
    };
    for draw in 1..=MAX_DRAWS {
        match app
            .instances
            .insert(&instance, settings.poller.is_some())
            .await
        {
            Err(TableError::Conflict) if draw < MAX_DRAWS => instance.id = random_id()?,
            result => {
                result?;
                break;
            }
        }
    }
    tracing::info!(instance.id = %instance.id, polled = settings.poller.is_some(), "provisioned");
    let mut answer = view::to_json(&instance, &settings, &call.public_url);
    answer["token"] = Value::String(token.expose_secret().to_owned());
    Ok(answer)
}

/// The id is part of the webhook URL, which nobody must be able to guess.
fn random_id() -> Result<InstanceId, HandlerError> {
    loop {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes)?;
        if let Ok(id) = InstanceId::try_from(u64::from_be_bytes(bytes) & MAX_INSTANCE_ID) {
            return Ok(id);
        }
    }
}

fn random_token() -> Result<SecretString, HandlerError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(STANDARD.encode(bytes).into())
}
