//! A subscription as answers show it.

use serde_json::{Map, Value, json};
use shared::instance::settings::reconciliation::Reconciliation;
use shared::instance::stream::Stream;
use shared::subscription::state::{SubscriptionAtClose, SubscriptionState};

const LOCKED: &str = "Close lets only an admin or the user who made this subscription change it, and the API key is another user's: it stays as it is";

/// How a subscription is, as JSON.
pub fn to_json(state: &SubscriptionState) -> Value {
    let status = state.status();
    match state {
        SubscriptionState::AtClose(found) => at_close(found),
        SubscriptionState::Missing { id } => json!({"id": id, "status": status}),
        SubscriptionState::Unknown { id, reason } => {
            json!({"id": id, "status": status, "reason": reason})
        }
    }
}

/// How reconciliations have found the webhooks: nothing before the first one, but for what is not reconciled.
pub fn stream_to_json(stream: &Stream, reconciliation: &Reconciliation) -> Map<String, Value> {
    let mut shown = Map::new();
    if let Some(seen) = &stream.subscription {
        shown.insert("since".to_owned(), json!(seen.since));
    }
    if let Some(until) = &stream.reconciled_until {
        shown.insert("reconciledUntil".to_owned(), json!(until));
        shown.insert("missed".to_owned(), json!(stream.missed));
    }
    let left_out = reconciliation.left_out();
    if !left_out.is_empty() {
        shown.insert("notReconciled".to_owned(), json!(left_out));
    }
    shown
}

fn at_close(found: &SubscriptionAtClose) -> Value {
    let mut shown = json!({
        "id": found.id,
        "status": found.status,
        "pauseReason": found.pause_reason,
    });
    if !found.refused.is_empty() {
        shown["refused"] = found.refused.as_slice().into();
    }
    let details = [
        ("healthStatus", found.health_status.as_deref()),
        ("latestError", found.latest_error.as_deref()),
        ("reason", found.is_locked.then_some(LOCKED)),
    ];
    for (name, detail) in details {
        if let Some(detail) = detail {
            shown[name] = detail.into();
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use shared::subscription::state::{SubscriptionAtClose, SubscriptionState};

    #[test]
    fn what_there_is_nothing_to_say_of_is_left_out_but_for_the_reason_of_a_pause() {
        let shown = |state| super::to_json(&state).to_string();
        let active = SubscriptionAtClose::new("whsub_1", "active");
        insta::assert_snapshot!(shown(SubscriptionState::AtClose(active.clone())), @r#"{"id":"whsub_1","status":"active","pauseReason":null}"#);
        let all = SubscriptionAtClose {
            pause_reason: Some("permission_revoked".to_owned()),
            refused: vec!["task.voicemail.created".to_owned()],
            health_status: Some("backlog".to_owned()),
            latest_error: Some("503".to_owned()),
            ..active.locked()
        };
        insta::assert_snapshot!(shown(SubscriptionState::AtClose(all)), @r#"{"id":"whsub_1","status":"active","pauseReason":"permission_revoked","refused":["task.voicemail.created"],"healthStatus":"backlog","latestError":"503","reason":"Close lets only an admin or the user who made this subscription change it, and the API key is another user's: it stays as it is"}"#);
        insta::assert_snapshot!(shown(SubscriptionState::Missing { id: None }), @r#"{"id":null,"status":"missing"}"#);
        let unknown = SubscriptionState::Unknown {
            id: Some("whsub_1".to_owned()),
            reason: "Close is unavailable".to_owned(),
        };
        insta::assert_snapshot!(shown(unknown), @r#"{"id":"whsub_1","status":"unknown","reason":"Close is unavailable"}"#);
    }
}
