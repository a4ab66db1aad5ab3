//! What is noted at an instance of how its callback fares.

use shared::store::conflicts::Conflicts;
use shared::store::error::TableError;

use super::batch::Batch;
use super::circuit::{self, CallbackNote};
use super::decide::{Outcome, Recipient};
use super::disposition::Disposition;
use super::message::Message;
use super::outside::Outside;
use super::reason::Reason;

/// Notes how a callback fares. If it cannot be noted, the notifications are where they should be all the same.
pub async fn store<O: Outside>(batch: Batch<'_, O>, recipient: &Recipient, note: CallbackNote) {
    if let Err(error) = try_note(batch, recipient, note).await {
        let id = recipient.instance.id;
        tracing::warn!(instance.id = %id, %error, "how a callback fares could not be noted");
    }
}

async fn try_note<O: Outside>(
    batch: Batch<'_, O>,
    recipient: &Recipient,
    mut note: CallbackNote,
) -> Result<(), TableError> {
    let id = recipient.instance.id;
    let since = recipient.instance.callback_since;
    let mut stored = (recipient.instance.callback.clone(), since);
    let mut conflicts = Conflicts::default();
    loop {
        let (state, of) = stored;
        if of != since {
            // Another URL was set: the attempts say nothing of that.
            note = CallbackNote {
                waiting: note.waiting,
                ..CallbackNote::default()
            };
        }
        let now = batch.clock.now();
        let Some(change) = circuit::change(&state, of, note.clone(), now) else {
            return Ok(());
        };
        match batch.outside.note(id, &change).await {
            Err(TableError::Conflict) => {}
            noted => return noted,
        }
        let Some(instance) = batch.outside.instance(id).await? else {
            tracing::info!(instance.id = %id, "the instance was removed");
            return Ok(());
        };
        stored = (instance.callback, instance.callback_since);
        if !conflicts.retry() {
            return Err(TableError::Conflict);
        }
    }
}

/// Notifications that wait now and did not before, less those that wait no more.
pub fn waiting(message: &Message, disposition: Disposition) -> i64 {
    let waited = 0 < message.attempts;
    match disposition {
        Disposition::Again if !waited => 1,
        Disposition::Delivered | Disposition::Dead if waited => -1,
        _ => 0,
    }
}

/// The note of a batch in which notifications were handled so.
pub fn to_note(handled: &[(Outcome, Disposition)], is_slow: bool, waiting: i64) -> CallbackNote {
    let mut note = CallbackNote {
        waiting,
        is_slow,
        ..CallbackNote::default()
    };
    for (outcome, _) in handled {
        match outcome {
            Outcome::Delivered => note.is_delivered = true,
            Outcome::Again(_, reason) | Outcome::Dead(reason) if reason.is_the_callbacks() => {
                note.failure = Some(reason.to_string());
                note.is_gone |= *reason == Reason::Gone;
            }
            _ => {}
        }
    }
    note
}
