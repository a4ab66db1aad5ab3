//! `POST /events/closeio/{encodedId}`: a webhook becomes events.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lambda_http::http::HeaderMap;
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::event::bus::publication::Publication;
use shared::event::id::EventId;
use shared::event::{Channel, Event};
use shared::instance::PreviousKey;
use shared::instance::id::InstanceId;

use super::report::Tally;
use super::{ledger, payload, recall, signature};
use crate::app::App;
use crate::http::call::Call;
use crate::http::error::HandlerError;
use crate::http::webhook_error::SignatureError;
use crate::instance_cache::{Known, Remembered};

/// What is left for the ledger and the answer when publishing has used up its time.
const ANSWER_MARGIN: SignedDuration = SignedDuration::from_secs(3);
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
    let new = leave_out_recorded(app, call, events, &ids).await;
    tally.duplicates = ids.len() - new.len();
    tally.unreadable = warn_of_unreadable(id, &new);
    if new.is_empty() {
        tracing::info!(instance.id = %id, events = ?ids, "a webhook came again");
        return Ok(json!({"duplicate": true}));
    }

    let publication = publish(app, call, &new).await;
    tally.counts = publication.counts();
    ledger::record(app, call, &new, &publication).await;
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

/// The events that are not on the bus yet, as far as the ledger knows.
async fn leave_out_recorded(
    app: &App,
    call: &Call<'_>,
    events: Vec<Event>,
    ids: &[EventId],
) -> Vec<Event> {
    let recorded = ledger::recorded(app, call, ids).await;
    let events = events.into_iter();
    let new = events.filter(|event| !recorded.contains(&event.id));
    new.collect()
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

async fn publish(app: &App, call: &Call<'_>, events: &[Event]) -> Publication {
    let stop_at = call
        .deadline
        .saturating_sub(ANSWER_MARGIN)
        .unwrap_or(call.deadline);
    let bus = app.bus.traced(call.trace_header);
    let publication = bus.publish(events, call.clock.instant_at(stop_at)).await;
    let counts = publication.counts();
    tracing::info!(
        published = counts.published,
        unpublishable = counts.unpublishable,
        unpublished = counts.unpublished,
        "the events of a webhook were sent"
    );
    publication
}
