//! What became of the messages of a batch.

use jiff::Timestamp;
use shared::instance_id::InstanceId;

use super::decide::Outcome;
use super::message::{Answer, Message};

/// Where a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
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
    pub fate: Fate,
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
    pub fn answer(&self) -> Answer {
        let kept = self.ended().filter(|ended| ended.fate == Fate::Kept);
        Answer::keeping(kept.map(|ended| ended.message.id.clone()))
    }

    /// Logs how many went where.
    pub fn log(&self) {
        let count = |fate: Fate| self.ended().filter(|ended| ended.fate == fate).count();
        tracing::info!(
            delivered = count(Fate::Delivered),
            retried = count(Fate::Again),
            diverted = count(Fate::Diverted),
            dead = count(Fate::Dead),
            kept = count(Fate::Kept),
            "a batch of notifications was handled"
        );
    }

    fn ended(&self) -> impl Iterator<Item = &Ended<'_>> {
        let instances = self.instances.iter().flat_map(|(_, ended)| ended);
        instances.chain(&self.nobodys)
    }
}

/// Logs one line for all notifications of an instance that were not delivered.
pub fn log(id: InstanceId, handled: &[(Outcome, Fate)]) {
    let reason = handled.iter().rev().find_map(|(outcome, _)| match outcome {
        Outcome::Delivered | Outcome::Diverted => None,
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
