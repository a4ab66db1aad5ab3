//! The work of a poll: read a unit, publish what is new of it, commit. Never in another order.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;
use shared::close::object_type;
use shared::event::bus::Fate;
use shared::event::id::EventId;
use shared::event::{Channel, Event};
use shared::function::clock::Clock;
use shared::instance::Instance;
use shared::instance::backfill::Status;
use shared::instance::last_poll::LastPoll;
use shared::instance::settings::Settings;
use shared::json::path;
use shared::store::instances::lease::Lease;
use tokio::time::Instant;

use crate::custom_fields::CustomFields;
use crate::error::PollError;
use crate::fetch::Fetcher;
use crate::job::{Job, Reading, Target};
use crate::outside::Outside;
use crate::poll::Summary;
use crate::reading::Read;
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
pub(crate) const LOOKING_UP: Duration = Duration::from_secs(30);

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
    /// The custom fields that are asked for.
    pub custom_fields: CustomFields,
    /// Counts the records of each polled resource. Those of backfills are not counted.
    pub found: &'a mut LastPoll,
}

/// The result of a job's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// A unit was read, published and committed, or there was none.
    Taken,
    /// Close takes no request of the job yet.
    Waiting,
}

/// A unit, judged for its targets.
#[derive(Default)]
struct Judged {
    /// In the order of the unit.
    records: Vec<JudgedRecord>,
    /// What was not published before.
    events: Vec<Event>,
    /// For each event, the target that publishes it.
    publishers: Vec<usize>,
}

/// A record that one target is done with, once the event that it may need is on the bus.
struct JudgedRecord {
    target: usize,
    /// By which its target's watermark goes.
    date: Option<Timestamp>,
    /// By what it is to be known, if it must not be judged again.
    seen_id: Option<EventId>,
    /// The place of its event, which another record of the unit may share.
    event: Option<usize>,
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
        let judged = self.judge_all(job, unit);
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

    /// Judges a unit. Two records may be about one change: a search may show an object twice, and two entries of the event log
    /// may be about one change of an object.
    fn judge_all(&mut self, job: &Job<'_>, unit: Unit) -> Judged {
        let mut judged = Judged::default();
        let mut places = HashMap::new();
        for record in unit.into_iter().map(Arc::<RawValue>::from) {
            let date = record::date_updated(&record);
            for (index, target) in job.targets.iter().enumerate() {
                let (seen_id, event) = match self.judge(target, &record, date) {
                    Judgement::New(event, seen_id) => {
                        let place = places.entry((index, event.id)).or_insert_with(|| {
                            judged.events.push(*event);
                            judged.publishers.push(index);
                            judged.events.len() - 1
                        });
                        (Some(seen_id), Some(*place))
                    }
                    Judgement::Passed(seen_id) => (seen_id, None),
                    Judgement::Left => continue,
                };
                judged.records.push(JudgedRecord {
                    target: index,
                    date,
                    seen_id,
                    event,
                });
            }
        }
        judged
    }

    fn judge(
        &mut self,
        target: &Target<'_>,
        record: &Arc<RawValue>,
        date: Option<Timestamp>,
    ) -> Judgement {
        let until = self.close.until();
        let resolved = self.custom_fields.resolved(target.resource, record);
        let (change, is_wanted) = match target.read(record, &resolved, until) {
            Reading::Change(change) => (change, true),
            Reading::Refused(change) => (change, false),
            Reading::NotOurs => return Judgement::Passed(None),
        };
        let event = Event::new(self.instance, self.settings, Channel::Polling, change);
        let seen_id = target.seen_id(record, &event);
        let verdict = if target.watermark.has_seen(event.id) {
            // By the event's own id, where the resource was read another way before.
            Verdict::Skip
        } else {
            target.watermark.judge(seen_id, date, until)
        };
        if target.backfill.is_none() && verdict != Verdict::Leave {
            self.found.read(&target.name, is_wanted);
            self.note_paths(target, &resolved);
        }
        match verdict {
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

    /// Notes which paths of a resource lead somewhere.
    fn note_paths(&mut self, target: &Target<'_>, record: &RawValue) {
        if !self.found.is_lacking(&target.name) {
            return;
        }
        let (resource, fields) = (target.resource, &self.custom_fields);
        let Some(object) = target.judged(record) else {
            return;
        };
        let leads = |path: &str| fields.knows(resource, path) || path::at(&object, path).is_some();
        self.found.carries(&target.name, leads);
    }

    /// Publishes what is new, oldest first, and notes in the watermarks all that was handled.
    async fn publish(&mut self, job: &mut Job<'_>, mut judged: Judged) -> Result<(), PollError> {
        self.show_current(&mut judged.events).await;
        let end = self.stop_at.saturating_add(GRACE).unwrap_or(self.stop_at);
        let deadline = (Instant::now() + PUBLISHING).min(self.clock.instant_at(end));
        let publication = self.outside.publish(&judged.events, deadline).await;
        let fate = |place: usize| publication.fates().get(place).copied();
        let is_late = |record: &JudgedRecord| {
            let fate = record
                .event
                .map(|place| fate(place).unwrap_or(Fate::Unpublished));
            fate == Some(Fate::Unpublished)
        };

        // A watermark stays behind the first that is not on the bus, and behind what the walk has still to read: a record
        // may be dated later than where it stands.
        let late = judged.records.iter().filter(|record| is_late(record));
        // Nobody can tell where one without a date stands, so nothing of its unit moves the watermark.
        let late = late.map(|record| record.date.unwrap_or(Timestamp::MIN));
        let until = late
            .chain(job.walk.frontier())
            .fold(self.close.until(), Timestamp::min);
        for record in judged.records.iter().filter(|record| !is_late(record)) {
            let watermark = &mut job.targets[record.target].watermark;
            match record.seen_id {
                Some(id) => watermark.published(id, record.date, until),
                None => watermark.handled(record.date, until),
            }
        }
        for (target, fate) in judged.publishers.iter().zip(publication.fates()) {
            let target = &mut job.targets[*target];
            target.count(*fate);
            if target.backfill.is_none() && *fate == Fate::Published {
                self.found.published(&target.name);
            }
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
    async fn show_current(&self, events: &mut [Event]) {
        let mut objects: HashMap<String, Option<Box<RawValue>>> = HashMap::new();
        let end = (Instant::now() + LOOKING_UP).min(self.clock.instant_at(self.stop_at));
        for event in events {
            if !event.change.data_hidden {
                continue;
            }
            let change = &event.change;
            let Some(path) = object_type::path(&change.object_type, &change.object_id) else {
                continue;
            };
            if !objects.contains_key(&path) {
                match self.close.object(&path, end).await {
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
            target.watermark.reached_end();
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
}
