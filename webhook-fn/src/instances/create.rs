//! `POST /instances`

use secrecy::ExposeSecret;
use serde_json::Value;
use shared::close::webhook::SubscribedEvent;
use shared::instance::{Instance, Phase};
use shared::instance_id::{InstanceId, MAX_INSTANCE_ID};
use shared::settings::{Settings, field};
use shared::table::TableError;

use super::request::{self, Provision};
use super::token::random_token;
use super::view;
use crate::app::{App, Call};
use crate::authorization::{Credentials, hash_token};
use crate::error::HandlerError;
use crate::subscription::{self, account};

/// The chance that an id is taken is one in a million even with ten billion instances.
const MAX_DRAWS: usize = 5;

/// Provisions an instance and shows its token, this once. Where it is to be subscribed at Close, it is stored first and
/// works last: whatever fails between, nothing is left that nobody knows of.
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
    } = request::parse(call.body, &app.config.policy, None)?;
    let token = random_token()?;
    let mut instance = Instance::new(random_id()?, &name, configuration, call.clock.started());
    instance.tags = tags;
    instance.token_hash = hash_token(&token);
    if settings.subscription.is_some() {
        instance.phase = Phase::Provisioning;
    }
    insert(app, &mut instance, &settings).await?;
    if let Some(events) = &settings.subscription
        && let Err(error) = subscribe(app, call, &mut instance, &settings, events).await
    {
        undo(app, &instance, &settings).await?;
        return Err(error);
    }
    tracing::info!(instance.id = %instance.id, polled = settings.poller.is_some(), "provisioned");
    let mut answer = view::to_json(&instance, &settings, &call.public_url);
    answer["token"] = Value::String(token.expose_secret().to_owned());
    Ok(answer)
}

async fn insert(
    app: &App,
    instance: &mut Instance,
    settings: &Settings,
) -> Result<(), HandlerError> {
    let is_polled = settings.poller.is_some() && instance.phase == Phase::Ready;
    for _ in 1..MAX_DRAWS {
        match app.instances.insert(instance, is_polled).await {
            Err(TableError::Conflict) if is_stored(app, instance).await? => return Ok(()),
            Err(TableError::Conflict) => instance.id = random_id()?,
            result => return Ok(result?),
        }
    }
    Ok(app.instances.insert(instance, is_polled).await?)
}

/// Whether the id is taken by the instance itself, whose first insertion was done but not answered.
async fn is_stored(app: &App, instance: &Instance) -> Result<bool, TableError> {
    let stored = app.instances.get(instance.id).await?;
    Ok(stored.is_some_and(|stored| stored.token_hash == instance.token_hash))
}

/// Subscribes the stored instance at Close and makes it ready.
async fn subscribe(
    app: &App,
    call: &Call<'_>,
    instance: &mut Instance,
    settings: &Settings,
    events: &[SubscribedEvent],
) -> Result<(), HandlerError> {
    let url = view::webhook_url(instance, &call.public_url);
    let created = subscription::create(app, account(settings), &url, events).await?;
    instance
        .configuration
        .set(field::SIGNATURE_KEY, created.signature_key.expose_secret());
    instance.subscription_id = Some(created.id.clone());
    instance.phase = Phase::Ready;
    let is_polled = settings.poller.is_some();
    let now = call.clock.now();
    Ok(app.instances.replace(instance, is_polled, now).await?)
}

/// Removes first what is at Close: while that cannot be done, only the instance tells of it.
async fn undo(app: &App, instance: &Instance, settings: &Settings) -> Result<(), HandlerError> {
    if let Some(id) = &instance.subscription_id {
        subscription::remove(app, account(settings), id).await?;
    }
    Ok(app.instances.delete(instance.id).await?)
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
