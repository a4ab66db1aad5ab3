//! What Close says of a subscription.

use secrecy::SecretString;
use shared::close::client::Account;
use shared::close::webhook::SubscribedEvent;
use shared::instance::FormerSubscription;
use shared::subscription::state::{SubscriptionAtClose, SubscriptionState};

use crate::app::App;

/// What Close says of a subscription to the `wanted` events, for whoever reads its instance.
pub async fn describe(
    app: &App,
    account: Account<'_>,
    id: &str,
    wanted: &[SubscribedEvent],
) -> SubscriptionState {
    match app.close.webhook(account, id).await {
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

/// The same of a former subscription.
pub async fn describe_former(app: &App, former: &FormerSubscription) -> SubscriptionState {
    let account = Account {
        base_url: &former.base_url,
        api_key: &SecretString::from(former.api_key.as_str()),
    };
    describe(app, account, &former.id, &[]).await
}
