//! Members of resources that nobody knows.

use serde_json::{Map, Value};

use super::KEY;
use crate::json;
use crate::warnings::Warnings;

/// The members of a resource. The last row is what the service that this one follows knew as well, or showed in its own
/// examples; some of it is refused where it would have an effect, the rest never has one.
const MEMBERS: [&str; 19] = [
    "url",
    "source",
    "idField",
    DATES,
    "createdCheckTolerance",
    "pageSize",
    "pollDelay",
    "filterByUpdatedDate",
    "filterByUpdateDate",
    "filterByCurrentDate",
    "useLastPollDate",
    "objectName",
    "xPath",
    "xPathFilter",
    "parameters",
    "preHooks",
    "postHooks",
    "batchSize",
    "updatedDateTimezone",
];

const DATES: &str = "datesConfiguration";
const DATES_MEMBERS: [&str; 6] = [
    "updatedDateField",
    "updatedDateFormat",
    "updatedDateTimezone",
    "createdDateField",
    "createdDateFormat",
    "createdDateTimezone",
];

/// Warns of the members that are not known, where the value is resources, as an object or as JSON text. `prefix` is the place
/// of the configuration's keys.
pub fn warn(value: &Value, prefix: &str, warnings: &mut Warnings) {
    let parsed = value.as_str().and_then(|text| json::tree(text).ok());
    let Some(resources) = parsed.as_ref().unwrap_or(value).as_object() else {
        return;
    };
    for (name, resource) in resources {
        let place = format!("{prefix}{KEY}.{name}.");
        let members = resource.as_object();
        warn_of_members(members, &place, &MEMBERS, warnings);
        let dates = resource.get(DATES).and_then(Value::as_object);
        warn_of_members(dates, &format!("{place}{DATES}."), &DATES_MEMBERS, warnings);
    }
}

fn warn_of_members(
    members: Option<&Map<String, Value>>,
    place: &str,
    known: &[&'static str],
    warnings: &mut Warnings,
) {
    let names = members.into_iter().flat_map(Map::keys);
    for name in names.filter(|name| !known.contains(&name.as_str())) {
        warnings.unknown(place, name, known.iter().copied());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::warn;
    use crate::warnings::Warnings;

    fn lines(value: &Value) -> Vec<String> {
        let mut warnings = Warnings::default();
        warn(value, "configuration.", &mut warnings);
        warnings.into_lines()
    }

    #[test]
    fn names_each_of_an_object_and_of_a_text() {
        let resources = json!({
            "contacts": {"url": "/hubs/crm/contacts", "idfield": "id", "soure": "event-log"},
            "leads": {"datesConfiguration": {"updatedDateFeild": "x", "updatedDateField": "y"}, "zzz": 1},
        });
        let found = lines(&resources);
        assert_eq!(
            found,
            [
                "configuration.event.poller.configuration.contacts.idfield: is not known; did you mean idField?",
                "configuration.event.poller.configuration.contacts.soure: is not known; did you mean source?",
                "configuration.event.poller.configuration.leads.zzz: is not known",
                "configuration.event.poller.configuration.leads.datesConfiguration.updatedDateFeild: is not known; did you mean updatedDateField?",
            ]
        );
        assert_eq!(lines(&Value::String(resources.to_string())), found);
    }

    #[test]
    fn what_is_no_resource_has_no_members() {
        for value in [
            json!("{"),
            json!(["a"]),
            json!({"contacts": 7}),
            json!(null),
        ] {
            assert_eq!(lines(&value), Vec::<String>::new(), "{value}");
        }
    }
}
