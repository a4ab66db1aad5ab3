//! `GET /task/`: filtered by date, but in no order that helps to follow changes.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::selection::{Order, OrderBy, Selection};
use crate::close::api::parameters::{DATE_CREATED, DATE_UPDATED, DateParameters, QueryParameters};
use crate::close::data::objects::record::{DateField, Family, ObjectKind, Record};
use crate::close::data::objects::task_type::TaskType;
use crate::close::data::tenant::Tenant;
use crate::close::data::time::span::Span;
use crate::close::data::time::stamp;
use crate::close::settings::Settings;
use crate::close::wire::answer::Refusal;

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 200;

const DATE: DateParameters = ["date__gt", "date__gte", "date__lt", "date__lte"];

/// Parameters that Close documents and the simulator does not know.
const NOT_SIMULATED: [&str; 1] = ["view"];
/// Fields that must be equal to the parameter of their name.
const EQUAL: [&str; 3] = ["assigned_to", "is_complete", "lead_id"];

/// Answers the list.
pub(crate) fn list(
    tenant: &Tenant,
    settings: &Settings,
    parameters: QueryParameters<'_>,
) -> Result<Value, Refusal> {
    parameters.refuse(&NOT_SIMULATED)?;
    let limit = parameters.limit(DEFAULT_LIMIT, MAX_LIMIT)?;
    let skip = parameters.skip(settings.max_skip)?;
    let types = Types::read(parameters)?;
    let due = parameters.span(DATE)?;
    let equal = parameters.all_of(&EQUAL);
    let selection = Selection {
        created: parameters.span(DATE_CREATED)?,
        updated: parameters.span(DATE_UPDATED)?,
        accepts: Box::new(move |record| {
            types.accept(record)
                && is_due_within(record, due)
                && (equal.is_empty() || tenant.shows(record, &equal))
        }),
        order: order(parameters.get("_order_by")),
    };
    let found = selection.of(&tenant.collection(Family::Task).by_date);
    let page = found.iter().skip(skip).take(limit);
    let data = page.map(|record| parameters.trim(tenant.render(record)));
    Ok(json!({
        "data": data.collect::<Vec<_>>(),
        "has_more": skip + limit < found.len(),
        "total_results": found.len(),
    }))
}

/// The kinds of tasks that are asked for.
enum Types {
    All,
    Some(Vec<&'static TaskType>),
}

impl Types {
    /// Only those of leads, unless told otherwise.
    fn read(parameters: QueryParameters<'_>) -> Result<Self, Refusal> {
        let names = match (parameters.get("_type"), parameters.get("_type__in")) {
            (Some("all"), _) => return Ok(Self::All),
            (Some(name), _) => name,
            (None, Some(names)) => names,
            (None, None) => "lead",
        };
        let find = |name: &str| {
            let invalid = || Refusal::Field("_type", format!("{name} is not a valid task type."));
            TaskType::from_name(name.trim()).ok_or_else(invalid)
        };
        let types = names.split(',').map(find).collect::<Result<_, _>>()?;
        Ok(Self::Some(types))
    }

    fn accept(&self, record: &Record) -> bool {
        match (self, record.kind) {
            (Self::Some(types), ObjectKind::Task(of)) => types.contains(&of),
            _ => true,
        }
    }
}

fn is_due_within(record: &Record, span: Span) -> bool {
    span == Span::ALL || span.contains(date(record))
}

/// The date of a task, which without one is the day it was made.
fn date(record: &Record) -> Timestamp {
    let given = record.text("date").and_then(stamp::parse);
    given
        .or_else(|| stamp::parse(&stamp::day(record.date_created)))
        .unwrap_or(record.date_created)
}

/// Only two orders exist; any other is ignored without a word.
fn order(order_by: Option<&str>) -> Order {
    let (by, descending) = match order_by {
        Some("date") => (
            OrderBy::Key(|record| Some(date(record).as_nanosecond())),
            false,
        ),
        Some("-date") => (
            OrderBy::Key(|record| Some(date(record).as_nanosecond())),
            true,
        ),
        Some("date_created") => (OrderBy::Date(DateField::Created), false),
        _ => (OrderBy::Date(DateField::Created), true),
    };
    Order { by, descending }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::api::parameters::given;
    use crate::close::data::moment::tests::at;

    /// An organization with a task of each of these types, a second after the one before, due in the order given.
    fn tenant(types: &[(&str, &str)]) -> Tenant {
        let mut tenant = Tenant::new("Acme", at(0).now);
        let lead = tenant.create_lead(json!({}), &at(0)).unwrap();
        for (second, (of_type, date)) in (1..).zip(types) {
            let kind = ObjectKind::Task(TaskType::from_name(of_type).unwrap());
            let fields = json!({ "date": date });
            tenant.create(kind, &lead, fields, &at(second)).unwrap();
        }
        tenant
    }

    fn ask(tenant: &Tenant, parameters: &[(&str, &str)]) -> Result<Value, Refusal> {
        list(
            tenant,
            &Settings::quick(),
            QueryParameters(&given(parameters)),
        )
    }

    #[track_caller]
    fn check(tenant: &Tenant, parameters: &[(&str, &str)], expect: &[&str]) {
        let page = ask(tenant, parameters).unwrap();
        let data = page["data"].as_array().unwrap().iter();
        let types: Vec<_> = data.map(|one| one["_type"].as_str().unwrap()).collect();
        assert_eq!(types, expect, "{parameters:?}");
        assert_eq!(page["total_results"], expect.len());
    }

    #[test]
    fn only_tasks_of_leads_are_listed_unless_others_are_asked_for() {
        let types = ["lead", "email_followup", "opportunity_due"];
        let tenant = tenant(&types.map(|of_type| (of_type, "2026-06-19")));
        check(&tenant, &[], &["lead"]);
        let all = ["opportunity_due", "email_followup", "lead"];
        check(&tenant, &[("_type", "all")], &all);
        check(&tenant, &[("_type", "email_followup")], &["email_followup"]);
        let two = [("_type__in", "lead,opportunity_due")];
        check(&tenant, &two, &["opportunity_due", "lead"]);
        let refusal = ask(&tenant, &[("_type", "nonsense")]);
        assert!(matches!(refusal, Err(Refusal::Field("_type", _))));
    }

    #[test]
    fn dates_bound_them_and_only_two_orders_exist() {
        let tenant = tenant(&[
            ("lead", "2026-06-21"),
            ("voicemail", "2026-06-20T10:00:00+00:00"),
            ("missed_call", "2026-06-22"),
        ]);
        let all = |parameters: &[_]| [&[("_type", "all")], parameters].concat();
        let by_date = ["voicemail", "lead", "missed_call"];
        check(&tenant, &all(&[("_order_by", "date")]), &by_date);
        let oldest_first = ["lead", "voicemail", "missed_call"];
        check(
            &tenant,
            &all(&[("_order_by", "date_created")]),
            &oldest_first,
        );
        let newest_first = ["missed_call", "voicemail", "lead"];
        check(
            &tenant,
            &all(&[("_order_by", "date_updated")]),
            &newest_first,
        );
        let due = all(&[("date__gte", "2026-06-20"), ("date__lt", "2026-06-21")]);
        check(&tenant, &due, &["voicemail"]);
        let updated = [
            ("date_updated__gt", "2026-06-19T12:00:01"),
            ("date_updated__lte", "2026-06-19T12:00:03"),
        ];
        check(&tenant, &all(&updated), &["missed_call", "voicemail"]);
    }
}
