//! Whether a poll leaves the next one less to do, however slow Close is.

use std::time::Duration;

use shared::instance::backfill::BackfillStatus;
use shared::store::watermarks::StoredPosition;

use crate::history::{Of, Polled, Quirks, Trouble};
use crate::oracle::{self, Done};
use crate::owed;
use crate::world::World;

/// What a poll needs for the lease, for what is stored, and to publish and to commit a unit.
const BESIDE_READING: Duration = Duration::from_secs(10);
/// Requests by which a walk finds where to read, and by which it finds its way through a moment that holds more than a
/// page, for each page.
const FINDING: usize = 4;
const DIVIDING: usize = 4;
/// Selectors in one request, after each refusal.
const BATCHES: [usize; 6] = [60, 30, 15, 7, 3, 1];
/// Walks of a cursor that expires, until a walk is given up.
const EXPIRIES: usize = 3;
/// How long the cursor of a search lives.
const CURSOR_LIFE: Duration = Duration::from_secs(30);
/// More than any history needs.
const MAX_POLLS: usize = 200;
/// What a poll has.
const TIME: Duration = Duration::from_secs(290);

/// Of that, what an endpoint uses up that does not answer.
const HANGING: Duration = Duration::from_secs(125);

/// How far an instance has come.
#[derive(PartialEq, Eq)]
pub(crate) struct Progress {
    published: usize,
    /// Of each resource where it stands, and how much of it is remembered.
    resources: Vec<(String, Option<StoredPosition>, usize)>,
}

impl Progress {
    pub(crate) fn of(world: &World) -> Self {
        let stored = world.store.borrow().load().into_iter();
        let mut resources: Vec<_> = stored
            .map(|(name, it)| {
                let seen = it.chunks.iter().map(|(_, ids)| ids.len()).sum();
                (name, it.position, seen)
            })
            .collect();
        resources.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        let published = world.bus.borrow().keys.len();
        Self {
            published,
            resources,
        }
    }
}

/// Whether there is something left for another poll, which has the time to do a part of it.
pub(crate) fn may_need_another(world: &World, pace: Duration, done: &[Done]) -> bool {
    let is_done = done
        .last()
        .is_some_and(|last| unfinished(world, pace, last).is_none());
    !is_done && has_time(world, pace)
}

/// What the last poll left, it left smaller.
pub(crate) fn check(
    world: &World,
    pace: Duration,
    before: &Progress,
    done: &[Done],
) -> Result<(), String> {
    let last = done.last().and_then(|last| unfinished(world, pace, last));
    match last {
        Some(resource) if *before == Progress::of(world) => {
            Err(format!("a poll left as much to do of {resource}"))
        }
        Some(resource) if MAX_POLLS < done.len() => Err(format!("{resource} comes to no end")),
        _ => Ok(()),
    }
}

/// A resource that the poll did not read to its end, for no other reason than want of time.
fn unfinished<'a>(world: &World, pace: Duration, done: &'a Done) -> Option<&'a str> {
    let polled = polled(world);
    let is_expiring = |label: &str| {
        let mut polled = polled.iter();
        polled.any(|polled| is_of(label, polled) && is_expiring(world, pace, polled))
    };
    let failed = done.failed();
    failed
        .into_iter()
        .find(|resource| !oracle::is_broken(world, resource) && !is_expiring(resource))
}

fn polled(world: &World) -> Vec<Polled> {
    world.eras().pop().unwrap_or_default()
}

fn is_of(label: &str, polled: &Polled) -> bool {
    label.trim_start_matches("backfill of ") == polled.of.path()
}

/// What has one date is read by one poll or by none: nothing is promised of more than there is time for.
fn has_time(world: &World, pace: Duration) -> bool {
    let time = match world.setup.quirks.broken {
        Some((_, Trouble::Hangs)) => TIME.saturating_sub(HANGING),
        _ => TIME,
    };
    let reading = time.saturating_sub(BESIDE_READING);
    let requests = reading.as_millis() / pace.as_millis().max(1);
    let backfills = world.store.borrow().backfills();
    let is_pending = |of: Of| {
        let mut backfills = backfills.iter();
        backfills.any(|it| it.status == BackfillStatus::Pending && it.resource == of.path())
    };
    let polled = polled(world);
    let backfilled = polled.iter().filter(|polled| is_pending(polled.of));
    let all = polled.iter().chain(backfilled);
    let needed = all.map(|polled| needed(world, pace, polled));
    let needed = needed.fold(0, usize::saturating_add);
    needed <= usize::try_from(requests).unwrap_or(usize::MAX)
}

/// Requests by which a resource is brought forward.
fn needed(world: &World, pace: Duration, polled: &Polled) -> usize {
    let each = page_requests(&world.setup.quirks, polled);
    let refusals = if each == 1 { 0 } else { BATCHES.len() };
    match pages(world, polled) {
        0 | 1 => FINDING + refusals + each,
        pages if owed::is_logged(polled) => FINDING + pages,
        _ if is_expiring(world, pace, polled) => FINDING + refusals + EXPIRIES * each,
        pages => FINDING + refusals + DIVIDING * pages * each,
    }
}

/// Pages that hold what has one date.
fn pages(world: &World, polled: &Polled) -> usize {
    let close = world.close.borrow();
    let (page_size, largest) = if owed::is_logged(polled) {
        (close.quirks.log_page, close.largest_moment_of_the_log())
    } else {
        (polled.page_size.into(), close.largest_moment(polled.of))
    };
    // Of a page that begins with what the one before ended with, the rest is new.
    let repeated = usize::from(close.quirks.is_repeating);
    largest.div_ceil(page_size.saturating_sub(repeated).max(1))
}

/// Whether the cursor of a page expires while the page is put together, so that a resource comes to no end.
fn is_expiring(world: &World, pace: Duration, polled: &Polled) -> bool {
    let each = page_requests(&world.setup.quirks, polled);
    let took = pace * u32::try_from(each).unwrap_or(u32::MAX);
    1 < each && 1 < pages(world, polled) && CURSOR_LIFE < took
}

/// Requests for one page: more than one where its custom fields are read in batches, and its records perhaps by themselves.
fn page_requests(quirks: &Quirks, polled: &Polled) -> usize {
    let is_search = matches!(polled.of, Of::Leads | Of::Contacts) && !owed::is_logged(polled);
    if !is_search || quirks.custom_fields <= quirks.custom_batch {
        return 1;
    }
    let batch = BATCHES
        .into_iter()
        .find(|batch| *batch <= quirks.custom_batch);
    let batches = quirks.custom_fields.div_ceil(batch.unwrap_or(1));
    batches + usize::from(polled.page_size)
}
