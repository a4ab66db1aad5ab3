//! `GET /opportunity/`: filtered by date, in an order that may be chosen, with the sums of all that match.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::selection::{Order, OrderBy, Selection};
use crate::close::api::parameters::{DATE_CREATED, DATE_UPDATED, DateParameters, QueryParameters};
use crate::close::data::objects::record::{DateField, Family, Record};
use crate::close::data::objects::valuation::Totals;
use crate::close::data::tenant::Tenant;
use crate::close::data::time::span::Span;
use crate::close::data::time::stamp;
use crate::close::settings::Settings;
use crate::close::wire::answer::Refusal;

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 250;

const DATE_WON: DateParameters = [
    "date_won__gt",
    "date_won__gte",
    "date_won__lt",
    "date_won__lte",
];

/// Parameters that Close documents and the simulator does not know.
const NOT_SIMULATED: [&str; 4] = ["_group_by", "lead_query", "lead_saved_search_id", "query"];
/// Fields that must be equal to the parameter of their name.
const EQUAL: [&str; 6] = [
    "lead_id",
    "status_id",
    "status_label",
    "status_type",
    "user_id",
    "value_period",
];

/// Answers the list.
pub(crate) fn list(
    tenant: &Tenant,
    settings: &Settings,
    parameters: QueryParameters<'_>,
) -> Result<Value, Refusal> {
    parameters.refuse(&NOT_SIMULATED)?;
    let limit = parameters.limit(DEFAULT_LIMIT, MAX_LIMIT)?;
    let skip = parameters.skip(settings.max_skip)?;
    let won = parameters.span(DATE_WON)?;
    let equal = parameters.all_of(&EQUAL);
    let selection = Selection {
        created: parameters.span(DATE_CREATED)?,
        updated: parameters.span(DATE_UPDATED)?,
        accepts: Box::new(move |record| {
            is_won_within(record, won) && (equal.is_empty() || tenant.shows(record, &equal))
        }),
        order: order(parameters.get("_order_by")),
    };
    let found = selection.of(&tenant.collection(Family::Opportunity).by_date);
    let page = found.iter().skip(skip).take(limit);
    let data = page.map(|record| parameters.trim(tenant.render(record)));
    let data: Vec<_> = data.collect();
    let mut totals = Totals::default();
    for record in &found {
        totals.add(record.valuation);
    }
    let mut answer = totals.render();
    answer.insert("data".to_owned(), data.into());
    answer.insert("has_more".to_owned(), (skip + limit < found.len()).into());
    answer.insert("total_results".to_owned(), json!(found.len()));
    answer.sort_keys();
    Ok(answer.into())
}

fn is_won_within(record: &Record, span: Span) -> bool {
    span == Span::ALL || date_won(record).is_some_and(|date| span.contains(date))
}

fn date_won(record: &Record) -> Option<Timestamp> {
    record.text("date_won").and_then(stamp::parse)
}

