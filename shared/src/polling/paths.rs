//! Fields of Close's objects that nobody knows. A condition on one is never fulfilled, and nobody would notice.

use std::collections::BTreeSet;

use crate::close::object_type::Objects;
use crate::close::search::{CONTACT_FIELDS, LEAD_FIELDS};
use crate::polling::resource::{Resource, Source};
use crate::polling::warnings::{Warnings, suggestion};

/// The member that Close adds to each record of a search.
const OF_SEARCH: [&str; 1] = ["__object_type"];

/// Fields of leads and contacts that our searches do not ask for. The event log may have them. Source: Close's `OpenAPI`
/// document of 2026-06-27.
const MORE_OF_LEADS: [&str; 9] = [
    "contact_ids",
    "contacts_summary",
    "localtime",
    "primary_address_summary",
    "primary_email",
    "primary_phone",
    "recent_calls",
    "source",
    "summaries",
];
const MORE_OF_CONTACTS: [&str; 3] = [
    "lead_suggestions_operation_id",
    "recent_calls",
    "subscriptions",
];

/// Source: the keys of a recorded `GET /opportunity/{id}/` of 2026, and Close's `OpenAPI` document of 2026-06-27.
const OPPORTUNITY_FIELDS: [&str; 41] = [
    "annualized_expected_value",
    "annualized_value",
    "attachments",
    "comment_summary",
    "confidence",
    "contact_id",
    "contact_name",
    "created_by",
    "created_by_name",
    "custom",
    "date_created",
    "date_lost",
    "date_updated",
    "date_won",
    "expected_value",
    "id",
    "integration_links",
    "is_stalled",
    "lead_id",
    "lead_name",
    "lead_primary_email",
    "lead_primary_phone",
    "note",
    "note_html",
    "organization_id",
    "pipeline_id",
    "pipeline_name",
    "stall_status",
    "status_display_name",
    "status_id",
    "status_label",
    "status_type",
    "suggested_action",
    "updated_by",
    "updated_by_name",
    "user_id",
    "user_name",
    "value",
    "value_currency",
    "value_formatted",
    "value_period",
];

/// Warns of what a resource reads in each record, and the records do not have. Of a path only the first key is looked at.
/// `prefix` is the place of the resources.
pub fn warn(resources: &[Resource], prefix: &str, warnings: &mut Warnings) {
    for resource in resources {
        let Some((objects, known)) = known(resource) else {
            continue;
        };
        for field in fields(resource) {
            if !known.contains(&field) {
                warnings.note(&format!("{prefix}.{}", resource.name), || {
                    let suggestion = suggestion(field, known.iter().copied());
                    format!("`{field}` is no known field of {objects}{suggestion}")
                });
            }
        }
    }
}

/// The first keys of all paths, each once.
fn fields(resource: &Resource) -> BTreeSet<&str> {
    let paths = paths(resource).into_iter();
    paths
        .filter_map(|path| path.split(['.', '[']).next())
        .collect()
}

/// All paths of a resource, each once.
pub fn paths(resource: &Resource) -> BTreeSet<&str> {
    let condition = resource.query.filter.iter().flat_map(|expr| expr.fields());
    let paths = [
        &resource.id_field,
        &resource.updated.path,
        &resource.created.path,
    ];
    condition
        .chain(paths.into_iter().map(String::as_str))
        .collect()
}

/// The name of the objects that a resource reads, and the fields that they may have. Tasks and activities have many types, each
/// with other fields, so there is no list for them.
fn known(resource: &Resource) -> Option<(&'static str, Vec<&'static str>)> {
    let is_searched = resource.source != Source::EventLog;
    let (objects, fields, more): (_, &[_], &[_]) = match resource.query.objects {
        Objects::Leads if is_searched => ("leads", &LEAD_FIELDS, &OF_SEARCH),
        Objects::Leads => ("leads", &LEAD_FIELDS, &MORE_OF_LEADS),
        Objects::Contacts if is_searched => ("contacts", &CONTACT_FIELDS, &OF_SEARCH),
        Objects::Contacts => ("contacts", &CONTACT_FIELDS, &MORE_OF_CONTACTS),
        Objects::Opportunities => ("opportunities", &OPPORTUNITY_FIELDS, &[]),
        Objects::Tasks | Objects::Activities | Objects::All => return None,
    };
    Some((objects, [fields, more].concat()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::warn;
    use crate::polling::poller_configuration::parse;
    use crate::polling::warnings::Warnings;

    /// The warnings about one resource.
    fn lines(url: &str, source: Option<&str>) -> Vec<String> {
        let resources = json!({"r": {"url": url, "source": source}}).to_string();
        let mut warnings = Warnings::default();
        warn(&parse(&resources).unwrap(), "at", &mut warnings);
        warnings.into_lines()
    }

    #[test]
    fn an_unknown_field_of_a_condition_is_named_once_with_the_one_that_is_meant() {
        let url = "/hubs/crm/opportunities?where=vallue > 1000 AND (stage = 'x' OR vallue IN (1) OR vallue IS NULL)";
        assert_eq!(
            lines(url, None),
            [
                "at.r: `stage` is no known field of opportunities",
                "at.r: `vallue` is no known field of opportunities; did you mean value?"
            ]
        );
        for condition in [
            "nmae LIKE 'A%'",
            "nmae IN ('A')",
            "nmae IS NULL",
            "nmae IS NOT NULL",
            "'A' < nmae",
            "date_updated > '${date}' AND nmae.first = 'A'",
            "`nmae[0].first` = 'A'",
        ] {
            for resource in ["leads", "accounts", "contacts"] {
                let url = format!("/hubs/crm/{resource}?where={condition}");
                let found = lines(&url, None);
                assert_eq!(found.len(), 1, "{url}");
                assert!(found[0].contains("`nmae`") && found[0].ends_with("did you mean name?"));
            }
        }
    }

    #[test]
    fn known_fields_custom_fields_and_other_objects_are_no_mistake() {
        for url in [
            "/hubs/crm/leads?where=name = 'A' AND custom.cf_1 = 1 AND custom.Owner = 'x' AND `addresses[0].city` = 'B'",
            "/hubs/crm/contacts?where=`emails[0].email` LIKE '%@x' OR custom.cf_2 IS NULL",
            "/hubs/crm/opportunities?where=value > 1 AND custom.cf_3 = 1 AND note_html IS NOT NULL",
            "/hubs/crm/tasks?where=whatever = 1",
            "/hubs/crm/activities?where=whatever = 1",
            "/hubs/crm/events?where=whatever = 1",
        ] {
            for source in [None, Some("event-log")] {
                assert_eq!(lines(url, source), Vec::<String>::new(), "{url}");
            }
        }
    }

    #[test]
    fn a_search_returns_less_than_the_event_log_has() {
        let url = "/hubs/crm/leads?where=primary_email = 'a@x'";
        assert_eq!(lines(url, None).len(), 1);
        assert_eq!(lines(url, Some("event-log")).len(), 0);
    }

    #[test]
    fn fields_of_dates_and_ids_are_looked_at_as_well() {
        let resources = json!({"r": {"url": "/hubs/crm/leads", "idField": "Id", "datesConfiguration":
            {"updatedDateField": "_info.updated", "createdDateField": "custom.cf_1"}}});
        let mut warnings = Warnings::default();
        let resources = parse(&resources.to_string()).unwrap();
        warn(&resources, "at", &mut warnings);
        assert_eq!(
            warnings.into_lines(),
            [
                "at.r: `Id` is no known field of leads; did you mean id?",
                "at.r: `_info` is no known field of leads"
            ]
        );
    }
}
