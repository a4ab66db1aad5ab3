//! The filters of the event log, of which only some count together.

use crate::close::api::parameters::QueryParameters;
use crate::close::data::log::entry::LogEntry;
use crate::close::data::tenant::Tenant;
use crate::close::wire::answer::Refusal;

/// What entries are asked for, beside the date.
#[derive(Debug)]
pub(crate) struct EventFilter<'a>(Vec<(&'static str, &'a str)>);

/// The filters, in the order of [`TOGETHER`].
const FILTERS: [&str; 6] = [
    "lead_id",
    "user_id",
    "object_type",
    "object_id",
    "action",
    "request_id",
];

/// The filters that Close documents together; it says nothing of any other combination, not even of `object_type` alone.
const TOGETHER: [&[&str]; 14] = [
    &[],
    &["object_type", "object_id"],
    &["object_type", "action"],
    &["object_id", "action"],
    &["lead_id"],
    &["lead_id", "object_type"],
    &["lead_id", "object_type", "action"],
    &["lead_id", "user_id"],
    &["lead_id", "user_id", "object_type"],
    &["lead_id", "user_id", "object_type", "action"],
    &["user_id"],
    &["user_id", "object_id"],
    &["user_id", "object_type"],
    &["user_id", "object_type", "action"],
];

impl<'a> EventFilter<'a> {
    /// The filters of a request, if they count together.
    pub(crate) fn read(parameters: QueryParameters<'a>) -> Result<Self, Refusal> {
        let given = FILTERS.into_iter();
        let given = given.filter_map(|name| Some((name, parameters.get(name)?)));
        let given: Vec<_> = given.collect();
        let names: Vec<_> = given.iter().map(|(name, _)| *name).collect();
        if TOGETHER.contains(&names.as_slice()) || names == ["request_id"] {
            return Ok(Self(given));
        }
        let message = format!("the filters {} together", names.join(" and "));
        Err(Refusal::NotSimulated(400, message))
    }

    /// Whether the entry is asked for.
    pub(crate) fn accepts(&self, tenant: &Tenant, entry: &LogEntry) -> bool {
        self.0.iter().all(|(name, wanted)| match *name {
            "lead_id" => entry.lead_id.as_deref() == Some(wanted),
            "user_id" => tenant.identity.user_id == *wanted,
            "object_type" => entry.object_type == *wanted,
            "object_id" => *entry.object_id == **wanted,
            "action" => entry.action == *wanted,
            // No entry bears a request's id, for nothing is changed through the API.
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::close::api::parameters::given;

    fn entry(object_type: &str, object_id: &str, action: &str) -> LogEntry {
        let entry = json!({
            "action": action,
            "lead_id": "lead_1",
            "object_id": object_id,
            "object_type": object_type,
        });
        LogEntry::foreign(&entry, Timestamp::UNIX_EPOCH).unwrap()
    }

    #[track_caller]
    fn check(parameters: &[(&str, &str)], expect: &[&str]) {
        let tenant = Tenant::new("Acme", Timestamp::UNIX_EPOCH);
        let entries = [
            entry("lead", "lead_1", "created"),
            entry("contact", "cont_1", "created"),
            entry("contact", "cont_1", "updated"),
        ];
        let given = given(parameters);
        let filter = EventFilter::read(QueryParameters(&given)).unwrap();
        let accepted = entries
            .iter()
            .filter(|entry| filter.accepts(&tenant, entry));
        let accepted: Vec<_> = accepted
            .map(|entry| format!("{}.{}", entry.object_type, entry.action))
            .collect();
        assert_eq!(accepted, expect, "{parameters:?}");
    }

    #[test]
    fn filters_count_together_as_documented() {
        let contacts = ["contact.created", "contact.updated"];
        check(
            &[("lead_id", "lead_1"), ("object_type", "contact")],
            &contacts,
        );
        check(
            &[("object_type", "contact"), ("object_id", "cont_1")],
            &contacts,
        );
        check(
            &[("object_id", "cont_1"), ("action", "updated")],
            &contacts[1..],
        );
        check(
            &[("object_type", "lead"), ("action", "created")],
            &["lead.created"],
        );
        check(&[("request_id", "req_1")], &[]);
        check(&[("user_id", "user_1")], &[]);
    }

    #[test]
    fn other_combinations_are_refused() {
        for alone in ["object_type", "object_id", "action"] {
            let given = given(&[(alone, "x")]);
            let refusal = EventFilter::read(QueryParameters(&given)).unwrap_err();
            assert!(matches!(refusal, Refusal::NotSimulated(400, _)));
        }
    }

    #[test]
    fn what_close_does_not_know_filters_nothing() {
        let all = ["lead.created", "contact.created", "contact.updated"];
        check(&[("_skip", "1"), ("nonsense", "1")], &all);
    }
}
