//! A model of the two tables: the lease in the instance's item, the watermarks, and the transaction over both.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use shared::instance::Instance;
use shared::instance::backfill::{Backfill, BackfillStatus};
use shared::instance::configuration::Configuration;
use shared::instance::health::Health;
use shared::instance::settings::Settings;
use shared::instance::stream::Stream;
use shared::store::error::TableError;
use shared::store::instances::lease::{Acquired, Lease};
use shared::store::watermarks::{Commit, StoredPosition, StoredResource};

/// Items of a transaction. Source: docs.aws.amazon.com/amazondynamodb, `TransactWriteItems`.
const MAX_ITEMS: usize = 100;
/// Ids of what was published lately, and the bytes of one: what a resource may keep.
const MAX_SEEN: usize = 200_000;
const SEEN_BYTES: usize = 24;
/// So soon an instance is polled again, whose interval is shorter, and whose poll may have a wrong clock.
const SOON: SignedDuration = SignedDuration::from_mins(15 + 3);
/// By so much its clock may be wrong.
const LEEWAY: SignedDuration = SignedDuration::from_mins(3);
/// Bytes of an item. Source: docs.aws.amazon.com/amazondynamodb, "Item size".
const MAX_ITEM: usize = 400 * 1024;

/// The tables.
pub(crate) struct Store {
    instance: Instance,
    /// Those that another was asked for after.
    old_backfills: Vec<Backfill>,
    lease: Option<(String, Timestamp)>,
    resources: HashMap<String, Stored>,
}

#[derive(Default)]
struct Stored {
    position: Option<StoredPosition>,
    chunks: BTreeMap<u32, Vec<u8>>,
    fields: Option<String>,
}

impl Store {
    pub(crate) fn new(instance: Instance) -> Self {
        Self {
            instance,
            old_backfills: Vec::new(),
            lease: None,
            resources: HashMap::new(),
        }
    }

    /// Takes the lease, unless somebody else has it.
    pub(crate) fn acquire(
        &mut self,
        lease: &Lease,
        now: Timestamp,
        expires: Timestamp,
    ) -> Acquired {
        let is_free = self
            .lease
            .as_ref()
            .is_none_or(|(token, expires)| *expires < now || *token == lease.token);
        if !is_free {
            return Acquired::ByAnother;
        }
        self.lease = Some((lease.token.clone(), expires));
        Acquired::Held(Box::new(self.instance.clone()))
    }

    /// Takes the lease from whoever has it.
    pub(crate) fn fence(&mut self) {
        self.lease = None;
    }

    pub(crate) fn release(
        &mut self,
        lease: &Lease,
        health: &Health,
        stream: Option<Stream>,
    ) -> Result<(), TableError> {
        self.check(lease)?;
        self.lease = None;
        self.instance.health = health.clone();
        if let Some(stream) = stream {
            *self.instance.stream = stream;
        }
        Ok(())
    }

    /// Stores the repair of a subscription.
    pub(crate) fn replace(&mut self, lease: &Lease, new: &Instance) -> Result<(), TableError> {
        self.check(lease)?;
        if self.instance.version != new.version {
            return Err(TableError::Conflict);
        }
        self.instance = Instance {
            version: new.version + 1,
            ..new.clone()
        };
        Ok(())
    }

    pub(crate) fn suspend(&mut self, lease: &Lease, health: &Health) -> Result<(), TableError> {
        self.check(lease)?;
        self.instance.health = health.clone();
        Ok(())
    }

    /// Changes how the instance is polled.
    pub(crate) fn configure(&mut self, configuration: Configuration) {
        self.instance.configuration = configuration;
        self.instance.health = self.instance.health.renewed();
    }

    /// The instance, whoever has the lease.
    pub(crate) fn instance(&self) -> Instance {
        self.instance.clone()
    }

    pub(crate) fn load(&self) -> HashMap<String, StoredResource> {
        let stored = |resource: &Stored| StoredResource {
            position: resource.position,
            chunks: resource.chunks.clone().into_iter().collect(),
            fields: resource.fields.clone(),
        };
        let resources = self.resources.iter();
        resources
            .map(|(name, resource)| (name.clone(), stored(resource)))
            .collect()
    }

    pub(crate) fn commit(&mut self, lease: &Lease, commit: &Commit) -> Result<(), TableError> {
        self.check(lease)?;
        let id = |backfill: &Backfill| backfill.id.clone();
        let stored = self.instance.backfill.as_ref().map(id);
        if commit.backfill.is_some() && commit.backfill.as_ref().map(id) != stored {
            return Err(TableError::Conflict);
        }
        self.put(commit);
        Ok(())
    }

