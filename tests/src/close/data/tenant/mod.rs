//! One organization's data: its objects, search indexes and event log.

pub(crate) mod actions;
pub(crate) mod by_date;
pub(crate) mod changes;
pub(crate) mod index;
pub(crate) mod traces;
pub(crate) mod versions;

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;
use jiff::Timestamp;
use serde_json::{Map, Value};

use self::by_date::ByDate;
use self::index::Index;
use crate::close::data::ids;
use crate::close::data::log::entry::LogEntry;
use crate::close::data::log::event_log::EventLog;
use crate::close::data::objects::custom_field::{self, CustomField};
use crate::close::data::objects::record::{Family, ObjectKind, Record};
use crate::close::data::objects::shape;
use crate::close::data::objects::shape::parts::{Identity, Surroundings};
use crate::close::data::user::{Owner, Role};

/// An organization's data.
#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) identity: Identity,
    pub(crate) date_created: Timestamp,
    pub(crate) log: EventLog,
    /// Positions in the log that changed and were not passed on yet.
    pub(crate) news: Vec<usize>,
    collections: [Collection; Family::ALL.len()],
    children: HashMap<Arc<str>, Children>,
    /// The newest version of any object.
    pub(crate) version: u64,
}

/// All objects of one family.
#[derive(Debug, Default)]
pub(crate) struct Collection {
    pub(crate) records: HashMap<Arc<str>, Arc<Record>>,
    /// The same in order, for lists that the database answers.
    pub(crate) by_date: ByDate,
    pub(crate) index: Index,
    pub(crate) custom_fields: Vec<CustomField>,
}

/// The ids of what hangs on a lead, by family, in the order in which it was added.
type Children = [Vec<Arc<str>>; Family::ALL.len()];

impl Tenant {
    /// An organization without objects.
    pub(crate) fn new(name: &str, date_created: Timestamp) -> Self {
        Self {
            identity: Identity {
                organization_id: ids::object("orga"),
                organization_name: name.to_owned(),
                user_id: ids::object("user"),
                user_name: "Sample User".to_owned(),
            },
            date_created,
            log: EventLog::default(),
            news: Vec::new(),
            collections: Default::default(),
            children: HashMap::new(),
            version: 0,
        }
    }

    /// The user who does all that nobody else is said to do.
    pub(crate) fn admin(&self) -> Owner {
        Owner {
            id: self.identity.user_id.clone(),
            role: Role::Admin,
        }
    }

    /// The objects of a family.
    pub(crate) fn collection(&self, family: Family) -> &Collection {
        &self.collections[family as usize]
    }

    /// The objects of a family, to be changed.
    pub(crate) fn collection_mut(&mut self, family: Family) -> &mut Collection {
        &mut self.collections[family as usize]
    }

    /// The object as the API shows it: a lead with what hangs on it.
    pub(crate) fn render(&self, record: &Record) -> Map<String, Value> {
        self.render_some(record, |_| true)
    }

    /// The same, but of what hangs on a lead only what is wanted.
    pub(crate) fn render_some(
        &self,
        record: &Record,
        wanted: impl Fn(&str) -> bool,
    ) -> Map<String, Value> {
        let mut object = self.render_bare(record);
        if record.kind != ObjectKind::Lead {
            return object;
        }
        let nested = [
            ("contacts", Family::Contact),
            ("opportunities", Family::Opportunity),
            ("tasks", Family::Task),
        ];
        for (field, family) in nested.into_iter().filter(|(field, _)| wanted(field)) {
            let children = self.children_of(&record.id, family);
            let shown = children.iter().filter(|child| is_nested(child));
            let shown = shown.map(|child| Value::from(self.render_bare(child)));
            object.insert(field.to_owned(), shown.collect());
        }
        object.sort_keys();
        object
    }

    /// The object without what hangs on it.
    pub(crate) fn render_bare(&self, record: &Record) -> Map<String, Value> {
        self.write(record, |field| !field.is_deleted)
    }

    /// The same as events carry it: with the values of custom fields that were deleted since.
    fn render_logged(&self, record: &Record) -> Map<String, Value> {
        self.write(record, |_| true)
    }

