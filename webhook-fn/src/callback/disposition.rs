//! What became of the messages of a batch.

use jiff::Timestamp;
use shared::instance::id::InstanceId;

use super::decide::Outcome;
use super::message::{BatchResponse, Message};

/// Where a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// To its callback URL.
    Delivered,
    /// To wait for another attempt.
    Again,
    /// To the retry queue, without an attempt.
    Diverted,
    /// To the dead-letter queue, or the failure queue.
    Dead,
    /// Nowhere: it comes again.
    Kept,
}

/// A message and what became of it.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// The message.
    pub message: &'a Message,
    /// When its event was published, if it is one.
    pub published: Option<Timestamp>,
    /// Where it went.
    pub disposition: Disposition,
}

/// What became of the messages of a batch.
#[derive(Debug, Default)]
pub struct Handled<'a> {
    /// Of each instance.
    pub instances: Vec<(InstanceId, Vec<Ended<'a>>)>,
    /// Of those that are nobody's.
    pub nobodys: Vec<Ended<'a>>,
}

impl Handled<'_> {
    /// What SQS is told: what could not be done stays in its queue.
    pub fn answer(&self) -> BatchResponse {
        let kept = self
            .ended()
            .filter(|ended| ended.disposition == Disposition::Kept);
        BatchResponse::keeping(kept.map(|ended| ended.message.id.clone()))
    }

    /// Logs how many went where.
    pub fn log(&self) {
        let count = |disposition: Disposition| {
            self.ended()
                .filter(|ended| ended.disposition == disposition)
                .count()
        };
        tracing::info!(
            delivered = count(Disposition::Delivered),
            retried = count(Disposition::Again),
            diverted = count(Disposition::Diverted),
            dead = count(Disposition::Dead),
            kept = count(Disposition::Kept),
            "a batch of notifications was handled"
        );
    }

    fn ended(&self) -> impl Iterator<Item = &Ended<'_>> {
        let instances = self.instances.iter().flat_map(|(_, ended)| ended);
        instances.chain(&self.nobodys)
    }
}

/// Logs one line for all notifications of an instance that were not delivered.
pub fn log(id: InstanceId, handled: &[(Outcome, Disposition)]) {
    let reason = handled.iter().rev().find_map(|(outcome, _)| match outcome {
        Outcome::Delivered | Outcome::Diverted => None,
        Outcome::Again(_, reason) | Outcome::Dead(reason) => Some(reason),
    });
    let Some(reason) = reason else {
        return;
    };
    let count = |disposition: Disposition| {
        handled
            .iter()
            .filter(|(_, found)| *found == disposition)
            .count()
    };
    let (retried, dead) = (count(Disposition::Again), count(Disposition::Dead));
    if dead == 0 {
        tracing::info!(instance.id = %id, retried, %reason, "notifications failed and wait for another attempt");
    } else {
        tracing::warn!(instance.id = %id, retried, dead, %reason, "notifications were given up");
    }
}
