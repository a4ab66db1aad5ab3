//! One version of an object, and the kinds of objects.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::activity_type::ActivityType;
use super::task_type::TaskType;
use super::valuation::Valuation;

/// The kinds of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    /// A lead: the company.
    Lead,
    /// A contact: a person of a lead.
    Contact,
    /// An opportunity: a deal with a lead.
    Opportunity,
    /// A task about a lead.
    Task(&'static TaskType),
    /// Something that was done or that happened with a lead.
    Activity(&'static ActivityType),
}

/// The kinds that one list and one path hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Lead,
    Contact,
    Opportunity,
    Task,
    Activity,
}

impl ObjectKind {
    /// The list that it is in.
    pub(crate) fn family(self) -> Family {
        match self {
            Self::Lead => Family::Lead,
            Self::Contact => Family::Contact,
            Self::Opportunity => Family::Opportunity,
            Self::Task(_) => Family::Task,
            Self::Activity(_) => Family::Activity,
        }
    }

    /// The name in events and searches.
    pub(crate) fn object_type(self) -> &'static str {
        match self {
            Self::Task(of) => of.object_type,
            Self::Activity(of) => of.object_type,
            _ => self.family().name(),
        }
    }

    /// The name in paths.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Activity(of) => of.path,
            _ => self.family().name(),
        }
    }

    /// What identifiers begin with.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Contact => "cont",
            Self::Opportunity => "oppo",
            Self::Task(of) => of.prefix,
            Self::Activity(_) => "acti",
        }
    }

    /// The kind that is searched under that name; Close documents no other.
    pub(crate) fn searched_as(name: &str) -> Option<Self> {
        [Self::Lead, Self::Contact]
            .into_iter()
            .find(|kind| kind.object_type() == name)
    }

    /// Whether the search index has it.
    pub(crate) fn is_searched(self) -> bool {
        matches!(self, Self::Lead | Self::Contact)
    }
}

impl Family {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [
        Self::Lead,
        Self::Contact,
        Self::Opportunity,
        Self::Task,
        Self::Activity,
    ];

    /// The name in paths.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Contact => "contact",
            Self::Opportunity => "opportunity",
            Self::Task => "task",
            Self::Activity => "activity",
        }
    }

    /// The name in Close's 404s.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Lead => "Lead",
            Self::Contact => "Contact",
            Self::Opportunity => "Opportunity",
            Self::Task => "Task",
            Self::Activity => "Activity",
        }
    }

    /// The family of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }

    /// Whether its list comes from the database and not from the search index.
    pub(crate) fn is_listed_by_date(self) -> bool {
        self != Self::Lead
    }
}

/// The dates that objects are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DateField {
    /// `date_created`
    Created,
    /// `date_updated`
    Updated,
}

/// One version of an object; only what differs from a new object's fields is stored.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// Grows with every version of any object of the organization.
    pub(crate) version: u64,
    pub(crate) kind: ObjectKind,
    pub(crate) id: Arc<str>,
    /// The lead of everything that is not a lead.
    pub(crate) lead_id: Option<Arc<str>>,
    /// A number of no meaning that orders objects of equal dates; no two have the same.
    pub(crate) tie: u64,
    pub(crate) date_created: Timestamp,
    pub(crate) date_updated: Timestamp,
    pub(crate) fields: Map<String, Value>,
    /// What an opportunity is worth, if anything.
    pub(crate) valuation: Option<Valuation>,
}

impl Record {
    /// The value of one of the dates.
    pub(crate) fn date(&self, field: DateField) -> Timestamp {
        match field {
            DateField::Created => self.date_created,
            DateField::Updated => self.date_updated,
        }
    }

    /// The lead that an event about this object names.
    pub(crate) fn lead(&self) -> Arc<str> {
        Arc::clone(self.lead_id.as_ref().unwrap_or(&self.id))
    }

    /// A field that was set, as text.
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }
}
