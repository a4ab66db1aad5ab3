//! `event.poller.urls`: what an instance polls, a line a resource, as it was said before `event.poller.configuration`.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::polling::field_error::FieldError;
use crate::polling::poller_configuration::{MAX_RESOURCES, read_resource};
use crate::polling::resource::Resource;

/// The configuration's key.
pub const KEY: &str = "event.poller.urls";

/// The fields of a line, which `|` divides. Those at its end may be missing.
const FIELDS: [&str; 9] = [
    "resource",
    "pollerUrl",
    "xPathFilter",
    "updatedDateField",
    "updatedDateFormat",
    "updatedDateTimezone",
    "createdDateField",
    "createdDateFormat",
    "createdDateTimezone",
];

/// Reads the lines. One that has no URL but only names, `contacts|leads`, polls these resources whole.
///
/// # Errors
/// Everything that is wrong, each with its line and field.
pub fn parse(text: &str) -> Result<Vec<Resource>, Vec<FieldError>> {
    let mut reader = LineReader::default();
    if text.trim_start().starts_with(['{', '[']) {
        reader.fail("expected lines of text; JSON belongs into event.poller.configuration");
    } else {
        for (index, line) in text.lines().enumerate() {
            reader.line = index + 1;
            reader.read(line);
            if MAX_RESOURCES < reader.resources.len() {
                reader.fail(format!("expected at most {MAX_RESOURCES} resources"));
                break;
            }
        }
        if reader.resources.is_empty() && reader.errors.is_empty() {
            reader.fail("expected a line per resource, such as contacts|/hubs/crm/contacts");
        }
    }
    if reader.errors.is_empty() {
        Ok(reader.resources)
    } else {
        Err(reader.errors)
    }
}

/// Reads line by line, and notes what is wrong.
#[derive(Default)]
struct LineReader {
    /// Counted from 1.
    line: usize,
    resources: Vec<Resource>,
    /// On which line each resource is.
    lines: HashMap<String, usize>,
    errors: Vec<FieldError>,
}

impl LineReader {
    fn read(&mut self, line: &str) {
        let mut fields: Vec<_> = line.split('|').map(str::trim).collect();
        while fields.last() == Some(&"") {
            fields.pop();
        }
        let found = fields.len();
        if FIELDS.len() < found {
            let line = self.line;
            self.fail(format!("line {line}: expected at most 9 fields, but found {found}; a condition with a `|` belongs into event.poller.configuration"));
        } else if fields.iter().all(|field| is_name(field)) {
            for name in fields {
                self.resource(&[name]);
            }
        } else {
            self.resource(&fields);
        }
    }

    fn resource(&mut self, fields: &[&str]) {
        let (name, mut problems) = (fields[0], Vec::new());
        let resource = read_resource(name, FIELDS[0], &members(fields), &mut problems);
        let has_url = fields.get(1).is_some_and(|url| !url.is_empty());
        for problem in problems {
            let field = problem.field.rsplit('.').next().unwrap_or_default();
            let field = if field == "url" {
                FIELDS[usize::from(has_url)]
            } else {
                field
            };
            self.fail_at(field, &problem.message);
        }
        if let Some(line) = self.lines.insert(name.to_owned(), self.line) {
            self.fail_at(FIELDS[0], &format!("`{name}` is on line {line} already"));
        }
        self.resources.push(resource);
    }

    fn fail_at(&mut self, field: &str, message: &str) {
        let line = self.line;
        self.fail(format!("line {line}, {field}: {message}"));
    }

    fn fail(&mut self, message: impl Into<String>) {
        self.errors.push(FieldError::new(KEY, message));
    }
}

/// A URL has a slash.
fn is_name(field: &str) -> bool {
    !field.is_empty() && !field.contains('/')
}

