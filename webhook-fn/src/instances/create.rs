//! `POST /instances`

use secrecy::ExposeSecret;
use serde_json::Value;
use shared::close::webhook::{CreatedSubscription, SubscribedEvent};
use shared::instance::id::{InstanceId, MAX_INSTANCE_ID};
use shared::instance::settings::Settings;
use shared::instance::{Instance, Phase};
use shared::store::error::TableError;
use shared::subscription::creation;
use shared::subscription::state::{SubscriptionAtClose, SubscriptionState};

use super::request::{self, CheckedRequest};
use super::token::random_token;
use super::view;
use crate::app::App;
use crate::http::authorization::{Credentials, hash_token};
use crate::http::call::Call;
use crate::http::error::HandlerError;
use crate::subscription::reach::Reach;

/// The chance that an id is taken is one in a million even with ten billion instances.
const MAX_DRAWS: usize = 5;

/// Provisions an instance and shows its token, this once. Where it is to be subscribed at Close, it is stored first and
/// works last: whatever fails between, nothing is left that nobody knows of. What cannot be undone is said in the answer.
///
/// # Errors
/// 400 with all that is missing or wrong; 401; 413; 503.
pub async fn create(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
) -> Result<Value, HandlerError> {
    credentials.require_account(&app.config)?;
    let CheckedRequest {
        name,
        tags,
        configuration,
        settings,
        warnings,
    } = request::parse(call.body, &app.config.policy, None)?;
    let token = random_token()?;
    let mut instance = Instance::new(random_id()?, &name, configuration, call.clock.started());
    instance.tags = tags;
    instance.token_hash = hash_token(&token);
    if settings.subscription.is_some() {
        instance.phase = Phase::Provisioning;
    }
    let subscription = match provision(app, call, &mut instance, &settings).await {
        Ok(subscription) => subscription,
        Err(error) => return Err(undo(app, &instance, error).await),
    };
    tracing::info!(instance.id = %instance.id, polled = settings.is_polled(), "provisioned");
    let mut answer = view::to_json(&instance, &settings, &call.public_url);
    answer["token"] = Value::String(token.expose_secret().to_owned());
    view::set_webhook(&mut answer, subscription.as_ref());
    view::set_warnings(&mut answer, warnings);
    Ok(answer)
}

/// Returns how the subscription is, if there is one.
async fn provision(
    app: &App,
    call: &Call<'_>,
    instance: &mut Instance,
    settings: &Settings,
) -> Result<Option<SubscriptionState>, HandlerError> {
    insert(app, instance, settings).await?;
    let Some(events) = &settings.subscription else {
        return Ok(None);
    };
    let created = subscribe(app, call, instance, settings, events).await?;
    let subscription = SubscriptionAtClose::created(&created, events);
    Ok(Some(SubscriptionState::AtClose(subscription)))
}

async fn insert(
    app: &App,
    instance: &mut Instance,
    settings: &Settings,
) -> Result<(), HandlerError> {
    let is_polled = settings.is_polled() && instance.phase == Phase::Ready;
    for _ in 1..MAX_DRAWS {
        match app.instances.insert(instance, is_polled).await {
            Err(TableError::Conflict) if is_stored(app, instance).await? => return Ok(()),
            Err(TableError::Conflict) => instance.id = random_id()?,
            result => return Ok(result?),
        }
    }
    Ok(app.instances.insert(instance, is_polled).await?)
}

/// Whether the instance itself is stored, and no other has its id: its insertion may have been done but not answered.
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
) -> Result<CreatedSubscription, HandlerError> {
    let (reach, account) = (&Reach::of(app, call), settings.account());
    let url = instance.id.webhook_url(&call.public_url);
    let created = creation::create(reach, account, instance.id, &url, events, &[], None).await?;
    let created = created.ok_or(TableError::Conflict)?;
    creation::adopt(instance, &created);
    instance.phase = Phase::Ready;
    creation::store(reach, instance, settings, Some(&created)).await?;
    Ok(created)
}

/// Removes the instance, if that is stored. While Close may have a subscription of it, only the instance tells of that.
async fn undo(app: &App, instance: &Instance, error: HandlerError) -> HandlerError {
    let id = instance.id;
    let error = match error {
        HandlerError::Unsettled { error, .. } => return HandlerError::LeftBehind { id, error },
        // Somebody else has begun to remove it.
        HandlerError::Table(TableError::Conflict) => HandlerError::Contended,
        error => error,
    };
    match remove(app, instance).await {
        Ok(()) => error,
        Err(failure) => {
            tracing::error!(instance.id = %id, %failure, "an instance may be left, half set up");
            let error = Box::new(error);
            HandlerError::LeftBehind { id, error }
        }
    }
}

async fn remove(app: &App, instance: &Instance) -> Result<(), TableError> {
    if is_stored(app, instance).await? {
        app.instances.delete(instance.id).await?;
    }
    Ok(())
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