/// What Close does not know how to order by, it ignores.
fn order(order_by: Option<&str>) -> Order {
    let text = order_by.unwrap_or_default();
    let (descending, name) = match text.strip_prefix('-') {
        Some(name) => (true, name),
        None => (false, text),
    };
    let by = match name {
        "date_created" => OrderBy::Date(DateField::Created),
        "date_updated" => OrderBy::Date(DateField::Updated),
        "date_won" => OrderBy::Key(|record| date_won(record).map(Timestamp::as_nanosecond)),
        "value" => OrderBy::Key(|record| record.valuation.map(|one| one.value.into())),
        "annualized_value" => OrderBy::Key(|record| {
            let valuation = record.valuation;
            valuation.map(|one| one.annualized(one.value).into())
        }),
        "confidence" => OrderBy::Key(|record| {
            let confidence = record.fields.get("confidence").and_then(Value::as_i64);
            confidence.map(i128::from)
        }),
        _ => {
            return Order {
                by: OrderBy::Date(DateField::Created),
                descending: true,
            };
        }
    };
    Order { by, descending }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::api::parameters::given;
    use crate::close::data::moment::Moment;
    use crate::close::data::moment::tests::at;
    use crate::close::data::objects::record::ObjectKind;

    /// An organization with an opportunity for each of these seconds; of each, its second.
    fn tenant(seconds: impl IntoIterator<Item = i64>) -> Tenant {
        let mut tenant = Tenant::new("Acme", at(0).now);
        let lead = json!({ "name": "Acme Corp" });
        let lead = tenant.create_lead(lead, &at(0)).unwrap();
        for second in seconds {
            let fields = json!({ "note": second.to_string(), "value": 100 * (10 - second) });
            let kind = ObjectKind::Opportunity;
            tenant.create(kind, &lead, fields, &at(second)).unwrap();
        }
        tenant
    }

    fn ask(tenant: &Tenant, parameters: &[(&str, &str)]) -> Result<Value, Refusal> {
        let settings = Settings {
            max_skip: 20,
            ..Settings::quick()
        };
        list(tenant, &settings, QueryParameters(&given(parameters)))
    }

    #[track_caller]
    fn check(tenant: &Tenant, parameters: &[(&str, &str)], expect: &[&str]) {
        let page = ask(tenant, parameters).unwrap();
        let data = page["data"].as_array().unwrap().iter();
        let notes: Vec<_> = data.map(|one| one["note"].as_str().unwrap()).collect();
        assert_eq!(notes, expect, "{parameters:?}");
    }

    #[test]
    fn they_are_ordered_as_asked_and_what_is_no_order_is_ignored() {
        let tenant = tenant([2, 1, 3]);
        check(&tenant, &[("_order_by", "date_updated")], &["1", "2", "3"]);
        check(&tenant, &[("_order_by", "-date_updated")], &["3", "2", "1"]);
        check(&tenant, &[("_order_by", "value")], &["3", "2", "1"]);
        check(&tenant, &[("_order_by", "nonsense")], &["3", "2", "1"]);
    }

    #[test]
    fn dates_bound_them_and_pages_follow_by_offset() {
        let tenant = tenant(1..=9);
        let parameters = [
            ("_order_by", "date_updated"),
            ("date_updated__gte", "2026-06-19T12:00:04+00:00"),
            ("date_created__lt", "2026-06-19T12:00:08"),
            ("_limit", "2"),
        ];
        check(&tenant, &parameters, &["4", "5"]);
        let rest = [parameters.as_slice(), &[("_skip", "2")]].concat();
        check(&tenant, &rest, &["6", "7"]);
        let page = ask(&tenant, &rest).unwrap();
        assert_eq!(
            (&page["has_more"], &page["total_results"]),
            (&json!(false), &json!(4))
        );
        assert_eq!(page["total_value_one_time"], 100 * (6 + 5 + 4 + 3));
        assert_eq!(
            ask(&tenant, &[("_limit", "251")]),
            Err(Refusal::MaxLimit(250))
        );
        assert_eq!(ask(&tenant, &[("_skip", "21")]), Err(Refusal::MaxSkip(20)));
    }

    #[test]
    fn one_that_is_won_has_the_day_and_is_found_by_it() {
        let mut tenant = tenant([1, 2]);
        let opportunities = &tenant.collection(Family::Opportunity).by_date;
        let newest = opportunities
            .within(DateField::Created, Span::ALL)
            .next_back();
        let id = newest.unwrap().id.to_string();
        let won = json!({ "status_id": "stat_wMS9M6HC2O3CSEOzF5g2vEGt6RM5R3RfhIQixdnmjf2" });
        tenant
            .edit(Family::Opportunity, &id, won, &Moment::new(at(3).now))
            .unwrap();
        check(&tenant, &[("date_won__gte", "2026-06-19")], &["2"]);
        check(&tenant, &[("status_type", "active")], &["1"]);
        let won = tenant.get(Family::Opportunity, &id).unwrap();
        let won = tenant.render(&won);
        assert_eq!(
            (&won["date_won"], &won["lead_name"]),
            (&json!("2026-06-19"), &json!("Acme Corp"))
        );
    }

    #[test]
    fn the_list_has_the_recorded_keys() {
        let recorded = include_str!("../../samples/list-opportunities.json");
        let recorded: Value = serde_json::from_str(recorded).unwrap();
        let page = ask(&tenant([1]), &[]).unwrap();
        let keys = |value: &Value| {
            value
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(keys(&page), keys(&recorded));
    }

    #[test]
    fn what_close_knows_and_the_simulator_does_not_is_refused() {
        let refusal = ask(&tenant([]), &[("query", "x")]);
        assert!(matches!(refusal, Err(Refusal::NotSimulated(400, _))));
    }
}