/// What the fields are in `event.poller.configuration`.
fn members(fields: &[&str]) -> Value {
    let mut members = json!({"url": format!("/hubs/crm/{}", fields[0]), "datesConfiguration": {}});
    for (key, value) in FIELDS.iter().zip(fields).skip(1) {
        match *key {
            _ if value.is_empty() => {}
            "pollerUrl" => members["url"] = json!(value),
            "xPathFilter" => members["xPathFilter"] = json!(value),
            key => members["datesConfiguration"][key] = json!(value),
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use jiff::tz::Offset;

    use super::parse;
    use crate::polling::resource::Resource;

    /// Name, objects and condition of each.
    fn read(text: &str) -> Vec<String> {
        let show = |resource: Resource| {
            let (name, objects) = (resource.name, resource.query.objects);
            let filter = resource.query.filter.map(|filter| filter.to_string());
            format!("{name}: {objects:?} {}", filter.unwrap_or_default())
        };
        parse(text).unwrap().into_iter().map(show).collect()
    }

    fn refused(text: &str) -> String {
        let errors = parse(text).unwrap_err();
        let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
        lines.join("\n")
    }

    #[test]
    fn a_whole_line_says_what_the_configuration_says() {
        let line = "accounts|/hubs/crm/accounts?where=LastModifiedDate>=${date} AND name='x'||LastModifiedDate|yyyy-MM-dd'T'HH:mm:ssZ|-8:00|CreatedDate|yyyy-MM-dd";
        let resource = parse(line).unwrap().remove(0);
        assert_eq!(read(line), ["accounts: Leads name = 'x'"]);
        assert_eq!(
            (
                resource.updated.path.as_str(),
                resource.created.path.as_str()
            ),
            ("LastModifiedDate", "CreatedDate")
        );
        assert!(resource.updated.format.is_some() && resource.created.format.is_some());
        let offset = resource.updated.zone.to_fixed_offset().unwrap();
        assert_eq!(offset, Offset::constant(-8));
    }

    #[test]
    fn what_is_missing_is_as_usual() {
        let text = "\r\n contacts | /hubs/crm/contacts \r\n\nleads|/hubs/crm/leads|||||||\ntasks||||||date_created";
        assert_eq!(
            read(text),
            ["contacts: Contacts ", "leads: Leads ", "tasks: Tasks "]
        );
        let resources = parse(text).unwrap();
        assert_eq!(resources[0].updated.path, "date_updated");
        assert_eq!(resources[0].id_field, "id");
        assert_eq!(resources[2].created.path, "date_created");
    }

    #[test]
    fn there_are_at_most_100() {
        let lines = |count: usize| {
            let lines = (0..count).map(|number| format!("r{number}|/hubs/crm/leads"));
            lines.collect::<Vec<_>>().join("\n")
        };
        assert_eq!(parse(&lines(100)).unwrap().len(), 100);
        assert_eq!(
            refused(&lines(10_000)),
            "event.poller.urls: expected at most 100 resources"
        );
        assert!(refused(&"x\n".repeat(100_000)).len() < 50_000);
    }

    #[test]
    fn names_alone_are_resources() {
        let both = ["contacts: Contacts ", "leads: Leads "];
        assert_eq!(read("contacts|leads"), both);
        assert_eq!(read("contacts\nleads||"), both);
    }

    #[test]
    fn says_on_which_line_and_where_it_is_wrong() {
        insta::assert_snapshot!(refused("contacts|leads\nincidents\nleads|/hubs/crm/leads"), @r"
        event.poller.urls: line 2, resource: expected one of accounts, leads, contacts, opportunities, tasks, activities, events as the resource, but found `incidents`
        event.poller.urls: line 3, resource: `leads` is on line 1 already
        ");
        insta::assert_snapshot!(refused("contacts|/hubs/crm/contacts|//name|a..b|yyyy'|Nowhere|created|MMMMM|x\n#|/contacts"), @r"
        event.poller.urls: line 1, xPathFilter: expected nothing: put a condition into the url, as in /hubs/crm/contacts?where=title='CEO'
        event.poller.urls: line 1, updatedDateField: expected a path such as id, custom.cf_a1b2 or emails[0].email
        event.poller.urls: line 1, updatedDateFormat: the single quote at position 5 is never closed
        event.poller.urls: line 1, updatedDateTimezone: expected a time zone such as GMT, America/Denver or -8:00
        event.poller.urls: line 1, createdDateFormat: `MMMMM` at position 1 is not supported; expected yyyy, MM, dd, HH, hh, a, mm, ss, S, n, E, X, x, Z, z or VV
        event.poller.urls: line 1, createdDateTimezone: expected a time zone such as GMT, America/Denver or -8:00
        event.poller.urls: line 2, resource: expected a resource name of 1 to 64 bytes without `#`
        event.poller.urls: line 2, pollerUrl: expected `/hubs/crm/{resource}?where=…`, but found `/contacts`
        ");
        insta::assert_snapshot!(refused("a|/hubs/crm/leads?where=name='1|2|3|4|5|6|7|8|9'"), @"event.poller.urls: line 1: expected at most 9 fields, but found 10; a condition with a `|` belongs into event.poller.configuration");
        insta::assert_snapshot!(refused(" \n"), @"event.poller.urls: expected a line per resource, such as contacts|/hubs/crm/contacts");
        insta::assert_snapshot!(refused(r#"["contacts"]"#), @"event.poller.urls: expected lines of text; JSON belongs into event.poller.configuration");
    }
}
