//! `event.poller.configuration`: what an instance polls.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::close::json;
use crate::close::search::ObjectType;
use crate::date_pattern::{self, DateFormat, zone};
use crate::query_url::{Objects, Query};
use crate::settings::FieldError;

/// The configuration's key, and the start of the field names in its errors.
pub const KEY: &str = "event.poller.configuration";

/// Objects on a page of Close's search. It takes up to 200, but 100 is what every resource of Close takes.
const DEFAULT_PAGE_SIZE: u16 = 100;
/// Source: the greatest `_limit` seen to work on Close's search.
const MAX_PAGE_SIZE: u16 = 200;
const DEFAULT_CREATED_TOLERANCE: Duration = Duration::from_secs(10);
/// The one value of `source`.
const EVENT_LOG: &str = "event-log";
const ID_FIELD: &str = "id";
const UPDATED_FIELD: &str = "date_updated";
const CREATED_FIELD: &str = "date_created";

/// One polled resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its key in the configuration: the watermark's name, and `objectType` in callbacks.
    pub name: String,
    /// What it reads, and which records of that.
    pub query: Query,
    /// Where that is read.
    pub source: Source,
    /// Where a record has its id, as a dotted path.
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
    Search(ObjectType),
    /// `GET /opportunity/`
    Opportunities,
    /// `GET /task/`
    Tasks,
    /// `GET /event/`
    EventLog,
}

impl Source {
    /// Where objects are read unless the configuration says otherwise: as they are now, or, where Close cannot be asked
    /// for what was updated, in the event log.
    fn of(objects: Objects) -> Self {
        match objects {
            Objects::Leads => Self::Search(ObjectType::Lead),
            Objects::Contacts => Self::Search(ObjectType::Contact),
            Objects::Opportunities => Self::Opportunities,
            Objects::Tasks => Self::Tasks,
            Objects::Activities | Objects::All => Self::EventLog,
        }
    }
}

/// A date in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateField {
    /// A dotted path.
    pub path: String,
    /// How it is written; where that is not said, as Close writes dates, or as a number since 1970.
    pub format: Option<DateFormat>,
    /// Where a text that names no zone was written.
    pub zone: TimeZone,
}

impl DateField {
    /// The record's date.
    pub fn read(&self, record: &RawValue) -> Option<Timestamp> {
        let text = json::text_at(record, &self.path)?;
        match &self.format {
            Some(format) => format.read(&text, &self.zone),
            None => date_pattern::read_any(&text),
        }
    }
}

/// Reads the configuration's JSON.
///
/// # Errors
/// Everything that is missing or wrong, each with its field.
pub fn parse(json: &str) -> Result<Vec<Resource>, Vec<FieldError>> {
    let resources = match serde_json::from_str(json) {
        Ok(Value::Object(resources)) if !resources.is_empty() => resources,
        Ok(_) => {
            return Err(vec![FieldError::new(
                KEY,
                "expected an object with a `url` per resource",
            )]);
        }
        Err(error) => {
            return Err(vec![FieldError::new(
                KEY,
                format!("expected JSON, but found {error}"),
            )]);
        }
    };
    let mut errors = Vec::new();
    let resources = resources
        .iter()
        .map(|(name, members)| parse_resource(name, members, &mut errors))
        .collect();
    if errors.is_empty() {
        Ok(resources)
    } else {
        Err(errors)
    }
}

fn parse_resource(name: &str, members: &Value, errors: &mut Vec<FieldError>) -> Resource {
    let mut reader = MemberReader {
        path: format!("{KEY}.{name}"),
        members,
        errors,
    };
    check_name(name, &mut reader);
    let updated = reader.date_field("updatedDate", UPDATED_FIELD);
    let query = reader.query(&updated.path);
    Resource {
        name: name.to_owned(),
        source: reader.source(query.objects),
        query,
        id_field: reader.text("idField").unwrap_or(ID_FIELD).to_owned(),
        created: reader.date_field("createdDate", CREATED_FIELD),
        updated,
        created_tolerance: reader
            .seconds("createdCheckTolerance")
            .unwrap_or(DEFAULT_CREATED_TOLERANCE),
        page_size: reader.page_size(),
        poll_delay: reader.seconds("pollDelay").unwrap_or_default(),
    }
}

/// A resource's name becomes part of a sort key, where `#` divides it from the rest.
fn check_name(name: &str, reader: &mut MemberReader<'_>) {
    if name.is_empty() || 64 < name.len() || name.contains('#') {
        reader.fail("", "expected a resource name of 1 to 64 bytes without `#`");
    }
}

/// Reads the members of one resource and notes what is wrong with them.
struct MemberReader<'a> {
    path: String,
    members: &'a Value,
    errors: &'a mut Vec<FieldError>,
}

impl<'a> MemberReader<'a> {
    fn fail(&mut self, key: &str, message: impl Into<String>) {
        let field = if key.is_empty() {
            self.path.clone()
        } else {
            format!("{}.{key}", self.path)
        };
        self.errors.push(FieldError::new(&field, message));
    }

