//! A new subscription at Close, and the stored instance that names it.
//!
//! Of a call that failed nobody knows whether it was done. So nothing is undone before what is stored was read, and nothing
//! that the stored instance names.

use secrecy::ExposeSecret;

use super::error::SubscriptionError;
use super::outside::Outside;
use super::{at_close, removal};
use crate::close::client::Account;
use crate::close::error::CloseError;
use crate::close::webhook::{CreatedSubscription, SubscribedEvent, duplicates_of};
use crate::instance::Instance;
use crate::instance::id::InstanceId;
use crate::instance::settings::{Settings, field};
use crate::store::error::TableError;

/// Has Close make a subscription of `url` for the instance `id`. One that Close has already, for the same URL and events, is
/// replaced: its key is shown no more. `before` are the subscriptions that posted there already, and `former` is whose the
/// instance's own is, where the instance's key is to be another. Returns nothing where the instance's own is the same, and
/// neither key may remove it.
///
/// # Errors
/// A conflict where the instance has got another subscription meanwhile; where Close refuses the key or the subscription, or
/// cannot be reached.
pub async fn create<O: Outside>(
    outside: &O,
    account: Account<'_>,
    id: InstanceId,
    url: &str,
    events: &[SubscribedEvent],
    before: &[String],
    former: Option<Account<'_>>,
) -> Result<Option<CreatedSubscription>, SubscriptionError> {
    let mut created = at_close::make(outside, account, url, events).await;
    let duplicates = duplicates(&created);
    if !duplicates.is_empty() {
        match remove_duplicates(outside, account, id, &duplicates, former).await? {
            Removed::All => {}
            Removed::AllButOwn => return Ok(None),
            Removed::NotAll => return Ok(Some(created?)),
        }
        created = at_close::make(outside, account, url, events).await;
        if !self::duplicates(&created).is_empty() {
            // Somebody else makes one at the same time.
            return Err(TableError::Conflict.into());
        }
    }
    match created {
        Err(error @ CloseError::Unavailable(_)) => {
            let cleaned = remove_unnamed(outside, account, id, url, before).await;
            Err(SubscriptionError::from(error).or_unsettled(id, cleaned))
        }
        created => Ok(Some(created?)),
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

async fn remove_duplicates<O: Outside>(
    outside: &O,
    account: Account<'_>,
    id: InstanceId,
    duplicates: &[&str],
    former: Option<Account<'_>>,
) -> Result<Removed, SubscriptionError> {
    let named = named(outside, id).await?;
    for duplicate in duplicates {
        let is_own = named.as_deref() == Some(*duplicate);
        let account = match former {
            Some(former) if is_own => former,
            None if is_own => return Err(TableError::Conflict.into()),
            _ => account,
        };
        match removal::remove(outside, account, duplicate).await? {
            true => {}
            false if is_own => return Ok(Removed::AllButOwn),
            false => return Ok(Removed::NotAll),
        }
    }
    Ok(Removed::All)
}

/// Removes what posts to `url` now, did not do so `before`, and is not the instance's.
async fn remove_unnamed<O: Outside>(
    outside: &O,
    account: Account<'_>,
    id: InstanceId,
    url: &str,
    before: &[String],
) -> Result<(), SubscriptionError> {
    let ids = at_close::ids_at(outside, account, url).await?;
    let named = named(outside, id).await?;
    let is_new = |id: &&String| !before.contains(id) && Some(*id) != named.as_ref();
    for new in ids.iter().filter(is_new) {
        removal::remove(outside, account, new).await?;
    }
    Ok(())
}

async fn named<O: Outside>(outside: &O, id: InstanceId) -> Result<Option<String>, TableError> {
    let stored = outside.get(id).await?;
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
/// A conflict where that one was changed since it was read; where the table does not answer.
pub async fn store<O: Outside>(
    outside: &O,
    instance: &Instance,
    settings: &Settings,
    created: Option<&CreatedSubscription>,
) -> Result<(), SubscriptionError> {
    let is_polled = settings.is_polled() && !instance.disabled;
    let stored = outside.store(instance, is_polled).await;
    match (stored, created) {
        (Err(error), Some(created)) => {
            let account = settings.account();
            keep_or_remove(outside, account, instance.id, created, error.into()).await
        }
        (stored, _) => Ok(stored?),
    }
}

async fn keep_or_remove<O: Outside>(
    outside: &O,
    account: Account<'_>,
    id: InstanceId,
    created: &CreatedSubscription,
    error: SubscriptionError,
) -> Result<(), SubscriptionError> {
    let removed = match named(outside, id).await {
        Ok(Some(named)) if named == created.id => return Ok(()),
        Ok(_) => {
            let removed = removal::remove(outside, account, &created.id).await;
            removed.map(drop)
        }
        Err(error) => Err(error.into()),
    };
    Err(error.or_unsettled(id, removed))
}
