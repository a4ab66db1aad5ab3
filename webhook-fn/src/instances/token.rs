//! `POST /instances/{id}/token`

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shared::instance::Instance;
use shared::table::TableError;

use super::change::MAX_TRIES;
use super::find::find_ready;
use super::signature_keys::rotate;
use crate::app::App;
use crate::http::authorization::{Credentials, hash_token};
use crate::http::call::Call;
use crate::http::error::HandlerError;

/// Gives an instance a new Element token and shows the token, this once. The old one is refused from then on.
///
/// # Errors
/// 400, 401, 404, 409 or 503.
pub async fn replace(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
    id: &str,
) -> Result<Value, HandlerError> {
    let token = random_token()?;
    let hash = hash_token(&token);
    for _ in 0..MAX_TRIES {
        let old = find_ready(app, credentials, id).await?;
        let mut instance = Instance {
            token_hash: hash.clone(),
            ..old.clone()
        };
        rotate(&old, &mut instance, call.clock.now());
        let stored = app.instances.replace_token(&instance).await;
        app.cache.remove(instance.id);
        match stored {
            // The first attempt was done but not answered, so the old token opens nothing any more.
            Err(TableError::Conflict) if has_hash(app, &instance, &hash).await? => {}
            Err(TableError::Conflict) => continue,
            stored => stored?,
        }
        tracing::info!(instance.id = %instance.id, "token replaced");
        return Ok(json!({"id": instance.id, "token": token.expose_secret()}));
    }
    Err(HandlerError::Contended)
}

async fn has_hash(app: &App, instance: &Instance, hash: &str) -> Result<bool, TableError> {
    let stored = app.instances.get(instance.id).await?;
    Ok(stored.is_some_and(|stored| stored.token_hash == hash))
}

/// 32 random bytes in base64.
///
/// # Errors
/// When the system gives no random numbers.
pub(super) fn random_token() -> Result<SecretString, HandlerError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(STANDARD.encode(bytes).into())
}
