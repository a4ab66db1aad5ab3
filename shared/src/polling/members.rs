//! The members of one resource, one by one.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::Value;

use crate::close::object_type::Objects;
use crate::json::path;
use crate::polling::date_pattern::{DateFormat, zone};
use crate::polling::field_error::FieldError;
use crate::polling::query::Query;
use crate::polling::resource::{DateField, Source};

/// Members that change nothing here, since every poll has what they ask for: it leaves out what was published and ends at
/// a fixed time. The second is the first as some instances have it.
pub(super) const NO_EFFECT: [&str; 3] = [
    "filterByUpdatedDate",
    "filterByUpdateDate",
    "filterByCurrentDate",
];
/// Objects on a page of Close's search. It takes up to 200, but 100 is what every resource of Close takes.
const DEFAULT_PAGE_SIZE: u16 = 100;
/// Source: the greatest `_limit` seen to work on Close's search.
const MAX_PAGE_SIZE: u16 = 200;
/// The one value of `source`.
const EVENT_LOG: &str = "event-log";
/// What means something else in a JSON path than a key or an index. No key of Close's has it.
const JSON_PATH_SIGNS: &str = "[]()*?@$'\"";

/// Members that mattered elsewhere and would change here what is published, and what there is in their place.
pub(super) const UNSUPPORTED: [(&str, &str); 5] = [
    ("xPath", WHERE),
    ("xPathFilter", WHERE),
    ("parameters", WHERE),
    ("preHooks", HOOKS),
    ("postHooks", HOOKS),
];
const WHERE: &str =
    "expected nothing: put a condition into the url, as in /hubs/crm/contacts?where=title='CEO'";
const HOOKS: &str =
    "expected nothing: no code runs in a poll; change events behind a rule of the bus";

/// Reads the members of one resource and notes what is wrong with them.
pub(super) struct MemberReader<'a> {
    /// What errors are about.
    pub(super) path: &'a str,
    pub(super) members: &'a Value,
    pub(super) errors: &'a mut Vec<FieldError>,
}

impl<'a> MemberReader<'a> {
    /// Notes what is wrong with the member `key`, or with the resource, where that is empty.
    pub(super) fn fail(&mut self, key: &str, message: impl Into<String>) {
        let field = if key.is_empty() {
            self.path.to_owned()
        } else {
            format!("{}.{key}", self.path)
        };
        self.errors.push(FieldError::new(&field, message));
    }

    fn member(&self, path: &str) -> Option<&'a Value> {
        let member = path
            .split('.')
            .try_fold(self.members, |value, key| value.get(key));
        member.filter(|value| !is_nothing(value))
    }

    fn text(&mut self, key: &str) -> Option<&'a str> {
        let text = self.member(key)?.as_str();
        if text.is_none() {
            self.fail(key, "expected a text");
        }
        text
    }

    /// `true` or `false`, as such or as text.
    pub(super) fn boolean(&mut self, key: &str) -> Option<bool> {
        let member = self.member(key)?;
        let boolean = member
            .as_bool()
            .or_else(|| member.as_str()?.trim().to_ascii_lowercase().parse().ok());
        if boolean.is_none() {
            self.fail(key, "expected true or false");
        }
        boolean
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

    pub(super) fn seconds(&mut self, key: &str) -> Option<Duration> {
        self.number(key)
            .map(|seconds| Duration::from_secs(seconds.min(u64::from(u32::MAX))))
    }

    pub(super) fn page_size(&mut self) -> u16 {
        let size = self.number("pageSize").unwrap_or(DEFAULT_PAGE_SIZE.into());
        u16::try_from(size)
            .unwrap_or(MAX_PAGE_SIZE)
            .clamp(1, MAX_PAGE_SIZE)
    }

    /// Where to find something in a record, without the `$.` that some write before it.
    pub(super) fn json_path(&mut self, key: &str, default: &str) -> String {
        let path = self.text(key).map_or(default, str::trim);
        let path = path.strip_prefix("$.").unwrap_or(path);
        if !path::is_short(path) {
            self.fail(key, "expected a path of at most 256 characters");
        } else if !path.split('.').all(is_step) {
            self.fail(
                key,
                "expected a path such as id, custom.cf_a1b2 or emails[0].email",
            );
        }
        path.to_owned()
    }

    pub(super) fn date_field(&mut self, prefix: &str, default: &str) -> DateField {
        let key = |suffix: &str| format!("datesConfiguration.{prefix}{suffix}");
        DateField {
            path: self.json_path(&key("Field"), default),
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

    pub(super) fn query(&mut self, updated_field: &str) -> Query {
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

    /// Where to read, if the configuration says so.
    pub(super) fn source(&mut self) -> Option<Source> {
        let source = self.text("source")?;
        if source != EVENT_LOG {
            self.fail("source", "expected event-log, or nothing");
        }
        Some(Source::EventLog)
    }

    /// Refuses members that would change what is published, if they were not ignored.
    pub(super) fn reject_unsupported(&mut self, name: &str) {
        for (key, instead) in UNSUPPORTED {
            if self.member(key).is_some() {
                self.fail(key, instead);
            }
        }
        if self.boolean("useLastPollDate") == Some(false) {
            let message = "expected true: a poll goes on where the last one ended";
            self.fail("useLastPollDate", message);
        }
        if self.text("objectName").is_some_and(|given| given != name) {
            let message = format!("expected the resource's own name, {name}");
            self.fail("objectName", message);
        }
        let dates = self.member("datesConfiguration");
        if dates.is_some_and(|dates| !dates.is_object()) {
            self.fail("datesConfiguration", "expected an object");
        }
    }
}

/// What is as good as not there.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether a part of a path is a key with indices behind it, or without: `emails[0]`.
fn is_step(step: &str) -> bool {
    let (key, indices) = step.split_at(step.find('[').unwrap_or(step.len()));
    let mut indices = indices.split_inclusive(']');
    let is_index = |index: &str| {
        let digits = index
            .strip_prefix('[')
            .and_then(|index| index.strip_suffix(']'));
        digits.is_some_and(|digits| digits.parse::<usize>().is_ok())
    };
    !key.is_empty() && !key.contains(|c| JSON_PATH_SIGNS.contains(c)) && indices.all(is_index)
}
