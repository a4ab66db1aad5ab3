//! One version of an object, and the kinds of objects.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::activity_type::ActivityType;
use super::task_type::TaskType;
use super::valuation::Valuation;

/// The kinds of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
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
pub(super) enum Family {
    Lead,
    Contact,
    Opportunity,
    Task,
    Activity,
}

impl Kind {
    /// The list that it is in.
    pub(super) fn family(self) -> Family {
        match self {
            Self::Lead => Family::Lead,
            Self::Contact => Family::Contact,
            Self::Opportunity => Family::Opportunity,
            Self::Task(_) => Family::Task,
            Self::Activity(_) => Family::Activity,
        }
    }

    /// The name in events and searches.
    pub(super) fn object_type(self) -> &'static str {
        match self {
            Self::Task(of) => of.object_type,
            Self::Activity(of) => of.object_type,
            _ => self.family().name(),
        }
    }

    /// The name in paths.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Activity(of) => of.path,
            _ => self.family().name(),
        }
    }

    /// What identifiers begin with.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Contact => "cont",
            Self::Opportunity => "oppo",
            Self::Task(of) => of.prefix,
            Self::Activity(_) => "acti",
        }
    }

    /// The kind that is searched under that name; Close documents no other.
    pub(super) fn searched_as(name: &str) -> Option<Self> {
        [Self::Lead, Self::Contact]
            .into_iter()
            .find(|kind| kind.object_type() == name)
    }

    /// Whether the search index has it.
    pub(super) fn is_searched(self) -> bool {
        matches!(self, Self::Lead | Self::Contact)
    }
}

impl Family {
    /// All of them.
    pub(super) const ALL: [Self; 5] = [
        Self::Lead,
        Self::Contact,
        Self::Opportunity,
        Self::Task,
        Self::Activity,
    ];

    /// The name in paths.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Contact => "contact",
            Self::Opportunity => "opportunity",
            Self::Task => "task",
            Self::Activity => "activity",
        }
    }

    /// The name in Close's 404s.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Lead => "Lead",
            Self::Contact => "Contact",
            Self::Opportunity => "Opportunity",
            Self::Task => "Task",
            Self::Activity => "Activity",
        }
    }

    /// The family of that name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }

    /// Whether its list comes from the database and not from the search index.
    pub(super) fn is_listed_by_date(self) -> bool {
        self != Self::Lead
    }
}

/// The dates that objects are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DateField {
    /// `date_created`
    Created,
    /// `date_updated`
    Updated,
}

/// One version of an object; only what differs from a new object's fields is stored.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// Grows with every version of any object of the organization.
    pub(super) version: u64,
    pub(super) kind: Kind,
    pub(super) id: Arc<str>,
    /// The lead of everything that is not a lead.
    pub(super) lead_id: Option<Arc<str>>,
    /// A number of no meaning that orders objects of equal dates; no two have the same.
    pub(super) tie: u64,
    pub(super) date_created: Timestamp,
    pub(super) date_updated: Timestamp,
    pub(super) fields: Map<String, Value>,
    /// What an opportunity is worth, if anything.
    pub(super) valuation: Option<Valuation>,
}

impl Record {
    /// The value of one of the dates.
    pub(super) fn date(&self, field: DateField) -> Timestamp {
        match field {
            DateField::Created => self.date_created,
            DateField::Updated => self.date_updated,
        }
    }

    /// The lead that an event about this object names.
    pub(super) fn lead(&self) -> Arc<str> {
        Arc::clone(self.lead_id.as_ref().unwrap_or(&self.id))
    }

    /// A field that was set, as text.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }
}
