//! One version of a lead or contact.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

/// The kinds of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// A lead: the company.
    Lead,
    /// A contact: a person of a lead.
    Contact,
}

impl Kind {
    /// The name in events.
    pub(super) fn object_type(self) -> &'static str {
        self.name()
    }

    /// The name in queries and paths.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Contact => "contact",
        }
    }

    /// The name in Close's 404s.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Lead => "Lead",
            Self::Contact => "Contact",
        }
    }

    /// Whether its list comes from the database and not from the search index.
    pub(super) fn is_listed_by_date(self) -> bool {
        self != Self::Lead
    }

    /// What identifiers begin with.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Contact => "cont",
        }
    }

    /// The kind of that name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Lead, Self::Contact]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// The dates that searches filter and sort by.
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
    /// The lead of a contact.
    pub(super) lead_id: Option<Arc<str>>,
    /// A number of no meaning that orders objects of equal dates; no two have the same.
    pub(super) tie: u64,
    pub(super) date_created: Timestamp,
    pub(super) date_updated: Timestamp,
    pub(super) fields: Map<String, Value>,
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
}
