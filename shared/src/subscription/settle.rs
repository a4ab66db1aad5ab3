//! The subscription at Close, brought to what is stored.

use super::error::SubscriptionError;
use super::outside::Outside;
use super::removal::{self, Staying};
use super::state::SubscriptionState;
use super::{at_close, creation};
use crate::close::webhook::{SubscribedEvent, SubscriptionStatus, Wanted};
use crate::instance::id::InstanceId;
use crate::instance::settings::Settings;
use crate::instance::signature_keys::rotate;
use crate::instance::{Instance, Phase};
use crate::store::conflicts::Conflicts;

/// What came of it.
#[derive(Debug, Default)]
pub struct Settled {
    /// How the subscription is, if there is one.
    pub subscription: Option<SubscriptionState>,
    /// What stays at Close beside it.
    pub staying: Staying,
}

/// Makes an instance's subscription, which posts to `url`, what the stored instance says: what is missing at Close is made, what
/// is not wanted any more or is not the instance's is removed. Then looks whether what is stored has changed: of two changes at
/// once, the one that came last at Close need not be the one that was stored last.
///
/// # Errors
/// As [`SubscriptionError`] says. A conflict is none: what somebody else has stored is looked at next.
pub async fn settle<O: Outside>(
    outside: &O,
    id: InstanceId,
    url: &str,
) -> Result<Settled, SubscriptionError> {
    let mut stored = read(outside, id).await?;
    let (mut settled, mut conflicts) = (Settled::default(), Conflicts::default());
    while let Some((instance, settings)) = stored {
        bring(outside, &instance, &settings, url, &mut settled).await?;
        stored = read(outside, id).await?;
        let is_same = stored.as_ref().is_none_or(|(now, now_settings)| {
            now.former_subscriptions.is_empty()
                && says_the_same((&instance, &settings), (now, now_settings))
        });
        if is_same {
            break;
        }
        if !conflicts.retry() {
            return Err(SubscriptionError::Contended);
        }
    }
    Ok(settled)
}

/// What is stored, unless somebody else is making or removing it.
async fn read<O: Outside>(
    outside: &O,
    id: InstanceId,
) -> Result<Option<(Instance, Settings)>, SubscriptionError> {
    let stored = outside.get(id).await?;
    let Some(instance) = stored.filter(|stored| stored.phase == Phase::Ready) else {
        return Ok(None);
    };
    let settings =
        Settings::stored(&instance.configuration).map_err(SubscriptionError::Configuration)?;
    Ok(Some((instance, settings)))
}

/// Whether two versions of an instance want the same of Close.
fn says_the_same(one: (&Instance, &Settings), other: (&Instance, &Settings)) -> bool {
    let ((one, settings), (other, other_settings)) = (one, other);
    one.subscription_id == other.subscription_id
        && one.disabled == other.disabled
        && settings.subscription == other_settings.subscription
        && settings.account().is(other_settings.account())
}

fn status(instance: &Instance) -> SubscriptionStatus {
    if instance.disabled {
        SubscriptionStatus::Paused
    } else {
        SubscriptionStatus::Active
    }
}

/// Does at Close what the instance says, stores what came of it and says so in `settled`.
async fn bring<O: Outside>(
    outside: &O,
    instance: &Instance,
    settings: &Settings,
    url: &str,
    settled: &mut Settled,
) -> Result<(), SubscriptionError> {
    let named = instance.subscription_id.as_deref();
    settled.subscription = None;
    if let Some(events) = &settings.subscription {
        let status = status(instance);
        let wanted = Wanted {
            url,
            events,
            status,
        };
        if let Some(named) = named {
            let (account, staying) = (settings.account(), &mut settled.staying);
            settled.subscription =
                at_close::ensure(outside, account, named, &wanted, staying).await?;
        }
        if settled.subscription.is_none() {
            return renew(outside, instance, settings, url, events).await;
        }
    }
    if instance.former_subscriptions.is_empty() {
        return Ok(());
    }
    for former in &instance.former_subscriptions {
        removal::remove_former(outside, former, url, named, &mut settled.staying).await?;
    }
    let new = Instance {
        former_subscriptions: Vec::new(),
        ..instance.clone()
    };
    unless_overtaken(creation::store(outside, &new, settings, None).await)
}

/// Where somebody else was faster, what they have stored is looked at next.
fn unless_overtaken(stored: Result<(), SubscriptionError>) -> Result<(), SubscriptionError> {
    match stored {
        Err(error) if error.is_conflict() => Ok(()),
        stored => stored,
    }
}

/// Makes the subscription that Close has not. What else posts to the URL is removed when it is there.
async fn renew<O: Outside>(
    outside: &O,
    instance: &Instance,
    settings: &Settings,
    url: &str,
    events: &[SubscribedEvent],
) -> Result<(), SubscriptionError> {
    let account = settings.account();
    let before = at_close::ids_at(outside, account, url).await?;
    let created = creation::create(outside, account, instance.id, url, events, &before, None).await;
    let created = match created {
        Ok(Some(created)) => created,
        Ok(None) => return Ok(()),
        Err(error) => return unless_overtaken(Err(error)),
    };
    let mut new = instance.clone();
    creation::adopt(&mut new, &created);
    rotate(instance, &mut new, outside.now());
    let id = instance.id;
    tracing::warn!(instance.id = %id, subscription.id = created.id, "the subscription is missing at Close and is made anew");
    unless_overtaken(creation::store(outside, &new, settings, Some(&created)).await)
}
