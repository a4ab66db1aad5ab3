//! `POST /events/closeio/{encodedId}`: a webhook becomes events.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lambda_http::http::HeaderMap;
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::event::{Channel, Event, EventId};
use shared::event_bus::{Fate, Publication};
use shared::instance::{Phase, PreviousKey};
use shared::instance_id::InstanceId;
use shared::settings::Settings;

use super::report::Tally;
use super::{payload, signature};
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
/// The ledger is a convenience: Close must not wait for it.
const LEDGER_TIMEOUT: Duration = Duration::from_millis(1_200);

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
    let events = admit_known(app, call, id).await?;
    let ids: Vec<_> = events.iter().map(|event| event.id).collect();

    let recorded = recorded(app, call, &ids).await;
    let new: Vec<_> = events
        .into_iter()
        .filter(|event| !recorded.contains(&event.id))
        .collect();
    tally.duplicates = ids.len() - new.len();
    for event in new.iter().filter(|event| event.change.is_unreadable) {
        tally.unreadable += 1;
        tracing::warn!(instance.id = %id, event.id = %event.id, "an entry of Close's event log cannot be read");
    }
    if new.is_empty() {
        tracing::info!(instance.id = %id, events = ?ids, "a webhook came again");
        return Ok(json!({"duplicate": true}));
    }
    let publication = publish(app, call, &new).await;
    tally.counts = publication.counts();
    record(app, call, &new, &publication).await;
    match publication.error() {
        Some(error) => Err(error.into()),
        None => Ok(json!({"events": ids})),
    }
}

/// Decides by what is remembered of the instance. Where the signature does not match, the table is read again, at most every
/// [`REREAD_AFTER`]: the key may have been changed through another sandbox.
async fn admit_known(
    app: &App,
    call: &Call<'_>,
    id: InstanceId,
) -> Result<Vec<Event>, HandlerError> {
    let decide = |known: &Known| admit(known, call.headers, call.body, call.clock.started());
    if let Some(Remembered { known, age }) = app.cache.get(id) {
        match decide(&known) {
            Err(HandlerError::Signature(SignatureError::Mismatch)) if REREAD_AFTER <= age => {}
            decided => return decided,
        }
    }
    decide(&*read_instance(app, id).await?)
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
    let keys = signature_keys(known, now);
    if !keys.is_empty() {
        signature::verify(&keys, headers, body)?;
    }
    let changes = payload::to_changes(body, now)?;
    let to_event = |change| Event::new(&known.instance, &known.settings, Channel::Webhook, change);
    Ok(changes.into_iter().map(to_event).collect())
}

fn signature_keys(known: &Known, now: Timestamp) -> Vec<SecretString> {
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

/// The instance from the table, if it takes webhooks.
async fn read_instance(app: &App, id: InstanceId) -> Result<Arc<Known>, HandlerError> {
    let instance = app.instances.get(id).await?;
    // Whatever was found, what was remembered is old: an instance that takes nothing any more is not to be taken for it.
    app.cache.remove(id);
    let instance = instance.ok_or(HandlerError::UnknownInstance(id))?;
    match instance.phase {
        Phase::Provisioning => return Err(HandlerError::Provisioning(id)),
        Phase::Removing => return Err(HandlerError::UnknownInstance(id)),
        Phase::Ready if instance.disabled => return Err(HandlerError::Disabled(id)),
        Phase::Ready => {}
    }
    let settings =
        Settings::stored(&instance.configuration).map_err(HandlerError::Configuration)?;
    let known = Arc::new(Known { instance, settings });
    app.cache.insert(Arc::clone(&known));
    Ok(known)
}

/// A ledger that cannot be read knows nothing: better an event twice, with one id, than none.
async fn recorded(app: &App, call: &Call<'_>, ids: &[EventId]) -> HashSet<EventId> {
    match tokio::time::timeout(
        LEDGER_TIMEOUT,
        app.ledger.recorded(ids, call.clock.started()),
    )
    .await
    {
        Ok(Ok(recorded)) => recorded,
        Ok(Err(error)) => {
            tracing::warn!(%error, "the ledger could not be read; publishing anyway");
            HashSet::new()
        }
        Err(_elapsed) => {
            tracing::warn!("the ledger did not answer in time; publishing anyway");
            HashSet::new()
        }
    }
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

/// Records what is on the bus, and nothing else. If that fails, the webhook is still done.
async fn record(app: &App, call: &Call<'_>, events: &[Event], publication: &Publication) {
    let fates = events.iter().zip(publication.fates());
    let published = fates.filter(|(_, fate)| **fate == Fate::Published);
    let ids = published.map(|(event, _)| event.id);
    match tokio::time::timeout(LEDGER_TIMEOUT, app.ledger.record(ids, call.clock.started())).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%error, "the ledger could not be written; a retry would publish again");
        }
        Err(_elapsed) => {
            tracing::warn!("the ledger did not answer in time; a retry would publish again");
        }
    }
}
