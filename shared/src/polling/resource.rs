//! One polled resource.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;

use crate::close::object_type::Objects;
use crate::close::search::Searched;
use crate::json::path;
use crate::polling::date_pattern::{self, DateFormat};
use crate::polling::query::Query;

/// How long Close keeps an entry of its event log. Source: developer.close.com/api/resources/event-log.
const EVENT_LOG_RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

/// One polled resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its key in the configuration: the watermark's name, and `objectType` in callbacks.
    pub name: String,
    /// What it reads, and which records of that.
    pub query: Query,
    /// Where that is read.
    pub source: Source,
    /// Where a record has its id, as a path of [`path::at`].
    pub id_field: String,
    /// One of the two dates that tell created from updated.
    pub updated: DateField,
    /// The other.
    pub created: DateField,
    /// A record updated within this of its creation is a new one.
    pub created_tolerance: Duration,
    /// Objects on a page.
    pub page_size: u16,
    /// Read this much further back, beside the overlap.
    pub poll_delay: Duration,
}

/// Where Close has what a resource polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `POST /data/search/`
    Search(Searched),
    /// `GET /opportunity/`
    Opportunities,
    /// `GET /task/`
    Tasks,
    /// `GET /event/`
    EventLog,
}

impl Resource {
    /// The whole event log under a name that no configured resource has. Records of the log are read by Close's own fields, so
    /// the members that say how an object is read have no effect.
    pub fn event_log(name: &str) -> Self {
        let date = |path: &str| DateField {
            path: path.to_owned(),
            format: None,
            zone: TimeZone::UTC,
        };
        Self {
            name: name.to_owned(),
            query: Query {
                objects: Objects::All,
                filter: None,
            },
            source: Source::EventLog,
            id_field: "id".to_owned(),
            updated: date("date_updated"),
            created: date("date_created"),
            created_tolerance: Duration::ZERO,
            page_size: 50,
            poll_delay: Duration::ZERO,
        }
    }
}

impl Source {
    /// Where objects are read unless the configuration says otherwise: as they are now, or, where Close cannot be asked
    /// for what was updated, in the event log.
    pub fn of(objects: Objects) -> Self {
        match objects {
            Objects::Leads => Self::Search(Searched::Lead),
            Objects::Contacts => Self::Search(Searched::Contact),
            Objects::Opportunities => Self::Opportunities,
            Objects::Tasks => Self::Tasks,
            Objects::Activities | Objects::All => Self::EventLog,
        }
    }

    /// How far back Close has what is read there; nothing, where it has all.
    pub fn retention(self) -> Option<SignedDuration> {
        (self == Self::EventLog).then_some(EVENT_LOG_RETENTION)
    }
}

/// A date in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateField {
    /// A path of [`path::at`].
    pub path: String,
    /// How it is written; where that is not said, as Close writes dates, or as a number since 1970.
    pub format: Option<DateFormat>,
    /// Where a text that names no zone was written.
    pub zone: TimeZone,
}

impl DateField {
    /// The record's date.
    pub fn read(&self, record: &RawValue) -> Option<Timestamp> {
        let text = path::text_at(record, &self.path)?;
        match &self.format {
            Some(format) => format.read(&text, &self.zone),
            None => date_pattern::read_any(&text),
        }
    }
}
