//! `GET /activity/` and the lists of single kinds: the newest first by `date_created`, which is whatever its creator said.

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::close::api::parameters::{DATE_CREATED, DateParameters, QueryParameters};
use crate::close::data::objects::activity_type::ActivityType;
use crate::close::data::objects::record::{DateField, Family, ObjectKind, Record};
use crate::close::data::tenant::Tenant;
use crate::close::data::time::span::Span;
use crate::close::data::time::stamp;
use crate::close::settings::Settings;
use crate::close::wire::answer::Refusal;

/// The default number of activities of a page, and the largest.
const LIMIT: usize = 100;

const ACTIVITY_AT: DateParameters = [
    "activity_at__gt",
    "activity_at__gte",
    "activity_at__lt",
    "activity_at__lte",
];

/// Filters that Close documents for the activities of one lead only; what it does with them otherwise is unknown.
const OF_A_LEAD: [&str; 2] = ["contact_id", "user_id"];
/// The same of the list of all kinds.
const TYPES: [&str; 2] = ["_type", "_type__in"];
/// Fields that must be equal to the parameter of their name.
const EQUAL: [&str; 3] = ["contact_id", "lead_id", "user_id"];

/// Answers the list of all activities, or of one kind.
pub(crate) fn list(
    tenant: &Tenant,
    of: Option<&'static ActivityType>,
    settings: &Settings,
    parameters: QueryParameters<'_>,
) -> Result<Value, Refusal> {
    if parameters.get("lead_id").is_none() {
        parameters.refuse(&OF_A_LEAD)?;
        if of.is_none() {
            parameters.refuse(&TYPES)?;
        }
    }
    let limit = parameters.limit(LIMIT, LIMIT)?;
    let skip = parameters.skip(settings.max_skip)?;
    let types = types(of, parameters)?;
    let at = parameters.span(ACTIVITY_AT)?;
    let equal = parameters.all_of(&EQUAL);
    let wanted = |record: &&Arc<Record>| {
        types.as_ref().is_none_or(|types| is_of(record, types))
            && (at == Span::ALL || at.contains(activity_at(record)))
            && (equal.is_empty() || tenant.shows(record, &equal))
    };
    let activities = &tenant.collection(Family::Activity).by_date;
    let found = activities.within(DateField::Created, parameters.span(DATE_CREATED)?);
    let found = found.rev().filter(wanted);
    let mut page = if of.is_none() && is_by_activity_at(parameters) {
        let mut all: Vec<_> = found.collect();
        all.sort_by_key(|record| Reverse((activity_at(record), record.tie)));
        all.split_off(skip.min(all.len()))
    } else {
        found.skip(skip).take(limit + 1).collect()
    };
    let has_more = limit < page.len();
    page.truncate(limit);
    let data = page
        .iter()
        .map(|record| parameters.trim(tenant.render(record)));
    Ok(json!({ "data": data.collect::<Vec<_>>(), "has_more": has_more }))
}

/// Of one lead alone, the order may be chosen; else it is ignored, like any other order.
fn is_by_activity_at(parameters: QueryParameters<'_>) -> bool {
    parameters.get("lead_id").is_some() && parameters.get("_order_by") == Some("-activity_at")
}

/// The kinds that are asked for, unless all are.
fn types(
    of: Option<&'static ActivityType>,
    parameters: QueryParameters<'_>,
) -> Result<Option<Vec<&'static ActivityType>>, Refusal> {
    if let Some(of) = of {
        return Ok(Some(vec![of]));
    }
    let names = parameters.get("_type").or(parameters.get("_type__in"));
    let Some(names) = names else {
        return Ok(None);
    };
    let find = |name: &str| {
        let invalid = || Refusal::Field("_type", format!("{name} is not a valid activity type."));
        ActivityType::from_name(name.trim()).ok_or_else(invalid)
    };
    names
        .split(',')
        .map(find)
        .collect::<Result<_, _>>()
        .map(Some)
}

