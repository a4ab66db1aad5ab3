//! Subscriptions made and changed at Close.

use shared::close::client::Account;
use shared::close::error::CloseError;
use shared::close::webhook::{
    CreatedSubscription, ListedEvent, ListedSubscription, SubscribedEvent, Wanted,
};
use shared::subscription::offer;
use shared::subscription::state::{SubscriptionAtClose, SubscriptionState};

use super::error::{is_locked, to_handler_error};
use super::removal::{self, Staying};
use crate::app::App;
use crate::http::error::HandlerError;

/// The ids of the subscriptions that post to `url`.
///
/// # Errors
/// 400 where Close refuses the key, 503 where it cannot be reached.
pub async fn ids_at(
    app: &App,
    account: Account<'_>,
    url: &str,
) -> Result<Vec<String>, HandlerError> {
    let listed = app.close.webhooks(account).await;
    let listed = listed.map_err(to_handler_error)?.into_iter();
    let ids = listed.filter(|one| one.url == url).map(|one| one.id);
    Ok(ids.collect())
}

/// Makes a subscription at Close, of the events that Close takes.
///
/// # Errors
/// As [`CloseError`] says.
pub async fn make(
    app: &App,
    account: Account<'_>,
    url: &str,
    events: &[SubscribedEvent],
) -> Result<CreatedSubscription, CloseError> {
    offer::ask(events, |events| async move {
        app.close.create_webhook(account, url, &events).await
    })
    .await
}

/// Changes which events a subscription covers, of those that Close takes. Returns whether the account may and Close has it.
///
/// # Errors
/// 400 where Close refuses the key or the events, 503 where it cannot be reached.
pub async fn cover(
    app: &App,
    account: Account<'_>,
    id: &str,
    events: &[SubscribedEvent],
) -> Result<bool, HandlerError> {
    let covered = offer::ask(events, |events| async move {
        app.close.set_webhook_events(account, id, &events).await
    });
    match covered.await {
        Err(error) if is_locked(&error) => Ok(false),
        covered => Ok(covered.map_err(to_handler_error)?.is_some()),
    }
}

/// Makes the subscription called `named` what is `wanted`, and removes whatever else posts to the same URL. Returns how the
/// subscription is then, and notes those that stay beside it; where Close has not got it, nothing is removed.
///
/// # Errors
/// 400 where Close refuses the key or the subscription, 503 where it cannot be reached.
pub async fn ensure(
    app: &App,
    account: Account<'_>,
    named: &str,
    wanted: &Wanted<'_>,
    staying: &mut Staying,
) -> Result<Option<SubscriptionState>, HandlerError> {
    let listed = app.close.webhooks(account).await;
    let listed = listed.map_err(to_handler_error)?;
    let same = listed.iter().find(|one| one.id == named);
    let subscription = match same {
        Some(found) if found.is(wanted) => SubscriptionAtClose::new(named, &found.status),
        // A key may not see what another user of the organization has made.
        found => match (set(app, account, named, wanted).await, found) {
            (Err(error), Some(found)) if is_locked(&error) => {
                SubscriptionAtClose::new(named, &found.status).locked()
            }
            (set, _) => match set.map_err(to_handler_error)? {
                Some(covered) => SubscriptionAtClose::new(named, wanted.status.as_str())
                    .covering(&covered, wanted.events),
                None => return Ok(None),
            },
        },
    };
    let is_stray = |one: &&ListedSubscription| one.url == wanted.url && one.id != named;
    for stray in listed.iter().filter(is_stray) {
        staying.note(&stray.id, removal::remove(app, account, &stray.id).await?);
    }
    Ok(Some(SubscriptionState::AtClose(subscription)))
}

async fn set(
    app: &App,
    account: Account<'_>,
    id: &str,
    wanted: &Wanted<'_>,
) -> Result<Option<Vec<ListedEvent>>, CloseError> {
    offer::ask(wanted.events, |events| async move {
        let wanted = Wanted {
            events: &events,
            ..*wanted
        };
        app.close.set_webhook(account, id, &wanted).await
    })
    .await
}
