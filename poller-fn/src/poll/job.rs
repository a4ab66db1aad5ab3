//! The jobs of a poll: walks through Close, each for the resources that it feeds.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use crate::custom_fields::batches::Batches;
use crate::poll::fetch::Backoff;
use crate::poll::target::Target;
use crate::walk::Walk;

/// How far behind the others a resource may be to share their walk through the event log.
const FAR_BEHIND: SignedDuration = SignedDuration::from_hours(1);

/// One walk and those whom it feeds.
#[derive(Debug)]
pub struct Job<'a> {
    /// The walk.
    pub walk: Walk,
    /// The resources: one, or all that are read in the event log.
    pub targets: Vec<Target<'a>>,
    /// The batches of the walk's next page that were read, where a search has too many custom fields for one request.
    pub batches: Batches,
    /// The walk's failures.
    pub backoff: Backoff,
    /// Whether Close has answered the walk in this poll.
    pub has_read: bool,
}

/// The jobs in the order in which they begin: the event log first, for Close hides what is an hour old, but last where it did not
/// answer in the poll before. Of the others another begins each time, so that none is always the one for which no time is left.
pub fn in_order(jobs: Vec<Job<'_>>, is_log_silent: bool) -> VecDeque<Job<'_>> {
    let is_logged = |job: &Job<'_>| job.targets.iter().all(Target::is_logged);
    let (log, mut others): (Vec<_>, Vec<_>) = jobs.into_iter().partition(is_logged);
    let first = fastrand::usize(..others.len().max(1));
    others.rotate_left(first);
    let jobs = if is_log_silent {
        others.into_iter().chain(log)
    } else {
        log.into_iter().chain(others)
    };
    jobs.collect()
}

impl<'a> Job<'a> {
    /// The jobs of a poll. Those that are far behind in the event log walk by themselves, or the others would wait for them.
    pub fn all(targets: Vec<Target<'a>>, now: Timestamp) -> Vec<Self> {
        let shares = |target: &Target<'_>| target.is_logged() && target.backfill.is_none();
        let ahead = targets.iter().filter(|target| shares(target));
        let ahead = ahead.map(|target| target.watermark.position()).max();
        let is_near = |target: &Target<'_>| {
            let behind = ahead.map(|ahead| ahead.duration_since(target.watermark.position()));
            behind.is_some_and(|behind| behind <= FAR_BEHIND)
        };
        let (log, others): (Vec<_>, Vec<_>) = targets
            .into_iter()
            .partition(|target| shares(target) && is_near(target));
        let log = (!log.is_empty()).then(|| Self::new(log, now));
        let others = others
            .into_iter()
            .map(|target| Self::new(vec![target], now));
        log.into_iter().chain(others).collect()
    }

    fn new(targets: Vec<Target<'a>>, now: Timestamp) -> Self {
        let from = targets.iter().map(|target| target.watermark.read_from());
        let first = &targets[0];
        let before = first.backfill.as_ref().map(|backfill| backfill.to);
        let first_end = targets
            .iter()
            .filter_map(|it| it.watermark.first_window_end());
        let from = from.min().unwrap_or(now);
        let walk = Walk::new(first.resource, from, before, first_end.min(), now);
        Self {
            walk,
            targets,
            batches: Batches::default(),
            backoff: Backoff::default(),
            has_read: false,
        }
    }
}
