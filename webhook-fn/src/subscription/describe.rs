//! A subscription as answers show it.

use secrecy::SecretString;
use serde_json::{Value, json};
use shared::close::client::Account;
use shared::close::webhook::{self, ListedEvent, SubscribedEvent};
use shared::instance::FormerSubscription;

use crate::app::App;

/// The status of a subscription that is not at Close.
pub const MISSING: &str = "missing";

/// The events that are wanted and that Close does not say to be covered, as `task.voicemail.created`.
pub fn refused(wanted: &[SubscribedEvent], covered: &[ListedEvent]) -> Vec<String> {
    // An answer that names no events says nothing of them.
    let wanted = if covered.is_empty() { &[] } else { wanted };
    let missing = webhook::missing(wanted, covered).into_iter();
    let names = missing.map(|event| format!("{}.{}", event.object_type, event.action));
    names.collect()
}

/// What Close says of a subscription to the `wanted` events, for whoever reads its instance: its status, `missing` where it is
/// gone, `unknown` where Close does not say.
pub async fn describe(
    app: &App,
    account: Account<'_>,
    id: &str,
    wanted: &[SubscribedEvent],
) -> Value {
    match app.close.webhook(account, id).await {
        Ok(Some(found)) => {
            let mut shown = described(id, &found.status, &refused(wanted, &found.events));
            shown["pauseReason"] = found.pause_reason.into();
            let details = [
                ("healthStatus", found.health_status),
                ("latestError", found.latest_error),
            ];
            for (name, detail) in details {
                if let Some(detail) = detail {
                    shown[name] = detail.into();
                }
            }
            shown
        }
        Ok(None) => missing(Some(id)),
        Err(error) => unknown(Some(id), &error.to_string()),
    }
}

/// The same of a former subscription.
pub async fn describe_former(app: &App, former: &FormerSubscription) -> Value {
    let account = Account {
        base_url: &former.base_url,
        api_key: &SecretString::from(former.api_key.as_str()),
    };
    describe(app, account, &former.id, &[]).await
}

/// A subscription that Close has, without the events that it `refused`.
pub fn described(id: &str, status: &str, refused: &[String]) -> Value {
    let mut shown = json!({"id": id, "status": status, "pauseReason": null});
    if !refused.is_empty() {
        shown["refused"] = refused.into();
    }
    shown
}

/// A subscription that is at Close as another user made it.
pub fn locked(id: &str, status: &str) -> Value {
    let mut shown = described(id, status, &[]);
    shown["reason"] = "Close lets only an admin or the user who made this subscription change it, and the API key is another user's: it stays as it is".into();
    shown
}

/// A subscription that Close should have and has not.
pub fn missing(id: Option<&str>) -> Value {
    json!({"id": id, "status": MISSING})
}

/// A subscription of which Close does not say how it is.
pub fn unknown(id: Option<&str>, reason: &str) -> Value {
    json!({"id": id, "status": "unknown", "reason": reason})
}
