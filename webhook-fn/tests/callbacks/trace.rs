//! What an event went through. The product does not see it.

use jiff::{SignedDuration, Timestamp};

/// As documented: in seconds after the first failure.
const OFFSETS: [i64; 5] = [8, 64, 512, 4_096, 32_768];
/// As documented: an event is tried so often.
pub(crate) const ATTEMPTS: usize = 6;
/// As documented: the least that is between two attempts.
const MIN_WAIT: SignedDuration = SignedDuration::from_secs(8);
/// An open circuit spares an event so many attempts.
const SPARED: usize = 3;
/// So often at most an event goes from a queue to a queue: once for a slow receiver, and after each attempt but the last.
const MAX_HOPS: usize = ATTEMPTS;
/// What is due waits so long for a place where nothing goes wrong.
const QUEUEING: SignedDuration = SignedDuration::from_secs(120);

/// The way of a copy of an event up to now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trace {
    /// Which event.
    pub(crate) event: usize,
    /// Its attempts that have failed, and those that it was spared.
    attempts: usize,
    first_failure: Option<Timestamp>,
    /// When the next attempt may be made, and by when it must be.
    due: Option<(Timestamp, Timestamp)>,
    /// Queues it went to from a queue, since it last waited in the table.
    hops: usize,
}

/// Why an attempt has not delivered an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// It failed; the receiver asked for so much time.
    Failed(Option<SignedDuration>),
    /// It was not made, because the circuit is open.
    Spared,
}

impl Trace {
    pub(crate) fn new(event: usize) -> Self {
        Self {
            event,
            ..Self::default()
        }
    }

    /// How many attempts there are to be counted after another has failed.
    pub(crate) fn attempts_with(&self, how: How) -> usize {
        self.attempts + if how == How::Spared { SPARED } else { 1 }
    }

    /// The way on, after an attempt.
    pub(crate) fn put_off(&self, how: How, now: Timestamp) -> Result<Self, String> {
        let attempts = self.attempts_with(how);
        let offset = attempts.checked_sub(1).and_then(|index| OFFSETS.get(index));
        let offset = *offset.ok_or_else(|| format!("event {} is tried too often", self.event))?;
        let first_failure = self.first_failure.unwrap_or(now);
        let asked = match how {
            How::Failed(Some(asked)) => asked.max(MIN_WAIT),
            _ => MIN_WAIT,
        };
        let at = |share| {
            let scheduled = first_failure + SignedDuration::from_secs(offset).mul_f64(share);
            scheduled.max(now + asked)
        };
        Ok(Self {
            event: self.event,
            attempts,
            first_failure: Some(first_failure),
            due: Some((at(0.9), at(1.1))),
            hops: self.hops,
        })
    }

    /// The way on, into a queue.
    pub(crate) fn hop(mut self) -> Result<Self, String> {
        self.hops += 1;
        if MAX_HOPS < self.hops {
            return Err(format!(
                "event {} went from queue to queue too often",
                self.event
            ));
        }
        Ok(self)
    }

    /// The way on, into the table, from where the way to a queue is a new one.
    pub(crate) fn wait(mut self) -> Self {
        self.hops = 0;
        self
    }

    /// What is wrong with its being received now, if lateness is.
    pub(crate) fn objection(&self, now: Timestamp, is_punctual: bool) -> Option<String> {
        let (from, to) = self.due?;
        // The product measures its times within the batch, a little before ours.
        let is_early = now + SignedDuration::from_secs(1) < from;
        let is_late = is_punctual && to + QUEUEING < now;
        (is_early || is_late).then(|| {
            let Self {
                event, attempts, ..
            } = self;
            format!(
                "event {event} comes at {now} after {attempts} attempts, not from {from} to {to}"
            )
        })
    }
}
