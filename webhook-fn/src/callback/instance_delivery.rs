//! The notifications of one instance in a batch.

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::{Either, join, join_all, select};
use jiff::Timestamp;
use shared::instance::id::InstanceId;
use shared::instance::settings::callback::Callback;
use tokio::time::{Instant, timeout};

use super::attempt::{Attempt, CallbackRequest};
use super::batch::{Batch, Notice};
use super::circuit::CallbackNote;
use super::decide::{self, Outcome, Plan, Recipient};
use super::disposition::{self, Disposition, Ended};
use super::message::Message;
use super::note::{self, to_note, waiting};
use super::outside::Outside;
use super::reason::Reason;
use super::{notification, schedule, signature};

/// An attempt that takes longer is slow.
const SLOW: Duration = Duration::from_secs(2);
/// Those that wait are counted so often while the attempts of others go on. It is less than the shortest wait: what comes again
/// has been counted, and can be taken off.
const COUNT_EVERY: Duration = Duration::from_secs(5);

struct Delivery<'a, O> {
    batch: Batch<'a, O>,
    id: InstanceId,
    recipient: Result<&'a Recipient, Reason>,
    is_slow: Cell<bool>,
    /// Notifications that wait now and did not before, less those that wait no more, which is not noted yet.
    waiting: Cell<i64>,
}

/// Delivers notifications of an instance, all at once, or sends them where they go instead, and notes how that went.
pub async fn deliver_to<'a, O: Outside>(
    batch: Batch<'_, O>,
    id: InstanceId,
    notices: &[Notice<'a>],
) -> Vec<Ended<'a>> {
    let recipient = match batch.outside.instance(id).await {
        Ok(instance) => Recipient::read(instance),
        Err(error) => {
            tracing::error!(instance.id = %id, %error, "an instance could not be read; its notifications come again");
            return ended(notices, std::iter::repeat(Disposition::Kept));
        }
    };
    let delivery = Delivery {
        batch,
        id,
        recipient: recipient.as_ref().map_err(|reason| *reason),
        is_slow: Cell::new(false),
        waiting: Cell::new(0),
    };
    let handling = join_all(notices.iter().map(|notice| delivery.handle(notice)));
    let handled = delivery.count_meanwhile(handling).await;
    disposition::log(id, &handled);
    if let Ok(recipient) = &recipient {
        let note = to_note(&handled, delivery.is_slow.get(), delivery.waiting.take());
        note::store(batch, recipient, note).await;
    }
    ended(
        notices,
        handled.into_iter().map(|(_, disposition)| disposition),
    )
}

fn ended<'a>(
    notices: &[Notice<'a>],
    dispositions: impl Iterator<Item = Disposition>,
) -> Vec<Ended<'a>> {
    let ended = notices
        .iter()
        .zip(dispositions)
        .map(|(notice, disposition)| Ended {
            message: notice.message,
            published: Some(notice.published.time),
            disposition,
        });
    ended.collect()
}

impl<O: Outside> Delivery<'_, O> {
    async fn handle(&self, notice: &Notice<'_>) -> (Outcome, Disposition) {
        let Batch {
            allow_loopback,
            clock,
            ..
        } = self.batch;
        let message = notice.message;
        let outcome = match self.recipient {
            Err(reason) => Outcome::Dead(reason),
            Ok(recipient) => {
                match decide::plan(recipient, message, allow_loopback, clock.now(), random()) {
                    Plan::Without(outcome) => outcome,
                    Plan::Post(callback) => {
                        let attempt = self.attempt(recipient, callback, notice).await;
                        decide::outcome(attempt, message, clock.now(), random())
                    }
                }
            }
        };
        let disposition = self.pass_on(message, outcome).await;
        let waiting = self.waiting.get() + waiting(message, disposition);
        self.waiting.set(waiting);
        (outcome, disposition)
    }

    /// Notes how many more wait while attempts go on.
    async fn count_meanwhile<T>(&self, handling: impl Future<Output = T>) -> T {
        let mut handling = std::pin::pin!(handling);
        loop {
            if let Ok(handled) = timeout(COUNT_EVERY, &mut handling).await {
                return handled;
            }
            let counting = std::pin::pin!(self.count());
            if let Either::Left((handled, counting)) = select(&mut handling, counting).await {
                counting.await;
                return handled;
            }
        }
    }

    async fn count(&self) {
        let waiting = self.waiting.take();
        if let Ok(recipient) = self.recipient
            && waiting != 0
        {
            let note = CallbackNote {
                waiting,
                ..CallbackNote::default()
            };
            note::store(self.batch, recipient, note).await;
        }
    }

    /// The last attempt is always made. Another is not where one at the same URL has just timed out.
    async fn attempt(
        &self,
        recipient: &Recipient,
        callback: &Callback,
        notice: &Notice<'_>,
    ) -> Attempt {
        let Batch { recent, clock, .. } = self.batch;
        let is_last = schedule::is_last(notice.message.attempts);
        let since = recipient.instance.callback_since;
        let recalled = recent.recall(self.id, since, Instant::now());
        if let Some(attempt) = recalled.filter(|_| !is_last) {
            return attempt;
        }
        let request = request(recipient, callback, notice, clock.now());
        let posting = self.batch.outside.post(request, clock.now());
        let attempt = self.time(recipient, posting).await;
        recent.remember(self.id, since, attempt, Instant::now());
        attempt
    }

    /// Notes that the URL is slow while the attempt goes on: other batches then leave its first attempts to the retry queue.
    async fn time(&self, recipient: &Recipient, posting: impl Future<Output = Attempt>) -> Attempt {
        let mut posting = std::pin::pin!(posting);
        if let Ok(attempt) = timeout(SLOW, &mut posting).await {
            return attempt;
        }
        if self.is_slow.replace(true) {
            return posting.await;
        }
        let note = CallbackNote {
            is_slow: true,
            ..CallbackNote::default()
        };
        join(posting, note::store(self.batch, recipient, note))
            .await
            .0
    }

    /// A message is deleted from its queue only when it is in another one, if that is where it goes.
    async fn pass_on(&self, message: &Message, outcome: Outcome) -> Disposition {
        let Batch { outside, clock, .. } = self.batch;
        let (passed_on, disposition) = match outcome {
            Outcome::Delivered => (Ok(()), Disposition::Delivered),
            Outcome::Again(retry, reason) => {
                let now = clock.now();
                let put_off = outside.put_off(message, self.id, &retry, reason, now);
                (put_off.await, Disposition::Again)
            }
            Outcome::Diverted => (
                outside.divert(message, self.id).await,
                Disposition::Diverted,
            ),
            Outcome::Dead(reason) => (outside.give_up(message, reason).await, Disposition::Dead),
        };
        match passed_on {
            Ok(()) => disposition,
            Err(error) => {
                tracing::error!(message.id, %error, "a notification could not be passed on; it comes again");
                Disposition::Kept
            }
        }
    }
}

fn request<'a>(
    recipient: &Recipient,
    callback: &'a Callback,
    notice: &Notice<'_>,
    now: Timestamp,
) -> CallbackRequest<'a> {
    let published = &notice.published;
    let body = notification::body(published, &recipient.settings);
    let keys = signature::keys(&recipient.instance, now);
    let signature = signature::headers(callback, &keys, published.event.id, now, body.as_bytes());
    CallbackRequest {
        callback,
        signature,
        body,
    }
}

/// From -1 to 1.
fn random() -> f64 {
    2.0 * fastrand::f64() - 1.0
}
