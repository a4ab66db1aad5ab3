//! One organization: its objects, search indexes, event log and webhook subscriptions.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::auth::{ApiKey, Role};
use super::by_date::ByDate;
use super::entry::Entry;
use super::event_log::EventLog;
use super::ids;
use super::index::Index;
use super::record::{Kind, Record};
use super::settings::IndexDelay;
use super::shape::{self, Identity};
use super::subscription::Subscription;

/// An organization's state.
#[derive(Debug)]
pub(super) struct Tenant {
    pub(super) identity: Identity,
    pub(super) date_created: Timestamp,
    pub(super) keys: Vec<ApiKey>,
    pub(super) subscriptions: Vec<Subscription>,
    pub(super) log: EventLog,
    /// Positions in the log that changed and were not passed on yet.
    pub(super) news: Vec<usize>,
    leads: Collection,
    contacts: Collection,
    /// The ids of each lead's contacts, in the order in which they were added.
    pub(super) contacts_of: HashMap<Arc<str>, Vec<Arc<str>>>,
    /// The newest version of any object.
    pub(super) version: u64,
}

/// All objects of one kind.
#[derive(Debug, Default)]
pub(super) struct Collection {
    pub(super) records: HashMap<Arc<str>, Arc<Record>>,
    /// The same in order, for lists that the database answers.
    pub(super) by_date: ByDate,
    pub(super) index: Index,
    /// The custom fields that were ever set, as `custom.cf_…`.
    pub(super) custom_fields: BTreeSet<String>,
}

/// When and how a change happens.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    pub(super) now: Timestamp,
    pub(super) date_created: Option<Timestamp>,
    pub(super) date_updated: Option<Timestamp>,
    pub(super) index: IndexDelay,
    /// The date of the entry in the log, if it is not to follow from the object's.
    pub(super) logged_at: Option<Timestamp>,
    /// When the log shows the entry.
    pub(super) visible: IndexDelay,
    pub(super) consolidation: SignedDuration,
    pub(super) quiet: bool,
}

impl Moment {
    /// Now, without delay or consolidation.
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            now,
            date_created: None,
            date_updated: None,
            index: IndexDelay::Immediately,
            logged_at: None,
            visible: IndexDelay::Immediately,
            consolidation: SignedDuration::ZERO,
            quiet: false,
        }
    }
}

impl Tenant {
    /// An organization without objects.
    pub(super) fn new(name: &str, api_key: &str, date_created: Timestamp) -> Self {
        Self {
            identity: Identity {
                organization_id: ids::object("orga"),
                organization_name: name.to_owned(),
                user_id: ids::object("user"),
                user_name: "Sample User".to_owned(),
            },
            date_created,
            keys: vec![ApiKey::new(api_key, Role::Admin)],
            subscriptions: Vec::new(),
            log: EventLog::default(),
            news: Vec::new(),
            leads: Collection::default(),
            contacts: Collection::default(),
            contacts_of: HashMap::new(),
            version: 0,
        }
    }

    /// The objects of a kind.
    pub(super) fn collection(&self, kind: Kind) -> &Collection {
        match kind {
            Kind::Lead => &self.leads,
            Kind::Contact => &self.contacts,
        }
    }

    /// The objects of a kind, to be changed.
    pub(super) fn collection_mut(&mut self, kind: Kind) -> &mut Collection {
        match kind {
            Kind::Lead => &mut self.leads,
            Kind::Contact => &mut self.contacts,
        }
    }

    /// The object as the API shows it.
    pub(super) fn render(&self, record: &Record) -> Map<String, Value> {
        shape::full(record, &self.identity, &self.contacts_of(&record.id))
    }

    /// An entry of the log as the API and webhooks show it.
    pub(super) fn render_entry(&self, entry: &Entry) -> Map<String, Value> {
        let Identity {
            organization_id,
            user_id,
            ..
        } = &self.identity;
        entry.render(organization_id, user_id, |record| {
            shape::bare(record, &self.identity)
        })
    }

    /// An object as it is now.
    pub(super) fn get(&self, kind: Kind, id: &str) -> anyhow::Result<Arc<Record>> {
        let records = &self.collection(kind).records;
        let record = records.get(id).cloned();
        record.with_context(|| format!("there is no {} {id}", kind.name()))
    }

    /// The contacts of a lead in the order in which they were added.
    pub(super) fn contacts_of(&self, lead_id: &str) -> Vec<Arc<Record>> {
        let ids = self.contacts_of.get(lead_id).into_iter().flatten();
        ids.filter_map(|id| self.contacts.records.get(id).cloned())
            .collect()
    }
}
