//! `POST /instances/{id}/token`

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shared::instance::Instance;
use shared::instance::id::InstanceId;
use shared::instance::signature_keys::rotate;
use shared::store::conflicts::Conflicts;
use shared::store::error::TableError;

use super::find::find_ready;
use crate::app::App;
use crate::conflicts::resolve;
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
    let id = store_token(app, call, credentials, id, &hash_token(&token)).await?;
    tracing::info!(instance.id = %id, "token replaced");
    Ok(json!({"id": id, "token": token.expose_secret()}))
}

async fn store_token(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
    id: &str,
    hash: &str,
) -> Result<InstanceId, HandlerError> {
    let mut conflicts = Conflicts::default();
    loop {
        let old = find_ready(app, credentials, id).await?;
        let mut instance = Instance {
            token_hash: hash.to_owned(),
            ..old.clone()
        };
        rotate(&old, &mut instance, call.clock.now());
        let stored = app.instances.replace_token(&instance).await;
        app.cache.remove(instance.id);
        let stored = match stored {
            // The first attempt was done but not answered, so the old token opens nothing any more.
            Err(TableError::Conflict) if has_hash(app, &instance, hash).await? => Ok(()),
            stored => stored,
        };
        if resolve(&mut conflicts, stored)?.is_some() {
            return Ok(instance.id);
        }
    }
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