    fn member(&self, path: &str) -> Option<&'a Value> {
        let member = path
            .split('.')
            .try_fold(self.members, |value, key| value.get(key));
        member.filter(|value| !value.is_null() && value.as_str() != Some(""))
    }

    fn text(&mut self, key: &str) -> Option<&'a str> {
        let text = self.member(key)?.as_str();
        if text.is_none() {
            self.fail(key, "expected a text");
        }
        text
    }

    /// A whole number, as a number or as text.
    fn number(&mut self, key: &str) -> Option<u64> {
        let member = self.member(key)?;
        let number = member
            .as_u64()
            .or_else(|| member.as_str()?.trim().parse().ok());
        if number.is_none() {
            self.fail(key, "expected a whole number");
        }
        number
    }

    fn seconds(&mut self, key: &str) -> Option<Duration> {
        self.number(key)
            .map(|seconds| Duration::from_secs(seconds.min(u64::from(u32::MAX))))
    }

    fn page_size(&mut self) -> u16 {
        let size = self.number("pageSize").unwrap_or(DEFAULT_PAGE_SIZE.into());
        u16::try_from(size)
            .unwrap_or(MAX_PAGE_SIZE)
            .clamp(1, MAX_PAGE_SIZE)
    }

    fn date_field(&mut self, prefix: &str, default: &str) -> DateField {
        let key = |suffix: &str| format!("datesConfiguration.{prefix}{suffix}");
        DateField {
            path: self.text(&key("Field")).unwrap_or(default).to_owned(),
            format: self.date_format(&key("Format")),
            zone: self.zone(&key("Timezone")),
        }
    }

    fn date_format(&mut self, key: &str) -> Option<DateFormat> {
        let format = self.text(key).map(DateFormat::parse)?;
        format
            .map_err(|error| self.fail(key, error.to_string()))
            .ok()
    }

    fn zone(&mut self, key: &str) -> TimeZone {
        let Some(name) = self.text(key) else {
            return zone::gmt();
        };
        zone::find(name).unwrap_or_else(|| {
            self.fail(
                key,
                "expected a time zone such as GMT, America/Denver or -8:00",
            );
            zone::gmt()
        })
    }

    fn query(&mut self, updated_field: &str) -> Query {
        match self.member("url").map(Value::as_str) {
            Some(Some(url)) => match Query::parse(url, updated_field) {
                Ok(query) => return query,
                Err(error) => self.fail("url", error.to_string()),
            },
            Some(None) => self.fail("url", "expected a text"),
            None => self.fail(
                "url",
                "is required: the query to poll with, such as /hubs/crm/contacts",
            ),
        }
        // Only a placeholder: an error has been noted, so the caller never sees it.
        Query {
            objects: Objects::Leads,
            filter: None,
        }
    }

    fn source(&mut self, objects: Objects) -> Source {
        match self.text("source") {
            None => Source::of(objects),
            Some(EVENT_LOG) => Source::EventLog,
            Some(_) => {
                self.fail("source", "expected event-log, or nothing");
                Source::EventLog
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Source, parse};
    use crate::close::search::ObjectType;
    use crate::query_url::Objects;

    #[test]
    fn reads_numbers_as_text_and_fills_in_the_defaults() {
        let json = r#"{"contacts":{"url":"/hubs/crm/contacts","createdCheckTolerance":"60","pageSize":500,"pollDelay":5,"other":1}}"#;
        let resources = parse(json).unwrap();
        let resource = &resources[0];
        assert_eq!(
            (resource.name.as_str(), resource.query.objects),
            ("contacts", Objects::Contacts)
        );
        assert_eq!(
            (resource.created_tolerance, resource.poll_delay),
            (Duration::from_mins(1), Duration::from_secs(5))
        );
        assert_eq!(
            (resource.page_size, resource.id_field.as_str()),
            (200, "id")
        );
    }

    #[test]
    fn names_everything_that_is_wrong_at_once() {
        let json = r#"{"a":{},"b":{"url":7,"pageSize":"x","datesConfiguration":{"updatedDateFormat":"yyyy'"}},"c#":{"url":"/hubs/crm/leads"}}"#;
        let errors: Vec<_> = parse(json)
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .collect();
        insta::assert_snapshot!(errors.join("\n"), @r"
        event.poller.configuration.a.url: is required: the query to poll with, such as /hubs/crm/contacts
        event.poller.configuration.b.datesConfiguration.updatedDateFormat: the single quote at position 5 is never closed
        event.poller.configuration.b.url: expected a text
        event.poller.configuration.b.pageSize: expected a whole number
        event.poller.configuration.c#: expected a resource name of 1 to 64 bytes without `#`
        ");
    }

    #[test]
    fn is_an_object_with_a_resource() {
        for json in ["[]", "{}", "null", "{", "\"contacts\""] {
            assert_eq!(parse(json).unwrap_err().len(), 1, "{json}");
        }
    }

    #[test]
    fn reads_in_the_event_log_what_is_only_there_and_what_is_asked_for() {
        let source = |json: &str| parse(json).map(|resources| resources[0].source);
        let of = |resource: &str| source(&format!(r#"{{"a":{{"url":"/hubs/crm/{resource}"}}}}"#));
        assert_eq!(of("accounts"), Ok(Source::Search(ObjectType::Lead)));
        assert_eq!(of("opportunities"), Ok(Source::Opportunities));
        assert_eq!(of("tasks"), Ok(Source::Tasks));
        assert_eq!(of("activities"), Ok(Source::EventLog));
        assert_eq!(of("events"), Ok(Source::EventLog));
        let asked = |text: &str| {
            source(&format!(
                r#"{{"a":{{"url":"/hubs/crm/leads","source":"{text}"}}}}"#
            ))
        };
        assert_eq!(asked("event-log"), Ok(Source::EventLog));
        let refused = asked("webhook").unwrap_err()[0].to_string();
        assert_eq!(
            refused,
            "event.poller.configuration.a.source: expected event-log, or nothing"
        );
    }
}
