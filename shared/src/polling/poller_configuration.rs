//! `event.poller.configuration`: what an instance polls.

use std::time::Duration;

use serde_json::Value;

use crate::polling::field_error::FieldError;
use crate::polling::members::{MemberReader, NO_EFFECT};
use crate::polling::resource::{Resource, Source};

/// The configuration's key, and the start of the field names in its errors.
pub const KEY: &str = "event.poller.configuration";

/// An instance has no more resources. Close has seven kinds of objects; the rest is room for conditions.
pub(super) const MAX_RESOURCES: usize = 100;

const DEFAULT_CREATED_TOLERANCE: Duration = Duration::from_secs(10);
const ID_FIELD: &str = "id";
const UPDATED_FIELD: &str = "date_updated";
const CREATED_FIELD: &str = "date_created";

/// Reads the configuration's JSON.
///
/// # Errors
/// Everything that is missing or wrong, each with its field.
pub fn parse(json: &str) -> Result<Vec<Resource>, Vec<FieldError>> {
    let resources = match crate::json::tree(json) {
        Ok(Value::Object(resources)) if MAX_RESOURCES < resources.len() => {
            return Err(vec![FieldError::new(KEY, too_many(resources.len()))]);
        }
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
        .map(|(name, members)| read_resource(name, &format!("{KEY}.{name}"), members, &mut errors))
        .collect();
    if errors.is_empty() {
        Ok(resources)
    } else {
        Err(errors)
    }
}

fn too_many(found: usize) -> String {
    format!("expected at most {MAX_RESOURCES} resources, but found {found}")
}

/// Reads the members of one resource. Errors are about `path`, and what is behind it.
pub(super) fn read_resource(
    name: &str,
    path: &str,
    members: &Value,
    errors: &mut Vec<FieldError>,
) -> Resource {
    let mut reader = MemberReader {
        path,
        members,
        errors,
    };
    check_name(name, &mut reader);
    reader.reject_unsupported(name);
    for key in NO_EFFECT {
        reader.boolean(key);
    }
    let updated = reader.date_field("updatedDate", UPDATED_FIELD);
    let query = reader.query(&updated.path);
    Resource {
        name: name.to_owned(),
        source: reader.source().unwrap_or_else(|| Source::of(query.objects)),
        query,
        id_field: reader.json_path("idField", ID_FIELD),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};

    use super::parse;
    use crate::close::object_type::Objects;
    use crate::close::search::Searched;
    use crate::json::path::text_at;
    use crate::polling::resource::{DateField, Source};

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
    fn what_would_change_what_is_published_is_refused_and_the_rest_ignored() {
        let json = r#"{"a":{"url":"/hubs/crm/leads","filterByUpdatedDate":"no","filterByCurrentDate":1,"xPath":"//lead","postHooks":["x"],
            "parameters":{"a":1},"useLastPollDate":"false","objectName":"lead","datesConfiguration":"GMT","idField":"emails[*].id"}}"#;
        let errors: Vec<_> = parse(json)
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .collect();
        insta::assert_snapshot!(errors.join("\n"), @r"
        event.poller.configuration.a.xPath: expected nothing: put a condition into the url, as in /hubs/crm/contacts?where=title='CEO'
        event.poller.configuration.a.parameters: expected nothing: put a condition into the url, as in /hubs/crm/contacts?where=title='CEO'
        event.poller.configuration.a.postHooks: expected nothing: no code runs in a poll; change events behind a rule of the bus
        event.poller.configuration.a.useLastPollDate: expected true: a poll goes on where the last one ended
        event.poller.configuration.a.objectName: expected the resource's own name, a
        event.poller.configuration.a.datesConfiguration: expected an object
        event.poller.configuration.a.filterByUpdatedDate: expected true or false
        event.poller.configuration.a.filterByCurrentDate: expected true or false
        event.poller.configuration.a.idField: expected a path such as id, custom.cf_a1b2 or emails[0].email
        ");
        let json = r#"{"a":{"url":"/hubs/crm/leads","filterByUpdatedDate":false,"filterByUpdateDate":"TRUE","filterByCurrentDate":true,"xPath":"",
            "postHooks":[],"parameters":{},"useLastPollDate":true,"objectName":"a","batchSize":20,"updatedDateTimezone":"GMT","datesConfiguration":null}}"#;
        assert_eq!(parse(json).unwrap().len(), 1);
    }

    #[test]
    fn the_documented_example_says_where_its_pattern_ends_wrongly() {
        let json = r#"{"deals":{"url":"/hubs/marketing/opportunities?where=mdate>=2017-02-28T16:11:29-06:00","idField":"id","filterByUpdatedDate":true,
            "datesConfiguration":{"updatedDateField":"mdate","updatedDateFormat":"yyyy-MM-dd'T'HH:mm:ssXXX","updatedDateTimezone":"GMT",
            "createdDateField":"cdate","createdDateFormat":"yyyy-MM-dd'T'HH:mm:ssXXX'","createdDateTimezone":"GMT"},
            "createdCheckTolerance":60,"pageSize":20,"pollDelay":60}}"#;
        let errors = parse(json).unwrap_err();
        assert_eq!(errors.len(), 1);
        insta::assert_snapshot!(errors[0], @"event.poller.configuration.deals.datesConfiguration.createdDateFormat: the single quote at position 25 is never closed");
    }

    #[test]
    fn ids_and_dates_are_found_by_path() {
        let json = r#"{"contacts":{"url":"/hubs/crm/contacts?where=custom.cf_1>'${date}'","idField":" $.emails[0].email","datesConfiguration":
            {"updatedDateField":"custom.cf_1","createdDateField":"history[1].at","createdDateFormat":"milliseconds"}}}"#;
        let resource = parse(json).unwrap().remove(0);
        let record = r#"{"id":"cont_1","custom.cf_1":"2026-06-19","emails":[{"email":"a@x"}],"history":[{},{"at":5000}]}"#;
        let record = crate::json::raw(record).unwrap();
        let id = text_at(&record, &resource.id_field);
        assert_eq!(id.as_deref(), Some("a@x"));
        let seconds = |field: &DateField| field.read(&record).map(Timestamp::as_second);
        assert_eq!(seconds(&resource.updated), Some(1_781_827_200));
        assert_eq!(seconds(&resource.created), Some(5));
        assert_eq!(resource.query.filter, None);
    }

    #[test]
    fn a_path_has_at_most_256_characters() {
        let refused = |member: &str, path: &str| {
            let json = format!(
                r#"{{"a":{{"url":"/hubs/crm/leads",{}}}}}"#,
                member.replace('?', path)
            );
            parse(&json)
                .map(drop)
                .map_err(|errors| errors[0].message.clone())
        };
        for member in [
            r#""idField":"?""#,
            r#""datesConfiguration":{"createdDateField":"?"}"#,
        ] {
            assert_eq!(refused(member, &"é".repeat(256)), Ok(()));
            for path in ["é".repeat(257), "a.".repeat(50_000), "a[0]".repeat(50_000)] {
                let error = Err("expected a path of at most 256 characters".to_owned());
                assert_eq!(refused(member, &path), error, "{member}");
            }
        }
    }

    #[test]
    fn an_instance_has_at_most_100_resources() {
        let json = |count: usize| {
            let members =
                (0..count).map(|number| format!(r#""r{number}":{{"url":"/hubs/crm/leads"}}"#));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        };
        assert_eq!(parse(&json(100)).unwrap().len(), 100);
        let refused = parse(&json(101)).unwrap_err();
        assert_eq!(refused.len(), 1);
        insta::assert_snapshot!(refused[0], @"event.poller.configuration: expected at most 100 resources, but found 101");
    }

    #[test]
    fn a_private_key_of_serde_json_is_refused_where_it_is_ignored() {
        let json =
            r#"{"a":{"url":"/hubs/crm/leads","other":{"$serde_json::private::RawValue":"1"}}}"#;
        insta::assert_snapshot!(parse(json).unwrap_err()[0], @"event.poller.configuration: expected JSON, but found a member `$serde_json::private::RawValue`, whose name is not free");
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
        assert_eq!(of("accounts"), Ok(Source::Search(Searched::Lead)));
        assert_eq!(of("opportunities"), Ok(Source::Opportunities));
        assert_eq!(of("tasks"), Ok(Source::Tasks));
        assert_eq!(of("activities"), Ok(Source::EventLog));
        assert_eq!(of("events"), Ok(Source::EventLog));
        let kept = of("events").unwrap().retention();
        assert_eq!(kept, Some(SignedDuration::from_hours(720)));
        assert_eq!(of("tasks").unwrap().retention(), None);
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