    /// Stores a unit of work, whoever has the lease.
    pub(crate) fn put(&mut self, commit: &Commit) {
        let stored = self.resources.entry(commit.resource.clone()).or_default();
        let start = stored
            .position
            .map_or(commit.position.start, |old| old.start);
        stored.position = Some(StoredPosition {
            start,
            ..commit.position
        });
        stored.fields.clone_from(&commit.fields);
        stored.chunks.extend(commit.put_chunks.iter().cloned());
        stored
            .chunks
            .retain(|number, _| !commit.delete_chunks.contains(number));
        if commit.backfill.is_some() {
            self.instance.backfill.clone_from(&commit.backfill);
        }
    }

    /// Asks for a backfill, unless one is under way.
    pub(crate) fn ask(&mut self, resource: &str, from: Timestamp, to: Timestamp, now: Timestamp) {
        if self.has_pending_backfill() {
            return;
        }
        self.old_backfills.extend(self.instance.backfill.take());
        let id = self.old_backfills.len().to_string();
        self.instance.backfill = Some(Backfill::new(&id, resource, from, to, now));
    }

    /// Whether one is under way.
    pub(crate) fn has_pending_backfill(&self) -> bool {
        let last = self.instance.backfill.as_ref();
        last.is_some_and(|last| last.status == BackfillStatus::Pending)
    }

    /// All that were asked for.
    pub(crate) fn backfills(&self) -> Vec<Backfill> {
        let all = self.old_backfills.iter().chain(&self.instance.backfill);
        all.cloned().collect()
    }

    /// What of a release breaks a rule: what nobody refuses is tried again soon.
    pub(crate) fn objection(
        &self,
        next: Timestamp,
        health: &Health,
        now: Timestamp,
    ) -> Option<String> {
        let settings = Settings::stored(&self.instance.configuration).ok();
        let interval = settings.and_then(|settings| Some(settings.reconciliation?.interval));
        let interval = SignedDuration::try_from(interval.unwrap_or_default());
        let soon = SOON.max(interval.unwrap_or_default() + LEEWAY);
        let is_late = health.refusals == 0 && now + soon < next;
        is_late.then(|| format!("the next poll is at {next}, and it is {now}"))
    }

    /// What of a commit breaks a rule, at this time.
    pub(crate) fn objections(&self, commit: &Commit, now: Timestamp) -> Vec<String> {
        let stored = self.resources.get(&commit.resource);
        let before = stored.and_then(|stored| stored.position);
        let (old, new) = (before.map(|old| old.watermark), commit.position.watermark);
        let keys: HashSet<_> = commit.put_chunks.iter().map(|(number, _)| number).collect();
        let held: usize = stored.map_or(0, |stored| stored.seen(commit));
        let rules = [
            ("moves the watermark back", old.is_some_and(|old| new < old)),
            (
                "moves the watermark into the future",
                // Schemas bear the time at which they were read, by the poll's own clock.
                commit.fields.is_none() && now.as_microsecond() < new,
            ),
            (
                "is larger than a transaction",
                MAX_ITEMS < 2 + commit.put_chunks.len() + commit.delete_chunks.len(),
            ),
            (
                "writes an item twice",
                commit
                    .delete_chunks
                    .iter()
                    .any(|number| keys.contains(number)),
            ),
            (
                "writes an item that is too large",
                commit
                    .put_chunks
                    .iter()
                    .any(|(_, ids)| MAX_ITEM < ids.len()),
            ),
            ("remembers too much", MAX_SEEN < held),
        ];
        let broken = rules.into_iter().filter(|(_, is_broken)| *is_broken);
        broken
            .map(|(rule, _)| format!("a commit of {} {rule}", commit.resource))
            .collect()
    }

    pub(crate) fn forget(&mut self, resource: &str) {
        self.resources.remove(resource);
    }

    fn check(&self, lease: &Lease) -> Result<(), TableError> {
        match &self.lease {
            Some((token, _)) if *token == lease.token => Ok(()),
            _ => Err(TableError::Conflict),
        }
    }
}

impl Stored {
    /// The ids that there are after a commit.
    fn seen(&self, commit: &Commit) -> usize {
        let is_put = |number: &u32| commit.put_chunks.iter().any(|(put, _)| put == number);
        let kept = self
            .chunks
            .iter()
            .filter(|(number, _)| !is_put(number) && !commit.delete_chunks.contains(number));
        let kept = kept.map(|(_, ids)| ids.len());
        let put = commit.put_chunks.iter().map(|(_, ids)| ids.len());
        kept.chain(put).sum::<usize>() / SEEN_BYTES
    }
}
