//! What Close says of a subscription.

use super::outside::{Outside, Webhooks as _};
use super::state::{SubscriptionAtClose, SubscriptionState};
use crate::close::client::Account;
use crate::close::webhook::SubscribedEvent;

/// What Close says of a subscription to the `wanted` events. Nothing is changed there.
pub async fn describe<O: Outside>(
    outside: &O,
    account: Account<'_>,
    id: &str,
    wanted: &[SubscribedEvent],
) -> SubscriptionState {
    match outside.close().webhook(account, id).await {
        Ok(Some(found)) => {
            SubscriptionState::AtClose(SubscriptionAtClose::found(id, found, wanted))
        }
        Ok(None) => SubscriptionState::Missing {
            id: Some(id.to_owned()),
        },
        Err(error) => SubscriptionState::Unknown {
            id: Some(id.to_owned()),
            reason: error.to_string(),
        },
    }
}
