//! The subscription at Close, brought to what is stored.

use shared::close::webhook::{Status, SubscribedEvent};
use shared::instance_id::InstanceId;
use shared::settings::{Policy, Settings};

use super::change::MAX_TRIES;
use crate::app::App;
use crate::error::HandlerError;
use crate::subscription::{self, account};

/// What the subscription of an instance should be.
#[derive(PartialEq, Eq)]
struct Wanted {
    id: String,
    events: Vec<SubscribedEvent>,
    status: Status,
}

/// Makes an instance's subscription what the stored instance says. Then looks whether that has changed: of two requests at
/// once, the one that came last at Close need not be the one that was stored last.
///
/// # Errors
/// 400 where Close refuses the key or the events, 409, 503.
pub async fn settle(app: &App, id: InstanceId) -> Result<(), HandlerError> {
    let mut wanted = wanted(app, id).await?;
    for _ in 0..MAX_TRIES {
        let Some((subscription, settings)) = wanted else {
            return Ok(());
        };
        let Wanted {
            id: ours,
            events,
            status,
        } = &subscription;
        subscription::set(app, account(&settings), ours, events, *status).await?;
        wanted = self::wanted(app, id).await?;
        if wanted.as_ref().is_none_or(|(now, _)| *now == subscription) {
            return Ok(());
        }
    }
    Err(HandlerError::Contended)
}

async fn wanted(app: &App, id: InstanceId) -> Result<Option<(Wanted, Settings)>, HandlerError> {
    let Some(instance) = app.instances.get(id).await? else {
        return Ok(None);
    };
    let settings = Settings::parse(&instance.configuration, &Policy::of_stored())
        .map_err(HandlerError::Configuration)?;
    let status = if instance.disabled {
        Status::Paused
    } else {
        Status::Active
    };
    let wanted = instance.subscription_id.zip(settings.subscription.clone());
    let wanted = wanted.map(|(id, events)| Wanted { id, events, status });
    Ok(wanted.map(|wanted| (wanted, settings)))
}