fn is_of(record: &Record, types: &[&'static ActivityType]) -> bool {
    match record.kind {
        ObjectKind::Activity(of) => types.contains(&of),
        _ => false,
    }
}

/// When it happened: a meeting when it starts, everything else when it was created, unless told otherwise.
fn activity_at(record: &Record) -> Timestamp {
    let given = record.text("starts_at").or(record.text("activity_at"));
    given.and_then(stamp::parse).unwrap_or(record.date_created)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::close::api::parameters::given;
    use crate::close::data::moment::Moment;

    fn at(second: i64) -> Moment {
        let start: Timestamp = "2026-06-19T12:00:00Z".parse().unwrap();
        Moment::new(start + SignedDuration::from_secs(second))
    }

    fn create(tenant: &mut Tenant, lead: &str, path: &str, fields: Value, moment: &Moment) {
        let kind = ObjectKind::Activity(ActivityType::from_path(path).unwrap());
        tenant.create(kind, lead, fields, moment).unwrap();
    }

    /// A lead with a call, a note and a meeting of the next day.
    fn tenant() -> (Tenant, String) {
        let mut tenant = Tenant::new("Acme", at(0).now);
        let lead = tenant.create_lead(json!({}), &at(0)).unwrap();
        create(&mut tenant, &lead, "activity/call", json!({}), &at(1));
        create(&mut tenant, &lead, "activity/note", json!({}), &at(2));
        let starts_at = json!({ "starts_at": "2026-06-20T09:00:00+00:00" });
        create(&mut tenant, &lead, "activity/meeting", starts_at, &at(3));
        (tenant, lead.to_string())
    }

    #[track_caller]
    fn check(tenant: &Tenant, parameters: &[(&str, &str)], expect: &[&str]) {
        let given = given(parameters);
        let page = list(tenant, None, &Settings::quick(), QueryParameters(&given)).unwrap();
        let data = page["data"].as_array().unwrap().iter();
        let types: Vec<_> = data.map(|one| one["_type"].as_str().unwrap()).collect();
        assert_eq!(types, expect, "{parameters:?}");
    }

    #[test]
    fn they_are_listed_by_the_date_that_their_creator_gave() {
        let (mut tenant, lead) = tenant();
        let synced = Moment {
            date_created: Some(at(-1_000_000).now),
            ..at(4)
        };
        create(&mut tenant, &lead, "activity/email", json!({}), &synced);
        check(
            &tenant,
            &[],
            &["Meeting", "Note", "Call", "Created", "Email"],
        );
        let bounds = [
            ("date_created__gte", "2026-06-19T12:00:01"),
            ("date_created__lt", "2026-06-20"),
            // There is no such filter, so it filters nothing.
            ("date_updated__gt", "2030-01-01"),
        ];
        check(&tenant, &bounds, &["Note", "Call"]);
        check(&tenant, &[("activity_at__gt", "2026-06-20")], &["Meeting"]);
        let email = tenant
            .collection(Family::Activity)
            .by_date
            .within(DateField::Updated, Span::ALL);
        let email = email.last().unwrap();
        assert_eq!(email.date_updated, at(4).now);
    }

    #[test]
    fn one_kind_has_its_own_list_and_else_filters_need_a_lead() {
        let (tenant, lead) = tenant();
        let calls = ActivityType::from_path("activity/call");
        let none = given(&[]);
        let page = list(&tenant, calls, &Settings::quick(), QueryParameters(&none)).unwrap();
        assert_eq!(page["data"].as_array().unwrap().len(), 1);
        check(&tenant, &[("lead_id", &lead), ("_type", "Note")], &["Note"]);
        let given = given(&[("_type", "Note")]);
        let refusal = list(&tenant, None, &Settings::quick(), QueryParameters(&given));
        assert!(matches!(refusal, Err(Refusal::NotSimulated(400, _))));
    }
}
