//! Members of resources that nobody knows.

use serde_json::{Map, Value};

use crate::json;
use crate::polling::members::{NO_EFFECT, UNSUPPORTED};
use crate::polling::poller_configuration::KEY;
use crate::polling::warnings::Warnings;

/// The members of a resource that mean something.
const USED: [&str; 7] = [
    "url",
    "source",
    "idField",
    DATES,
    "createdCheckTolerance",
    "pageSize",
    "pollDelay",
];

/// Others that the service which this one follows knew, or showed in its examples, beside those that are refused and those
/// that change nothing.
const KEPT: [&str; 4] = [
    "useLastPollDate",
    "objectName",
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
    let dates_paths = DATES_MEMBERS.map(|member| format!("{DATES}.{member}"));
    for (name, resource) in resources {
        let place = format!("{prefix}{KEY}.{name}.");
        let members = resource.as_object();
        for name in names(members).filter(|name| !is_known(name)) {
            let known = USED
                .into_iter()
                .chain(dates_paths.iter().map(String::as_str));
            warnings.unknown(&place, name, known);
        }
        let dates = resource.get(DATES).and_then(Value::as_object);
        for name in names(dates).filter(|name| !DATES_MEMBERS.contains(name)) {
            warnings.unknown(&format!("{place}{DATES}."), name, DATES_MEMBERS);
        }
    }
}

fn names(members: Option<&Map<String, Value>>) -> impl Iterator<Item = &str> {
    members.into_iter().flat_map(Map::keys).map(String::as_str)
}

fn is_known(name: &str) -> bool {
    let is_refused = UNSUPPORTED.iter().any(|(refused, _)| *refused == name);
    is_refused
        || [&USED[..], &KEPT, &NO_EFFECT]
            .iter()
            .any(|names| names.contains(&name))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::warn;
    use crate::polling::warnings::Warnings;

    fn lines(value: &Value) -> Vec<String> {
        let mut warnings = Warnings::default();
        warn(value, "configuration.", &mut warnings);
        warnings.into_lines()
    }

    #[test]
    fn names_each_of_an_object_and_of_a_text() {
        let resources = json!({
            "contacts": {"url": "/hubs/crm/contacts", "idfield": "id", "soure": "event-log"},
            "leads": {"createdDateFeild": "x", "xPath": "", "batchSize": 1, "datesConfiguration": {"updatedDateFeild": "x", "updatedDateField": "y"}, "zzz": 1},
        });
        let found = lines(&resources);
        assert_eq!(
            found,
            [
                "configuration.event.poller.configuration.contacts.idfield: is not known; did you mean idField?",
                "configuration.event.poller.configuration.contacts.soure: is not known; did you mean source?",
                "configuration.event.poller.configuration.leads.createdDateFeild: is not known; did you mean datesConfiguration.createdDateField?",
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
