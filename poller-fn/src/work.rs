//! The work of a poll: read a unit, publish what is new of it, commit. Never in another order.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;
use shared::backfill::Status;
use shared::change::object_href;
use shared::clock::Clock;
use shared::close::error::CloseError;
use shared::event::{Channel, Event, EventId};
use shared::event_bus::Fate;
use shared::instance::Instance;
use shared::instance_table::Lease;
use shared::settings::Settings;
use tokio::time::Instant;

use crate::error::PollError;
use crate::fetch::Fetcher;
use crate::job::{Job, Reading, Target};
use crate::outside::Outside;
use crate::poll::Summary;
use crate::record;
use crate::walk::Unit;
use crate::watermark::Verdict;

/// A watermark of the event log that has found nothing for so long is brought up, or it would look like one that Close's
/// log no longer reaches back to.
const MAX_IDLE: SignedDuration = SignedDuration::from_hours(48);
/// To so long before now, for what becomes visible late.
const IDLE_LAG: SignedDuration = SignedDuration::from_hours(24);

/// How long publishing a unit may take, or looking up what Close hides in it: the other resources want their turn.
const PUBLISHING: Duration = Duration::from_mins(1);
const LOOKING_UP: Duration = Duration::from_secs(30);

/// What is being published when nothing more is begun has so long to reach the bus; the rest of the invocation is for its
/// commit. Cut off, it would look like trouble with the bus, and what is left would wait for its turn.
const GRACE: SignedDuration = SignedDuration::from_secs(4);

/// Does the jobs of a poll.
pub struct Worker<'a, O> {
    /// Close, the tables and the bus.
    pub outside: &'a O,
    /// The instance.
    pub instance: &'a Instance,
    /// Its configuration.
    pub settings: &'a Settings,
    /// The right to poll it.
    pub lease: &'a Lease,
    /// The time.
    pub clock: &'a Clock,
    /// Close, asked with patience.
    pub close: Fetcher<'a, O>,
    /// When nothing more is begun.
    pub stop_at: Timestamp,
    /// What came of it so far.
    pub summary: &'a mut Summary,
}

/// What a unit holds for its targets, in its order.
#[derive(Default)]
struct Sorted {
    new: Vec<New>,
    passed: Vec<Passed>,
}

/// An event that was not published before.
struct New {
    target: usize,
    /// By which its target's watermark goes.
    date: Option<Timestamp>,
    seen_id: EventId,
    event: Event,
}

/// A record that needs nothing more.
struct Passed {
    target: usize,
    date: Option<Timestamp>,
    /// By what it is to be known, if it must not be judged again.
    seen_id: Option<EventId>,
}

/// What a record is to a target.
enum Judgement {
    /// To be published, and by what it is known then.
    New(Box<Event>, EventId),
    /// Nothing more to do, and by what it is to be known, if it must not be judged again.
    Passed(Option<EventId>),
    /// The next poll's.
    Left,
}

