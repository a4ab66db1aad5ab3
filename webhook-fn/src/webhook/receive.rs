//! `POST /events/closeio/{encodedId}`: a webhook becomes events.

use std::time::Duration;

use jiff::Timestamp;
use lambda_http::http::HeaderMap;
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::event::{Channel, Event};
use shared::instance::PreviousKey;
use shared::instance::id::InstanceId;

use super::deliver::{Delivered, deliver};
use super::outlet::AppOutlet;
use super::report::Tally;
use super::{payload, recall, signature};
use crate::app::App;
use crate::http::call::Call;
use crate::http::error::HandlerError;
use crate::http::webhook_error::SignatureError;
use crate::instance_cache::{Known, Remembered};

/// Wrong signatures cost a read of the table no more often than this. Close retries after a minute at the earliest, so a new
/// key is known by then.
const REREAD_AFTER: Duration = Duration::from_secs(5);

/// Takes a webhook. 200 only when its events are on the bus, or were before.
///
/// # Errors
/// 4xx for what Close, or whoever sent it, would have to change; 5xx for what works when Close sends it again.
pub async fn receive(
    app: &App,
    call: &Call<'_>,
    encoded_id: &str,
    tally: &mut Tally,
) -> Result<Value, HandlerError> {
    let id = InstanceId::from_base64(encoded_id)?;
    tally.instance_id = Some(id);
    signature::hash(call.headers)?;

    let decide = |known: &Known| admit(known, call.headers, call.body, call.clock.started());
    let Remembered { known, age } = recall::recall(app, id).await?;
    let events = match decide(&known) {
        // The key may have been changed through another sandbox.
        Err(HandlerError::Signature(SignatureError::Mismatch)) if REREAD_AFTER <= age => {
            decide(&*recall::read(app, id).await?)?
        }
        admitted => admitted?,
    };

    let ids: Vec<_> = events.iter().map(|event| event.id).collect();
    let delivered = deliver(&AppOutlet { app, call }, events).await;
    let Delivered::Now(new, publication) = delivered else {
        tally.duplicates = ids.len();
        tracing::info!(instance.id = %id, events = ?ids, "a webhook came again");
        return Ok(json!({"duplicate": true}));
    };
    tally.duplicates = ids.len() - new.len();
    tally.unreadable = warn_of_unreadable(id, &new);
    tally.counts = publication.counts();
    match publication.error() {
        Some(error) => Err(error.into()),
        None => Ok(json!({"events": ids})),
    }
}

/// Decides, without doing anything, which events a body becomes.
///
/// # Errors
/// 401 where the instance has a key and the body is not signed with it, 400 where the body is none of Close's.
pub fn admit(
    known: &Known,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<Vec<Event>, HandlerError> {
    let keys = good_keys(known, now);
    if !keys.is_empty() {
        signature::verify(&keys, headers, body)?;
    }
    let changes = payload::to_changes(body, now)?;
    let to_event = |change| Event::new(&known.instance, &known.settings, Channel::Webhook, change);
    Ok(changes.into_iter().map(to_event).collect())
}

fn good_keys(known: &Known, now: Timestamp) -> Vec<SecretString> {
    let previous = PreviousKey::good(&known.instance.previous_keys, now)
        .map(|previous| previous.key.as_str().into());
    known
        .settings
        .signature_key
        .iter()
        .cloned()
        .chain(previous)
        .collect()
}

/// Returns how many of the events are of an entry that cannot be read.
fn warn_of_unreadable(id: InstanceId, events: &[Event]) -> usize {
    let unreadable: Vec<_> = events
        .iter()
        .filter(|event| event.change.is_unreadable)
        .collect();
    for event in &unreadable {
        tracing::warn!(instance.id = %id, event.id = %event.id, "an entry of Close's event log cannot be read");
    }
    unreadable.len()
}
