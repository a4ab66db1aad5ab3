//! The subscription at Close, brought to what is stored.

use shared::close::webhook::{SubscribedEvent, SubscriptionStatus, Wanted};
use shared::instance::id::InstanceId;
use shared::instance::settings::Settings;
use shared::instance::signature_keys::rotate;
use shared::instance::{Instance, Phase};
use shared::store::conflicts::Conflicts;
use shared::subscription::state::SubscriptionState;

use super::{subscribe, view};
use crate::app::App;
use crate::http::call::Call;
use crate::http::error::HandlerError;
use crate::subscription::at_close;
use crate::subscription::removal::{self, Staying};

/// What came of it.
#[derive(Debug, Default)]
pub struct Settled {
    /// How the subscription is, if there is one.
    pub subscription: Option<SubscriptionState>,
    /// What stays at Close beside it.
    pub staying: Staying,
}

/// Makes an instance's subscription what the stored instance says: what is missing at Close is made, what is not wanted any
/// more or is not the instance's is removed. Then looks whether what is stored has changed: of two requests at once, the one
/// that came last at Close need not be the one that was stored last.
///
/// # Errors
/// 400 where Close refuses the key or the subscription, 409, 503.
pub async fn settle(app: &App, call: &Call<'_>, id: InstanceId) -> Result<Settled, HandlerError> {
    let mut stored = read(app, id).await?;
    let (mut settled, mut conflicts) = (Settled::default(), Conflicts::default());
    while let Some((instance, settings)) = stored {
        bring(app, call, &instance, &settings, &mut settled).await?;
        stored = read(app, id).await?;
        let is_same = stored.as_ref().is_none_or(|(now, now_settings)| {
            now.former_subscriptions.is_empty()
                && says_the_same((&instance, &settings), (now, now_settings))
        });
        if is_same {
            break;
        }
        if !conflicts.retry() {
            return Err(HandlerError::Contended);
        }
    }
    Ok(settled)
}

/// The same after a write that failed, which may have been done. Returns the error, which says so where that fails, too.
pub async fn settle_after(
    app: &App,
    call: &Call<'_>,
    id: InstanceId,
    error: HandlerError,
) -> HandlerError {
    let settled = settle(app, call, id).await;
    subscribe::or_unsettled(id, error, settled.map(drop))
}

/// What is stored, unless somebody else is making or removing it.
async fn read(app: &App, id: InstanceId) -> Result<Option<(Instance, Settings)>, HandlerError> {
    let stored = app.instances.get(id).await?;
    let Some(instance) = stored.filter(|stored| stored.phase == Phase::Ready) else {
        return Ok(None);
    };
    let settings =
        Settings::stored(&instance.configuration).map_err(HandlerError::Configuration)?;
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
async fn bring(
    app: &App,
    call: &Call<'_>,
    instance: &Instance,
    settings: &Settings,
    settled: &mut Settled,
) -> Result<(), HandlerError> {
    let url = view::webhook_url(instance, &call.public_url);
    let named = instance.subscription_id.as_deref();
    settled.subscription = None;
    if let Some(events) = &settings.subscription {
        let status = status(instance);
        let wanted = Wanted {
            url: &url,
            events,
            status,
        };
        if let Some(named) = named {
            let (account, staying) = (settings.account(), &mut settled.staying);
            settled.subscription = at_close::ensure(app, account, named, &wanted, staying).await?;
        }
        if settled.subscription.is_none() {
            return renew(app, call, instance, settings, &url, events).await;
        }
    }
    if instance.former_subscriptions.is_empty() {
        return Ok(());
    }
    for former in &instance.former_subscriptions {
        removal::remove_former(app, former, &url, named, &mut settled.staying).await?;
    }
    let new = Instance {
        former_subscriptions: Vec::new(),
        ..instance.clone()
    };
    unless_overtaken(subscribe::store(app, call, &new, settings, None).await)
}

/// Where somebody else was faster, what they have stored is looked at next.
fn unless_overtaken(stored: Result<(), HandlerError>) -> Result<(), HandlerError> {
    match stored {
        Err(error) if error.is_conflict() => Ok(()),
        stored => stored,
    }
}

/// Makes the subscription that Close has not. What else posts to the URL is removed when it is there.
async fn renew(
    app: &App,
    call: &Call<'_>,
    instance: &Instance,
    settings: &Settings,
    url: &str,
    events: &[SubscribedEvent],
) -> Result<(), HandlerError> {
    let account = settings.account();
    let before = at_close::ids_at(app, account, url).await?;
    let created = subscribe::create(app, account, instance.id, url, events, &before, None).await;
    let created = match created {
        Ok(Some(created)) => created,
        Ok(None) => return Ok(()),
        Err(error) => return unless_overtaken(Err(error)),
    };
    let mut new = instance.clone();
    subscribe::adopt(&mut new, &created);
    rotate(instance, &mut new, call.clock.now());
    let id = instance.id;
    tracing::warn!(instance.id = %id, subscription.id = created.id, "the subscription is missing at Close and is made anew");
    unless_overtaken(subscribe::store(app, call, &new, settings, Some(&created)).await)
}