impl<O: Outside> Worker<'_, O> {
    /// One unit of a job: read, publish, commit.
    ///
    /// # Errors
    /// What stopped it. What was done until then is committed.
    pub async fn step(&mut self, job: &mut Job<'_>) -> Result<(), PollError> {
        let Some(unit) = self.read(job).await? else {
            return Ok(());
        };
        self.check_time()?;
        let sorted = self.sort(job, unit);
        let published = self.publish(job, sorted).await;
        if published.is_ok() && job.walk.is_done() {
            self.finish(job);
        }
        // Also where some could not be published: what is on the bus need not be published again.
        for target in &mut job.targets {
            self.commit(target).await?;
        }
        published
    }

    /// The next unit, unless there is none or the walk has to begin a part anew.
    async fn read(&self, job: &mut Job<'_>) -> Result<Option<Unit>, PollError> {
        while let Some(request) = job.walk.next_request() {
            self.check_time()?;
            let page = match self.close.read(&request).await {
                Err(PollError::Close(CloseError::ExpiredCursor)) => {
                    job.walk.restart()?;
                    continue;
                }
                Err(error @ PollError::Close(CloseError::Rejected { status: 400, .. })) => {
                    return Err(job.walk.refused(error));
                }
                page => page?,
            };
            if let Some(unit) = job.walk.advance(page)? {
                return Ok(Some(unit));
            }
        }
        Ok(None)
    }

    /// Sorts out what of a unit is new.
    fn sort(&mut self, job: &Job<'_>, unit: Unit) -> Sorted {
        let mut sorted = Sorted::default();
        let mut ids = HashSet::new();
        for record in unit.into_iter().map(Arc::<RawValue>::from) {
            let date = record::date_updated(&record);
            for (index, target) in job.targets.iter().enumerate() {
                let mut pass = |seen_id| {
                    sorted.passed.push(Passed {
                        target: index,
                        date,
                        seen_id,
                    });
                };
                match self.judge(target, &record, date) {
                    // Two entries of the event log may be about one change.
                    Judgement::New(event, seen_id) if !ids.insert((index, event.id)) => {
                        pass(Some(seen_id));
                    }
                    Judgement::New(event, seen_id) => sorted.new.push(New {
                        target: index,
                        date,
                        seen_id,
                        event: *event,
                    }),
                    Judgement::Passed(seen_id) => pass(seen_id),
                    Judgement::Left => {}
                }
            }
        }
        sorted
    }

    fn judge(
        &mut self,
        target: &Target<'_>,
        record: &Arc<RawValue>,
        date: Option<Timestamp>,
    ) -> Judgement {
        let until = self.close.until();
        let (change, is_wanted) = match target.read(record, until) {
            Reading::Change(change) => (change, true),
            Reading::Refused(change) => (change, false),
            Reading::NotOurs => return Judgement::Passed(None),
        };
        let event = Event::new(self.instance, self.settings, Channel::Polling, change);
        let seen_id = target.seen_id(record, &event);
        match target.watermark.judge(seen_id, date, until) {
            Verdict::Publish if is_wanted => {
                self.summary.undated += usize::from(date.is_none());
                if event.change.is_unreadable {
                    self.summary.unreadable += 1;
                    tracing::warn!(instance.id = %self.instance.id, event.id = %event.id, "an entry of Close's event log cannot be read");
                }
                Judgement::New(Box::new(event), seen_id)
            }
            Verdict::Publish => {
                self.summary.filtered += 1;
                // An object is judged alike each time, but of an entry Close may hide what was judged.
                Judgement::Passed(target.is_logged().then_some(seen_id))
            }
            Verdict::Leave => Judgement::Left,
            Verdict::Skip => {
                self.summary.duplicates += 1;
                Judgement::Passed(None)
            }
        }
    }

    /// Publishes what is new, oldest first, and notes in the watermarks all that was handled.
    async fn publish(&mut self, job: &mut Job<'_>, mut sorted: Sorted) -> Result<(), PollError> {
        self.show_current(&mut sorted.new).await;
        let (places, events): (Vec<_>, Vec<_>) = sorted
            .new
            .into_iter()
            .map(|new| ((new.target, new.date, new.seen_id), new.event))
            .unzip();
        let end = self.stop_at.saturating_add(GRACE).unwrap_or(self.stop_at);
        let deadline = (Instant::now() + PUBLISHING).min(self.clock.instant_at(end));
        let publication = self.outside.publish(&events, deadline).await;

        // A watermark stays behind the first that is not on the bus, and behind what the walk has still to read: a record
        // may be dated later than where it stands.
        let handled = places.iter().zip(&events).zip(publication.fates());
        let late = handled.filter(|(_, fate)| **fate == Fate::Unpublished);
        let late = late.map(|(((_, date, _), event), _)| date.unwrap_or(event.change.date));
        let until = late
            .chain(job.walk.frontier())
            .fold(self.close.until(), Timestamp::min);
        for passed in sorted.passed {
            let watermark = &mut job.targets[passed.target].watermark;
            match passed.seen_id {
                Some(id) => watermark.published(id, passed.date, until),
                None => watermark.handled(passed.date, until),
            }
        }
        for ((target, date, seen_id), fate) in places.into_iter().zip(publication.fates()) {
            job.targets[target].settle(seen_id, date, until, *fate);
        }
        for target in &mut job.targets {
            target.watermark.settle(self.close.until());
        }
        self.summary.count(publication.counts());
        publication
            .error()
            .map_or(Ok(()), |error| Err(error.into()))
    }

    /// Adds the object as it is now where Close hides it from the API key in the entry. Where that does not work, or would
    /// take too long, the event says that it is hidden.
    async fn show_current(&self, new: &mut [New]) {
        let mut objects: HashMap<String, Option<Box<RawValue>>> = HashMap::new();
        let end = (Instant::now() + LOOKING_UP).min(self.clock.instant_at(self.stop_at));
        for event in new.iter_mut().map(|new| &mut new.event) {
            if !event.change.data_hidden {
                continue;
            }
            let path = object_href(&event.change.object_type, &event.change.object_id);
            if !objects.contains_key(&path) {
                if end <= Instant::now() {
                    return;
                }
                match self.close.object(&path).await {
                    Ok(object) => objects.insert(path.clone(), object),
                    Err(error) => {
                        tracing::warn!(instance.id = %self.instance.id, %error, "what Close hides was not looked up");
                        return;
                    }
                };
            }
            event.current = objects.get(&path).cloned().flatten();
        }
    }

    /// A walk has come to its end.
    fn finish(&self, job: &mut Job<'_>) {
        let until = self.close.until();
        let ago = |lag| until.saturating_sub(lag).unwrap_or(Timestamp::MIN);
        for target in &mut job.targets {
            if let Some(backfill) = &mut target.backfill {
                // One that ends where this poll does, or later by our clock or Close's, has a rest for the next poll.
                if backfill.to <= until {
                    backfill.status = Status::Done;
                }
            } else if target.is_logged() && target.watermark.position() < ago(MAX_IDLE) {
                target.watermark.skip_to(ago(IDLE_LAG));
            }
        }
    }

    async fn commit(&mut self, target: &mut Target<'_>) -> Result<(), PollError> {
        let Some(commit) = target.take_commit() else {
            return Ok(());
        };
        self.summary.forgotten += target.watermark.take_forgotten();
        Ok(self.outside.commit(self.lease, &commit).await?)
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

    /// Nothing is begun that there may be no time to end, so the lease cannot run out under it either.
    fn check_time(&self) -> Result<(), PollError> {
        if self.clock.now() < self.stop_at {
            Ok(())
        } else {
            Err(PollError::OutOfTime)
        }
    }
}
