//! Failures of jobs and of polls.

use jiff::Timestamp;

use crate::error::{ErrorKind, Reason};
use crate::poll::job::Job;
use crate::poll::target::Target;

/// The name that stands for the resources where the poll itself failed.
const INSTANCE: &str = "instance";

/// A job, or the poll itself, that did not come to its end.
#[derive(Debug)]
pub struct Failure {
    /// The resources, by what logs call them.
    pub resources: Vec<String>,
    /// The watermarks of those that are no backfill.
    pub behind: Vec<Timestamp>,
    /// Whether Close answered anything.
    pub has_read: bool,
    /// Whether it is about the event log.
    pub is_logged: bool,
    /// Why.
    pub reason: Reason,
}

impl Failure {
    /// A job failed.
    pub fn of_job(job: &Job<'_>, reason: Reason) -> Self {
        let polled = job.targets.iter().filter(|it| it.backfill.is_none());
        Self {
            resources: job.targets.iter().map(Target::label).collect(),
            behind: polled.map(|target| target.watermark.position()).collect(),
            has_read: job.has_read,
            is_logged: job.targets.iter().all(Target::is_logged),
            reason,
        }
    }

    /// The poll itself failed.
    pub fn of_poll(reason: Reason) -> Self {
        Self {
            resources: vec![INSTANCE.to_owned()],
            behind: Vec::new(),
            has_read: false,
            is_logged: false,
            reason,
        }
    }

    /// Whether the next poll goes on at once. Where nothing could be read, that would only hold a place.
    pub fn is_unfinished(&self) -> bool {
        self.reason.kind == ErrorKind::OutOfTime && self.has_read
    }

    /// Whether the failure passes by itself.
    pub fn is_passing(&self) -> bool {
        match self.reason.kind {
            ErrorKind::Passing => true,
            ErrorKind::OutOfTime => !self.has_read,
            ErrorKind::Refused | ErrorKind::LeaseLost | ErrorKind::Stuck => false,
        }
    }
}
