//! The jobs of a poll take turns, so that none uses up the time or Close's rate limit for the others.

use std::collections::VecDeque;

use crate::error::ErrorKind;
use crate::outside::Outside;
use crate::poll::failure::Failure;
use crate::poll::job::Job;
use crate::poll::step::Turn;
use crate::poll::worker::Worker;

/// Does the jobs, a unit at a time. Returns how many units were read, and the jobs that failed.
pub async fn take_turns<O: Outside>(
    worker: &mut Worker<'_, O>,
    mut jobs: VecDeque<Job<'_>>,
) -> (usize, Vec<Failure>) {
    let (mut units, mut failures) = (0, Vec::new());
    while let Some((place, mut job)) = next(worker, &mut jobs).await {
        let result = match worker.step(&mut job).await {
            Err(error) => worker.give_up(&mut job, &error).await.and(Err(error)),
            done => done,
        };
        match result {
            // The others have their turn before an endpoint is taken for one that always fails.
            Ok(Turn::Waiting) if job.backoff.has_failed() => jobs.push_back(job),
            // It keeps its place: a window that was begun is read on before another is.
            Ok(Turn::Waiting) => jobs.insert(place, job),
            Ok(Turn::Taken) => {
                units += 1;
                if !job.walk.is_done() {
                    jobs.push_back(job);
                }
            }
            Err(error) => {
                let failure = Failure::of_job(&job, error.reason());
                worker.note_failure(&failure, &error);
                failures.push(failure);
                if error.kind() == ErrorKind::LeaseLost {
                    break;
                }
            }
        }
    }
    (units, failures)
}

/// The first job that may make a request, with its place. Where all have to wait, the one that has to wait least is waited
/// for.
async fn next<'a, O: Outside>(
    worker: &Worker<'_, O>,
    jobs: &mut VecDeque<Job<'a>>,
) -> Option<(usize, Job<'a>)> {
    let close = &worker.close;
    let ready_at = |job: &Job<'_>| close.ready_at(worker.next_request(job).as_ref(), &job.backoff);
    let times = jobs.iter().map(ready_at).enumerate();
    let (place, time) = times.min_by_key(|(_, time)| *time)?;
    close.sleep_until(time).await;
    Some((place, jobs.remove(place)?))
}
