//! Subscriptions made and changed at Close.

use super::error::{SubscriptionError, is_locked};
use super::offer;
use super::outside::{Outside, Webhooks as _};
use super::removal::{self, Staying};
use super::state::{SubscriptionAtClose, SubscriptionState};
use crate::close::client::Account;
use crate::close::error::CloseError;
use crate::close::webhook::{
    CreatedSubscription, ListedEvent, ListedSubscription, SubscribedEvent, Wanted,
};

/// The ids of the subscriptions that post to `url`.
///
/// # Errors
/// Where Close refuses the key or cannot be reached.
pub async fn ids_at<O: Outside>(
    outside: &O,
    account: Account<'_>,
    url: &str,
) -> Result<Vec<String>, SubscriptionError> {
    let listed = outside.close().webhooks(account).await?.into_iter();
    let ids = listed.filter(|one| one.url == url).map(|one| one.id);
    Ok(ids.collect())
}

/// Makes a subscription at Close, of the events that Close takes.
///
/// # Errors
/// As [`CloseError`] says.
pub async fn make<O: Outside>(
    outside: &O,
    account: Account<'_>,
    url: &str,
    events: &[SubscribedEvent],
) -> Result<CreatedSubscription, CloseError> {
    offer::ask(events, |events| async move {
        outside.close().create_webhook(account, url, &events).await
    })
    .await
}

/// Makes the subscription called `named` what is `wanted`, and removes whatever else posts to the same URL. Returns how the
/// subscription is then, and notes those that stay beside it; where Close has not got it, nothing is removed.
///
/// # Errors
/// Where Close refuses the key or the subscription, or cannot be reached.
pub async fn ensure<O: Outside>(
    outside: &O,
    account: Account<'_>,
    named: &str,
    wanted: &Wanted<'_>,
    staying: &mut Staying,
) -> Result<Option<SubscriptionState>, SubscriptionError> {
    let listed = outside.close().webhooks(account).await?;
    let same = listed.iter().find(|one| one.id == named);
    let subscription = match same {
        Some(found) if found.is(wanted) => SubscriptionAtClose::new(named, &found.status),
        // A key may not see what another user of the organization has made.
        found => match (set(outside, account, named, wanted).await, found) {
            (Err(error), Some(found)) if is_locked(&error) => {
                SubscriptionAtClose::new(named, &found.status).locked()
            }
            (set, _) => match set? {
                Some(covered) => SubscriptionAtClose::new(named, wanted.status.as_str())
                    .covering(&covered, wanted.events),
                None => return Ok(None),
            },
        },
    };
    let is_stray = |one: &&ListedSubscription| one.url == wanted.url && one.id != named;
    for stray in listed.iter().filter(is_stray) {
        staying.note(
            &stray.id,
            removal::remove(outside, account, &stray.id).await?,
        );
    }
    Ok(Some(SubscriptionState::AtClose(subscription)))
}

async fn set<O: Outside>(
    outside: &O,
    account: Account<'_>,
    id: &str,
    wanted: &Wanted<'_>,
) -> Result<Option<Vec<ListedEvent>>, CloseError> {
    offer::ask(wanted.events, |events| async move {
        let wanted = Wanted {
            events: &events,
            ..*wanted
        };
        outside.close().set_webhook(account, id, &wanted).await
    })
    .await
}
