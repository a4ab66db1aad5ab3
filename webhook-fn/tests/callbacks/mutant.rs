//! Adapters that turn a right callback-fn into a wrong one. A proof that does not notice proves nothing.

use jiff::{SignedDuration, Timestamp};
use shared::instance::Instance;
use shared::instance::callback_state::CallbackChange;
use shared::instance::id::InstanceId;
use shared::store::error::TableError;
use webhook_fn::callback::attempt::{Attempt, CallbackRequest};
use webhook_fn::callback::circuit::OPEN_FOR;
use webhook_fn::callback::message::{Message, Retry};
use webhook_fn::callback::outside::{Outside, PassOnError};
use webhook_fn::callback::queues::MAX_DELAY;
use webhook_fn::callback::reason::Reason;
use webhook_fn::callback::schedule;
use webhook_fn::callback::waits_table::{Waiting, WaitingCursor, WaitingPage};

use crate::history::failed;
use crate::instance;
use crate::seat::Seat;

/// A circuit opens only while so many wait.
const MAX_WAITING: i64 = 1_000;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// A circuit opens at the first failure while many wait, and what comes then is given up.
    CircuitGivesUp,
    /// A circuit opens at the first failure while many wait, whatever else is delivered.
    HastyCircuit,
    /// A batch is deleted before it is handled.
    AcknowledgedFirst,
    /// A message is deleted also where it could not be passed on.
    KeptIsDeleted,
    /// What is put off does not count as an attempt.
    AttemptNotCounted,
    /// Each wait counts from the last failure.
    FirstFailureForgotten,
    /// No wait is longer than a queue's.
    CappedWaits,
    /// Long waits go round and round through the queue.
    WaitsInQueue,
    /// Notes are written whatever is stored.
    CarelessNotes,
    /// What has waited is removed before it is in the queue.
    RemovedFirst,
    /// The last attempt is not made.
    GivesUpEarly,
    /// A URL that is gone takes all others of its instance with it.
    GoneForever,
    /// After a timeout all attempts are spared for long, the last ones too.
    LongMemory,
}

impl Mutant {
    pub(crate) const ALL: [Self; 13] = [
        Self::CircuitGivesUp,
        Self::HastyCircuit,
        Self::AcknowledgedFirst,
        Self::KeptIsDeleted,
        Self::AttemptNotCounted,
        Self::FirstFailureForgotten,
        Self::CappedWaits,
        Self::WaitsInQueue,
        Self::CarelessNotes,
        Self::RemovedFirst,
        Self::GivesUpEarly,
        Self::GoneForever,
        Self::LongMemory,
    ];
}

impl Mutant {
    /// Whether it is wrong only about an instance of which many notifications wait, while many more come.
    pub(crate) fn needs_a_crowd(self) -> bool {
        self == Self::HastyCircuit
    }
}

/// A seat with something wrong about it, perhaps.
pub(crate) struct Mutated<'a> {
    pub(crate) seat: &'a Seat<'a>,
    pub(crate) mutant: Option<Mutant>,
}

impl Mutated<'_> {
    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    fn let_gone_stick(&self, instance: &mut Instance) {
        if !self.is(Mutant::GoneForever) {
            return;
        }
        let mut versions = 0..instance.callback_since;
        let world = self.seat.world;
        if versions.any(|since| world.is_gone((instance.id, since))) {
            instance.callback.since = instance.callback_since;
            instance.callback.gone = true;
        }
    }

    fn open_hastily(&self, instance: &mut Instance) {
        let is_hasty = self.is(Mutant::CircuitGivesUp) || self.is(Mutant::HastyCircuit);
        let state = &mut instance.callback;
        if is_hasty && MAX_WAITING <= state.waiting && state.last_success < state.last_failure {
            state.open_until = state.last_failure.map(|failure| failure + OPEN_FOR);
        }
    }
}

impl Outside for Mutated<'_> {
    async fn instance(&self, id: InstanceId) -> Result<Option<Instance>, TableError> {
        let mut instance = self.seat.instance(id).await?;
        if let Some(instance) = &mut instance {
            self.open_hastily(instance);
            self.let_gone_stick(instance);
        }
        Ok(instance)
    }

    async fn note(&self, id: InstanceId, change: &CallbackChange) -> Result<(), TableError> {
        if self.is(Mutant::CarelessNotes) {
            return self.seat.note_whatever_is_stored(id, change).await;
        }
        self.seat.note(id, change).await
    }

    async fn post(&self, request: CallbackRequest<'_>, now: Timestamp) -> Attempt {
        if self.is(Mutant::LongMemory) {
            let (place, _) = instance::place_of(request.callback.url.as_str());
            let called = self.seat.called(instance::id(place));
            if self.seat.world.has_timed_out(called, OPEN_FOR) {
                return failed(Reason::Timeout, None);
            }
        }
        self.seat.post(request, now).await
    }

    async fn put_off(
        &self,
        message: &Message,
        id: InstanceId,
        retry: &Retry,
        reason: Reason,
        now: Timestamp,
    ) -> Result<(), PassOnError> {
        let mut retry = *retry;
        let delay = retry.due.duration_since(now).min(MAX_DELAY);
        match self.mutant {
            Some(Mutant::CircuitGivesUp) if reason == Reason::CircuitOpen => {
                return self.seat.give_up(message, reason).await;
            }
            Some(Mutant::GivesUpEarly) if schedule::is_last(retry.attempts) => {
                return self.seat.give_up(message, reason).await;
            }
            Some(Mutant::WaitsInQueue) => {
                let putting_off = self
                    .seat
                    .put_off_in_queue(message, id, &retry, reason, delay);
                return putting_off.await;
            }
            Some(Mutant::CappedWaits) => retry.due = now + delay,
            Some(Mutant::AttemptNotCounted) => retry.attempts = message.attempts,
            Some(Mutant::FirstFailureForgotten) => retry.first_failure = now,
            _ => {}
        }
        self.seat.put_off(message, id, &retry, reason, now).await
    }

    async fn divert(&self, message: &Message, id: InstanceId) -> Result<(), PassOnError> {
        self.seat.divert(message, id).await
    }

    async fn give_up(&self, message: &Message, reason: Reason) -> Result<(), PassOnError> {
        self.seat.give_up(message, reason).await
    }

    async fn due(
        &self,
        shard: u64,
        until: Timestamp,
        after: Option<WaitingCursor>,
    ) -> Result<WaitingPage, TableError> {
        self.seat.due(shard, until, after).await
    }

    async fn release(&self, waiting: &Waiting, delay: SignedDuration) -> Result<(), PassOnError> {
        if !self.is(Mutant::RemovedFirst) {
            return self.seat.release(waiting, delay).await;
        }
        let trace = self.seat.waiting(waiting);
        self.seat.remove(waiting).await?;
        self.seat.send(waiting, trace, delay).await
    }

    async fn remove(&self, waiting: &Waiting) -> Result<(), TableError> {
        self.seat.remove(waiting).await
    }
}