    /// The object with the values of these custom fields.
    fn write(&self, record: &Record, shows: impl Fn(&CustomField) -> bool) -> Map<String, Value> {
        let contact_id = record.text("contact_id");
        let around = Surroundings {
            identity: &self.identity,
            lead_name: self.name_of(Family::Lead, record.lead_id.as_deref()),
            contact_name: self.name_of(Family::Contact, contact_id),
        };
        let mut object = shape::bare(record, around);
        let fields = self.custom_fields(record.kind).iter();
        let fields: Vec<_> = fields.filter(|field| shows(field)).collect();
        let is_shown = |key: &str| fields.iter().any(|field| field.key() == key);
        object.retain(|key, value| {
            !key.starts_with(custom_field::PREFIX) || (!value.is_null() && is_shown(key))
        });
        if record.kind == ObjectKind::Lead {
            let aggregate = custom_field::aggregate(fields, &object);
            object.insert("custom".to_owned(), aggregate.into());
        }
        object
    }

    /// The custom fields of a kind of objects.
    pub(crate) fn custom_fields(&self, kind: ObjectKind) -> &[CustomField] {
        &self.collection(kind.family()).custom_fields
    }

    /// An entry of the log as the API and webhooks show it.
    pub(crate) fn render_entry(&self, entry: &LogEntry) -> Map<String, Value> {
        let identity = &self.identity;
        let write = |record: &Record| self.render_logged(record);
        entry.render(&identity.organization_id, &identity.user_id, write)
    }

    /// Whether the object has these values.
    pub(crate) fn shows(&self, record: &Record, values: &[(&str, &str)]) -> bool {
        let object = self.render_bare(record);
        values.iter().all(|(field, wanted)| match object[*field] {
            Value::String(ref text) => text == wanted,
            Value::Bool(value) => wanted.parse() == Ok(value),
            _ => false,
        })
    }

    /// An object as it is now.
    pub(crate) fn get(&self, family: Family, id: &str) -> anyhow::Result<Arc<Record>> {
        let record = self.collection(family).records.get(id).cloned();
        record.with_context(|| format!("there is no {} {id}", family.name()))
    }

    /// What hangs on a lead, in the order in which it was added.
    pub(crate) fn children_of(&self, lead_id: &str, family: Family) -> Vec<Arc<Record>> {
        let children = self.children.get(lead_id);
        let ids = children.map(|children| &children[family as usize]);
        let records = &self.collection(family).records;
        let found = ids.into_iter().flatten().filter_map(|id| records.get(id));
        found.cloned().collect()
    }

    /// Hangs an object on its lead.
    pub(crate) fn adopt(&mut self, record: &Record) {
        if let Some(lead_id) = &record.lead_id {
            let children = self.children.entry(Arc::clone(lead_id)).or_default();
            children[record.kind.family() as usize].push(Arc::clone(&record.id));
        }
    }

    /// Takes an object off its lead.
    pub(crate) fn disown(&mut self, record: &Record) {
        let children = record.lead_id.as_ref();
        if let Some(children) = children.and_then(|lead_id| self.children.get_mut(lead_id)) {
            children[record.kind.family() as usize].retain(|id| *id != record.id);
        }
    }

    /// Takes everything off a lead.
    pub(crate) fn disown_all(&mut self, lead_id: &str) {
        self.children.remove(lead_id);
    }

    fn name_of(&self, family: Family, id: Option<&str>) -> Option<&str> {
        let record = self.collection(family).records.get(id?)?;
        Some(record.text("name").unwrap_or_default())
    }
}

/// A lead shows its contacts, its opportunities, and since 2024 only such tasks as people made and did not complete.
fn is_nested(child: &Record) -> bool {
    match child.kind {
        ObjectKind::Task(of) => of.about.is_none() && !is_complete(child),
        _ => true,
    }
}

/// Whether a task is done.
pub(crate) fn is_complete(task: &Record) -> bool {
    task.fields.get("is_complete") == Some(&Value::Bool(true))
}
