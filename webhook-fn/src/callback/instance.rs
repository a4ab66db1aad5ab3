//! The notifications of one instance in a batch.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use shared::callback::CallbackNote;
use shared::instance_id::InstanceId;
use shared::settings::callback::Callback;
use shared::table::TableError;
use tokio::time::Instant;

use super::app::{App, Fate, Notice, Turn};
use super::decide::{self, Known, Outcome};
use super::deliver::{self, Request};
use super::message::Message;
use super::reason::Reason;
use super::{notification, report, signature};

/// Requests to one callback URL at a time. They begin in the order of the queue, which itself keeps none.
const AT_ONCE: usize = 5;
/// With less time than this a request is not begun: to connect alone may take so long.
const MIN_TIMEOUT: Duration = Duration::from_secs(5);

struct Delivery<'a> {
    app: &'a App,
    known: Result<&'a Known, Reason>,
    turn: Turn,
}

/// Delivers notifications of an instance, or sends them where they go instead, and notes how that went.
pub async fn deliver_to<'a>(
    app: &App,
    id: InstanceId,
    notices: &[Notice<'a>],
    turn: Turn,
) -> Vec<(&'a Message, Fate)> {
    let known = match app.instances.get(id).await {
        Ok(instance) => decide::know(instance),
        Err(error) => {
            tracing::error!(instance.id = %id, %error, "an instance could not be read; its notifications come again");
            let messages = notices.iter().map(|notice| notice.message);
            return messages.map(|message| (message, Fate::Kept)).collect();
        }
    };
    let delivery = Delivery {
        app,
        known: known.as_ref().map_err(|reason| *reason),
        turn,
    };
    let handled = stream::iter(notices).map(|notice| delivery.handle(notice));
    let handled: Vec<_> = handled.buffered(AT_ONCE).collect().await;
    let now = turn.clock.now();
    log(id, &handled);
    if let Ok(known) = &known {
        note(app, known, notices, &handled, turn).await;
    }
    let messages = notices.iter().map(|notice| notice.message);
    let fates = handled.into_iter().map(|(_, fate)| fate);
    let fates: Vec<_> = messages.zip(fates).collect();
    app.metrics
        .write(report::measures(Some(id), &fates, now), now);
    fates
}

impl Delivery<'_> {
    async fn handle(&self, notice: &Notice<'_>) -> (Outcome, Fate) {
        let now = self.turn.clock.now();
        let allow_loopback = self.app.config.allow_loopback;
        let outcome = match self.known {
            Err(reason) => Outcome::Dead(reason),
            Ok(known) => match decide::destination(known, notice.message, allow_loopback, now) {
                Err(reason) => Outcome::Dead(reason),
                Ok(callback) => self.attempt(known, callback, notice).await,
            },
        };
        (outcome, self.pass_on(notice.message, outcome).await)
    }

    async fn attempt(&self, known: &Known, callback: &Callback, notice: &Notice<'_>) -> Outcome {
        let (id, url) = (known.instance.id, &callback.url);
        let recent = &self.app.recent;
        let attempt = if let Some(attempt) = recent.recall(id, url, Instant::now()) {
            attempt
        } else {
            let timeout = self.turn.deadline.saturating_duration_since(Instant::now());
            if timeout < MIN_TIMEOUT {
                return decide::postponed(notice.message, self.turn.clock.now());
            }
            let request = self.request(known, callback, notice);
            let now = self.turn.clock.now();
            let attempt = deliver::send(&self.app.http, request, timeout, now).await;
            recent.remember(id, url, attempt, Instant::now());
            attempt
        };
        let random = 2.0 * fastrand::f64() - 1.0;
        decide::outcome(attempt, notice.message, self.turn.clock.now(), random)
    }

    fn request<'a>(
        &self,
        known: &Known,
        callback: &'a Callback,
        notice: &Notice<'_>,
    ) -> Request<'a> {
        let Notice { message, event } = notice;
        let body = notification::body(event, &known.settings, message.queued_at);
        let now = self.turn.clock.now();
        let keys = signature::keys(&known.instance, now);
        let signature = signature::headers(callback, &keys, event.id, now, body.as_bytes());
        Request {
            callback,
            signature,
            body,
        }
    }

    /// A message is deleted from its queue only when it is in another one, if that is where it goes.
    async fn pass_on(&self, message: &Message, outcome: Outcome) -> Fate {
        let queues = &self.app.queues;
        let (passed_on, fate) = match outcome {
            Outcome::Delivered => (Ok(()), Fate::Delivered),
            Outcome::Again(retry, reason) => {
                let now = self.turn.clock.now();
                (
                    queues.retry(message, &retry, reason, now).await,
                    Fate::Again,
                )
            }
            Outcome::Dead(reason) => (queues.give_up(message, reason).await, Fate::Dead),
        };
        match passed_on {
            Ok(()) => fate,
            Err(error) => {
                tracing::error!(message.id, %error, "a notification could not be passed on; it comes again");
                Fate::Kept
            }
        }
    }
}

/// One line for all that were not delivered.
fn log(id: InstanceId, handled: &[(Outcome, Fate)]) {
    let reason = handled.iter().rev().find_map(|(outcome, _)| match outcome {
        Outcome::Delivered => None,
        Outcome::Again(_, reason) | Outcome::Dead(reason) => Some(reason),
    });
    let Some(reason) = reason else {
        return;
    };
    let count = |fate: Fate| handled.iter().filter(|(_, found)| *found == fate).count();
    let (retried, dead) = (count(Fate::Again), count(Fate::Dead));
    if dead == 0 {
        tracing::info!(instance.id = %id, retried, %reason, "notifications failed and wait for another attempt");
    } else {
        tracing::warn!(instance.id = %id, retried, dead, %reason, "notifications were given up");
    }
}

/// If it cannot be noted, the notifications are where they should be all the same.
async fn note(
    app: &App,
    known: &Known,
    notices: &[Notice<'_>],
    handled: &[(Outcome, Fate)],
    turn: Turn,
) {
    let id = known.instance.id;
    let note = to_note(known, notices, handled);
    let Some(change) = known.instance.callback.change(note, turn.clock.now()) else {
        return;
    };
    match app.instances.note_callback(id, &change).await {
        Ok(()) => {}
        Err(TableError::Conflict) => tracing::info!(instance.id = %id, "the instance was removed"),
        Err(error) => {
            tracing::warn!(instance.id = %id, %error, "how a callback fares could not be noted");
        }
    }
}

fn to_note(known: &Known, notices: &[Notice<'_>], handled: &[(Outcome, Fate)]) -> CallbackNote {
    let url = known
        .settings
        .callback
        .as_ref()
        .map(|callback| &callback.url);
    let is_gone = url.is_some_and(|url| known.instance.callback.is_gone(url));
    let mut note = CallbackNote::default();
    for (notice, (outcome, fate)) in notices.iter().zip(handled) {
        let waited = notice.message.retry.is_some();
        note.waiting += match fate {
            Fate::Again if !waited => 1,
            Fate::Delivered | Fate::Dead if waited => -1,
            _ => 0,
        };
        match outcome {
            Outcome::Delivered => note.is_delivered = true,
            Outcome::Dead(Reason::Gone) if is_gone => {}
            Outcome::Again(_, reason) | Outcome::Dead(reason) if reason.is_the_callbacks() => {
                note.failure = Some(reason.to_string());
            }
            Outcome::Again(..) | Outcome::Dead(_) => {}
        }
        if *outcome == Outcome::Dead(Reason::Gone) && !is_gone {
            note.gone_url = url.map(ToString::to_string);
        }
    }
    note
}
