//! `GET /instances/{id}`

use secrecy::SecretString;
use serde_json::Value;
use shared::close::client::Account;
use shared::instance::settings::Settings;
use shared::instance::{FormerSubscription, Phase};
use shared::subscription::describe::describe;
use shared::subscription::state::SubscriptionState;

use super::find::find;
use super::view;
use crate::app::App;
use crate::http::authorization::Credentials;
use crate::http::call::Call;
use crate::http::error::HandlerError;
use crate::subscription::reach::Reach;

/// Shows an instance, its secrets masked, and what Close says of its subscription.
///
/// # Errors
/// 400, 401, 404 or 503.
pub async fn read(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
    id: &str,
) -> Result<Value, HandlerError> {
    let instance = find(app, credentials, id).await?;
    let settings =
        Settings::stored(&instance.configuration).map_err(HandlerError::Configuration)?;
    let mut answer = view::to_json(&instance, &settings, &call.public_url);
    let former = instance.former_subscriptions.last();
    let reach = &Reach::of(app, call);
    let subscription = match (&instance.subscription_id, former) {
        (Some(id), _) => {
            let wanted = settings.subscription.as_deref().unwrap_or_default();
            Some(describe(reach, settings.account(), id, wanted).await)
        }
        // While it is being set up, there is none yet.
        (None, _) if settings.subscription.is_some() && instance.phase == Phase::Ready => {
            Some(SubscriptionState::Missing { id: None })
        }
        // It is not wanted any more, but there.
        (None, Some(former)) => Some(describe_former(reach, former).await),
        (None, None) => None,
    };
    view::set_webhook(&mut answer, subscription.as_ref());
    Ok(answer)
}

/// What Close says of a former subscription.
async fn describe_former(reach: &Reach<'_>, former: &FormerSubscription) -> SubscriptionState {
    let account = Account {
        base_url: &former.base_url,
        api_key: &SecretString::from(former.api_key.as_str()),
    };
    describe(reach, account, &former.id, &[]).await
}
