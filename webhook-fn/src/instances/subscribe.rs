//! A new subscription at Close, and the stored instance that names it.
//!
//! Of a call that failed nobody knows whether it was done. So nothing is undone before what is stored was read, and nothing
//! that the stored instance names.

use secrecy::ExposeSecret;
use shared::close::client::Account;
use shared::close::error::CloseError;
use shared::close::webhook::{CreatedSubscription, SubscribedEvent, duplicates_of};
use shared::instance::Instance;
use shared::instance::id::InstanceId;
use shared::instance::settings::{Settings, field};
use shared::store::error::TableError;

use crate::app::App;
use crate::http::call::Call;
use crate::http::error::HandlerError;
use crate::subscription::error::to_handler_error;
use crate::subscription::{at_close, removal};

/// Has Close make a subscription of `url` for the instance `id`. One that Close has already, for the same URL and events, is
/// replaced: its key is shown no more. `before` are the subscriptions that posted there already, and `former` is whose the
/// instance's own is, where the instance's key is to be another. Returns nothing where the instance's own is the same, and
/// neither key may remove it.
///
/// # Errors
/// [`TableError::Conflict`] where the instance has got another subscription meanwhile; 400 where Close refuses the key or the
/// subscription, 503 where it cannot be reached.
pub async fn create(
    app: &App,
    account: Account<'_>,
    id: InstanceId,
    url: &str,
    events: &[SubscribedEvent],
    before: &[String],
    former: Option<Account<'_>>,
) -> Result<Option<CreatedSubscription>, HandlerError> {
    let mut created = at_close::make(app, account, url, events).await;
    let duplicates = duplicates(&created);
    if !duplicates.is_empty() {
        match remove_duplicates(app, account, id, &duplicates, former).await? {
            Removed::All => {}
            Removed::AllButOwn => return Ok(None),
            Removed::NotAll => return created.map(Some).map_err(to_handler_error),
        }
        created = at_close::make(app, account, url, events).await;
        if !self::duplicates(&created).is_empty() {
            // Somebody else makes one at the same time.
            return Err(TableError::Conflict.into());
        }
    }
    let is_unknown = matches!(created, Err(CloseError::Unavailable(_)));
    let created = created.map_err(to_handler_error);
    match created {
        Err(error) if is_unknown => {
            let cleaned = remove_unnamed(app, account, id, url, before).await;
            Err(or_unsettled(id, error, cleaned))
        }
        created => created.map(Some),
    }
}

/// What became of the duplicates of a subscription.
enum Removed {
    All,
    /// The instance's own stays, for neither key may remove it.
    AllButOwn,
    NotAll,
}

/// The subscriptions that Close names where it refuses another of the same URL and events.
fn duplicates(created: &Result<CreatedSubscription, CloseError>) -> Vec<&str> {
    match created {
        Err(CloseError::Rejected { message, .. }) => duplicates_of(message),
        _ => Vec::new(),
    }
}

async fn remove_duplicates(
    app: &App,
    account: Account<'_>,
    id: InstanceId,
    duplicates: &[&str],
    former: Option<Account<'_>>,
) -> Result<Removed, HandlerError> {
    let named = named(app, id).await?;
    for duplicate in duplicates {
        let is_own = named.as_deref() == Some(*duplicate);
        let account = match former {
            Some(former) if is_own => former,
            None if is_own => return Err(TableError::Conflict.into()),
            _ => account,
        };
        match removal::remove(app, account, duplicate).await? {
            true => {}
            false if is_own => return Ok(Removed::AllButOwn),
            false => return Ok(Removed::NotAll),
        }
    }
    Ok(Removed::All)
}

/// Removes what posts to `url` now, did not do so `before`, and is not the instance's.
async fn remove_unnamed(
    app: &App,
    account: Account<'_>,
    id: InstanceId,
    url: &str,
    before: &[String],
) -> Result<(), HandlerError> {
    let ids = at_close::ids_at(app, account, url).await?;
    let named = named(app, id).await?;
    let is_new = |id: &&String| !before.contains(id) && Some(*id) != named.as_ref();
    for new in ids.iter().filter(is_new) {
        removal::remove(app, account, new).await?;
    }
    Ok(())
}

async fn named(app: &App, id: InstanceId) -> Result<Option<String>, TableError> {
    let stored = app.instances.get(id).await?;
    Ok(stored.and_then(|stored| stored.subscription_id))
}

/// Has the instance name `created`.
pub fn adopt(instance: &mut Instance, created: &CreatedSubscription) {
    let key = created.signature_key.expose_secret();
    instance.configuration.set(field::SIGNATURE_KEY, key);
    instance.subscription_id = Some(created.id.clone());
}

/// Stores an instance that is ready, over the one that it was made from. Where that fails, what was `created` for it is
/// removed, unless the stored instance names it: then it was done all the same.
///
/// # Errors
/// [`TableError::Conflict`] when it was changed since it was read; 503.
pub async fn store(
    app: &App,
    call: &Call<'_>,
    instance: &Instance,
    settings: &Settings,
    created: Option<&CreatedSubscription>,
) -> Result<(), HandlerError> {
    let is_polled = settings.polling.is_some() && !instance.disabled;
    let now = call.clock.now();
    let stored = app.instances.replace(instance, is_polled, now).await;
    app.cache.remove(instance.id);
    match (stored, created) {
        (Err(error), Some(created)) => {
            keep_or_remove(app, settings.account(), instance.id, created, error.into()).await
        }
        (stored, _) => Ok(stored?),
    }
}

async fn keep_or_remove(
    app: &App,
    account: Account<'_>,
    id: InstanceId,
    created: &CreatedSubscription,
    error: HandlerError,
) -> Result<(), HandlerError> {
    let removed = match named(app, id).await {
        Ok(Some(named)) if named == created.id => return Ok(()),
        Ok(_) => removal::remove(app, account, &created.id).await.map(drop),
        Err(error) => Err(error.into()),
    };
    Err(or_unsettled(id, error, removed))
}

/// The error, which says so where it could not be undone what was done at Close.
pub fn or_unsettled(
    id: InstanceId,
    error: HandlerError,
    undone: Result<(), HandlerError>,
) -> HandlerError {
    let Err(failure) = undone else {
        return error;
    };
    let cause = failure.cause();
    tracing::error!(instance.id = %id, %failure, cause, "the subscription at Close may differ from the instance's");
    unsettled(id, error)
}

/// The error, which says that Close may not have what is stored.
pub fn unsettled(id: InstanceId, error: HandlerError) -> HandlerError {
    HandlerError::Unsettled {
        id,
        error: Box::new(error),
    }
}
