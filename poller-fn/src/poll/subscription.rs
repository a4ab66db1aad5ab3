//! The webhook subscription of an instance, watched before each reconciliation.

use std::time::Duration;

use shared::close::client::Account;
use shared::close::webhook::SubscriptionStatus;
use shared::instance::settings::Settings;
use shared::instance::stream::{DeliveryStatus, SeenSubscription, Stream};
use shared::subscription::state::SubscriptionAtClose;
use tokio::time::timeout;

use crate::outside::Outside;
use crate::poll::session::Session;

/// How long the status may take: the reconciliation goes on without.
const PATIENCE: Duration = Duration::from_secs(10);

/// Notes in `stream` how the subscription is at Close. That never stops a reconciliation.
pub async fn watch(
    session: &Session<'_, impl Outside>,
    account: Account<'_>,
    settings: &Settings,
    stream: &mut Stream,
) {
    let reconciliation = settings.reconciliation.as_ref();
    let ours = reconciliation.filter(|it| it.is_subscribed);
    let before = stream.subscription.take();
    let Some(reconciliation) = ours else {
        return;
    };
    let since = |status| {
        let same = before.filter(|before| before.status == status);
        same.map_or_else(|| session.clock.now(), |before| before.since)
    };
    let Some(id) = session.instance.subscription_id.as_deref() else {
        let status = DeliveryStatus::Down;
        stream.subscription = Some(SeenSubscription::new(status, since(status)));
        return;
    };
    let found = timeout(PATIENCE, session.outside.subscription(account, id)).await;
    let seen = match found {
        Ok(Ok(Some(found))) => {
            let found = SubscriptionAtClose::found(id, found, &reconciliation.events);
            let is_active = found.status == SubscriptionStatus::Active.as_str();
            let status = if is_active {
                DeliveryStatus::Active
            } else {
                DeliveryStatus::Down
            };
            SeenSubscription {
                status,
                since: since(status),
                pause_reason: found.pause_reason,
                refused: found.refused,
            }
        }
        Ok(Ok(None)) => {
            let status = DeliveryStatus::Down;
            SeenSubscription::new(status, since(status))
        }
        Ok(Err(_)) | Err(_) => {
            tracing::warn!(instance.id = %session.instance.id, "Close does not say how the subscription is");
            let status = DeliveryStatus::Unknown;
            SeenSubscription::new(status, since(status))
        }
    };
    stream.subscription = Some(seen);
}
