//! A step of a job: read a unit, judge its records, publish what is new, commit. Never in another order.

use jiff::{SignedDuration, Timestamp};
use shared::instance::backfill::BackfillStatus;

use crate::error::PollError;
use crate::outside::Outside;
use crate::poll::failure::Failure;
use crate::poll::job::Job;
use crate::poll::read::Read;
use crate::poll::target::Target;
use crate::poll::worker::Worker;

/// A watermark of the event log that has found nothing for so long is brought up, or it would look like one that Close's
/// log no longer reaches back to.
const MAX_IDLE: SignedDuration = SignedDuration::from_hours(48);
/// To so long before now, for what becomes visible late.
const IDLE_LAG: SignedDuration = SignedDuration::from_hours(24);

/// The result of a job's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// A unit was read, published and committed, or there was none.
    Taken,
    /// Close takes no request of the job yet.
    Waiting,
}

impl<O: Outside> Worker<'_, O> {
    /// One unit of a job: read, judge, leave out what is on the bus already, publish, commit.
    ///
    /// # Errors
    /// What stopped it. What was done until then is committed.
    pub async fn step(&mut self, job: &mut Job<'_>) -> Result<Turn, PollError> {
        let unit = match self.read(job).await {
            Ok(Read::Unit(unit)) => unit,
            Ok(Read::End) => return Ok(Turn::Taken),
            Ok(Read::Wait) => return Ok(Turn::Waiting),
            Err(error) => {
                self.interrupt(job).await?;
                return Err(error);
            }
        };
        let mut judged = self.judge(job, unit);
        self.leave_out_recorded(job, &mut judged).await?;
        let published = self.publish(job, judged).await;
        if published.is_ok() && job.walk.is_done() {
            self.finish(job);
        }
        // Also where some could not be published: what is on the bus need not be published again.
        for target in &mut job.targets {
            if published.is_ok() {
                target.watermark.finish_window();
            }
            self.commit(target).await?;
        }
        published.map(|()| Turn::Taken)
    }

    /// Has the next poll begin with less than this one could not read to its end.
    async fn interrupt(&mut self, job: &mut Job<'_>) -> Result<(), PollError> {
        let (window_end, frontier) = (job.walk.interrupt(), job.walk.frontier());
        for target in &mut job.targets {
            let until = self.close.until();
            if target.watermark.interrupt(frontier, window_end, until) {
                self.commit(target).await?;
            }
        }
        Ok(())
    }

    /// A walk has come to its end.
    fn finish(&mut self, job: &mut Job<'_>) {
        let until = self.close.until();
        let ago = |lag| until.saturating_sub(lag).unwrap_or(Timestamp::MIN);
        for target in &mut job.targets {
            if let Some(backfill) = &mut target.backfill {
                // One that ends where this poll does, or later by our clock or Close's, has a rest for the next poll.
                if backfill.to <= until {
                    backfill.status = BackfillStatus::Done;
                }
            } else if target.is_logged() && target.watermark.position() < ago(MAX_IDLE) {
                target.watermark.skip_to(ago(IDLE_LAG));
            }
            target.watermark.reached_end();
            if target.is_reconciliation() {
                self.stream.reconciled_until = Some(until);
            }
        }
    }

    /// Notes that a job was not done.
    pub fn note_failure(&mut self, failure: &Failure, error: &PollError) {
        self.summary.fail(self.session.instance.id, failure, error);
    }

    async fn commit(&mut self, target: &mut Target<'_>) -> Result<(), PollError> {
        let Some(commit) = target.take_commit() else {
            return Ok(());
        };
        self.summary.forgotten += target.watermark.take_forgotten();
        self.session.commit(&commit).await
    }

    /// Notes in a job's backfill, if it has one, that it never will go further.
    ///
    /// # Errors
    /// When that cannot be stored.
    pub async fn give_up(&mut self, job: &mut Job<'_>, error: &PollError) -> Result<(), PollError> {
        for target in &mut job.targets {
            if target.give_up(error) {
                self.commit(target).await?;
            }
        }
        Ok(())
    }
}
