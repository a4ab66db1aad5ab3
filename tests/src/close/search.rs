//! `POST /data/search/`: one page of a walk over the live index.
//!
//! Nothing is frozen while a walk goes on: a page holds what sorts after the last object returned at the moment of
//! asking, so a record edited in the middle of a walk by `date_updated` moves to its end.

use std::iter;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::answer::Refusal;
use super::cursors::{Cursors, Place, Walk};
use super::custom_field;
use super::index::Index;
use super::record::{DateField, Record};
use super::search_request::{DateRange, SearchRequest, SortKey};
use super::settings::{CustomAnswer, Settings};
use super::span::Span;
use super::tenant::Tenant;

/// Answers a search of one organization.
pub(super) fn search(
    tenant: &mut Tenant,
    cursors: &mut Cursors,
    settings: &Settings,
    body: &str,
) -> Result<Value, Refusal> {
    let request = SearchRequest::parse(body)?;
    check_fields(tenant, &request)?;
    let mut walk = walk(tenant, cursors, &request)?;
    let collection = tenant.collection_mut(request.kind.family());
    collection.index.catch_up();
    let index = &tenant.collection(request.kind.family()).index;

    let cap = settings
        .walk_cap
        .min(request.results_limit.unwrap_or(usize::MAX));
    let size = request.limit.min(cap.saturating_sub(walk.returned));
    let page = page(index, &request, &walk, size);
    walk.returned += page.len();
    let full = page.len() == request.limit && walk.returned < cap;
    let data: Vec<_> = page
        .iter()
        .map(|record| select(tenant, record, &request, settings.custom_answer))
        .collect();
    let counts = request
        .include_counts
        .then(|| count(index, &request.ranges, cap));
    let last = page
        .last()
        .map(|record| place(record, &request.sort, walk.salt));
    walk.after = last.or(walk.after);
    let cursor = full.then(|| cursors.issue(walk, settings.cursor_life));
    let mut answer = json!({ "data": data, "cursor": cursor });
    if let Some(counts) = counts {
        answer["count"] = counts;
    }
    Ok(answer)
}

/// A selected custom field that the organization does not have is an error, unlike any other unknown field.
fn check_fields(tenant: &Tenant, request: &SearchRequest) -> Result<(), Refusal> {
    let known = tenant.custom_fields(request.kind);
    let mut selectors = request.fields.iter().flatten();
    match selectors
        .find(|name| name.starts_with(custom_field::PREFIX) && !custom_field::exists(known, name))
    {
        Some(unknown) => Err(Refusal::Field(
            "_fields",
            format!("Unknown field: {unknown}"),
        )),
        None => Ok(()),
    }
}

fn walk(tenant: &Tenant, cursors: &Cursors, request: &SearchRequest) -> Result<Walk, Refusal> {
    let organization = &tenant.identity.organization_id;
    let (kind, ranges, sort) = (request.kind, &request.ranges, &request.sort);
    let fingerprint = format!("{organization} {kind:?} {ranges:?} {sort:?}");
    match &request.cursor {
        Some(cursor) => cursors.resume(cursor, &fingerprint),
        None => Ok(Walk {
            fingerprint,
            salt: fastrand::u64(..),
            after: None,
            returned: 0,
        }),
    }
}

/// The next `size` objects of the walk.
fn page(index: &Index, request: &SearchRequest, walk: &Walk, size: usize) -> Vec<Arc<Record>> {
    let by_date = &index.by_date;
    let Some(first) = request.sort.first() else {
        let all = by_date.within(DateField::Updated, Span::ALL);
        return next_records(all, request, walk, size);
    };
    let found = by_date.within(first.field, narrowed(*first, walk, &request.ranges));
    let found: Box<dyn Iterator<Item = &Arc<Record>>> = if first.descending {
        Box::new(found.rev())
    } else {
        Box::new(found)
    };
    let mut found = found.peekable();
    // Pages that follow in descending order miss the row at their seam.
    let lost = usize::from(first.descending && walk.after.is_some());
    let size = size + lost;
    let mut page = Vec::new();
    while page.len() < size
        && let Some(next) = found.peek()
    {
        let date = next.date(first.field);
        let of_date: Vec<_> =
            iter::from_fn(|| found.next_if(|record| record.date(first.field) == date)).collect();
        page.extend(next_records(
            of_date.into_iter(),
            request,
            walk,
            size - page.len(),
        ));
    }
    page.drain(..lost.min(page.len()));
    page
}

/// The first `size` of those objects that match and come after the walk's last one, in order.
fn next_records<'a>(
    records: impl Iterator<Item = &'a Arc<Record>>,
    request: &SearchRequest,
    walk: &Walk,
    size: usize,
) -> Vec<Arc<Record>> {
    let mut places: Vec<_> = records
        .filter(|record| matches(record, &request.ranges))
        .map(|record| (place(record, &request.sort, walk.salt), record))
        .filter(|(place, _)| walk.after.as_ref().is_none_or(|after| after < place))
        .collect();
    if size < places.len() {
        places.select_nth_unstable_by(size, |(one, _), (other, _)| one.cmp(other));
        places.truncate(size);
    }
    places.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let records = places.into_iter().map(|(_, record)| Arc::clone(record));
    records.collect()
}

/// The order of equal dates means nothing and differs between walks, so that nobody can rely on it.
fn place(record: &Record, sort: &[SortKey], salt: u64) -> Place {
    let keys = sort.iter().map(|key| {
        let nanoseconds = record.date(key.field).as_nanosecond();
        if key.descending {
            -nanoseconds
        } else {
            nanoseconds
        }
    });
    (keys.collect(), record.tie ^ salt)
}

fn matches(record: &Record, ranges: &[DateRange]) -> bool {
    ranges
        .iter()
        .all(|range| range.span.contains(record.date(range.field)))
}

/// The part of the index that can still hold results, by the first sort key.
fn narrowed(first: SortKey, walk: &Walk, ranges: &[DateRange]) -> Span {
    let of_field = ranges.iter().filter(|range| range.field == first.field);
    let asked = of_field.fold(Span::ALL, |span, range| span.and(range.span));
    let last = walk.after.as_ref().map(|(keys, _)| keys[0]);
    let last = last.map(|key| if first.descending { -key } else { key });
    match last.and_then(|last| Timestamp::from_nanosecond(last).ok()) {
        Some(last) if first.descending => asked.and(Span::until(last)),
        Some(last) => asked.and(Span::since(last)),
        None => asked,
    }
}

fn count(index: &Index, ranges: &[DateRange], cap: usize) -> Value {
    let records = index.by_date.within(DateField::Updated, Span::ALL);
    let total = records.filter(|record| matches(record, ranges)).count();
    json!({ "limited": total.min(cap), "total": total })
}

/// The object as searched for: its type, its id, and the selected fields in the order of selection.
fn select(
    tenant: &Tenant,
    record: &Arc<Record>,
    request: &SearchRequest,
    custom_answer: CustomAnswer,
) -> Value {
    let mut selected = Map::new();
    selected.insert(
        "__object_type".to_owned(),
        request.kind.object_type().into(),
    );
    selected.insert("id".to_owned(), (*record.id).into());
    let Some(fields) = &request.fields else {
        return selected.into();
    };
    let wanted = |name: &str| fields.iter().any(|field| field == name);
    let object = tenant.render_some(record, wanted);
    for field in fields {
        match (field.as_str(), custom_answer) {
            ("custom", CustomAnswer::Aggregate) => {
                let custom_fields = tenant.custom_fields(request.kind);
                let aggregate = custom_field::aggregate(custom_fields, &object);
                selected.insert(field.clone(), aggregate.into());
            }
            ("custom", CustomAnswer::Flat) => {
                let values = object.iter();
                let values = values.filter(|(key, _)| key.starts_with(custom_field::PREFIX));
                selected.extend(values.map(|(key, value)| (key.clone(), value.clone())));
            }
            (name, _) => {
                let value = object.get(name).cloned();
                selected.extend(value.map(|value| (field.clone(), value)));
            }
        }
    }
    selected.into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;

    use super::super::custom_field::CustomField;
    use super::super::moment::Moment;
    use super::super::record::Family;
    use super::super::settings::IndexDelay;
    use super::*;

    const SECOND: SignedDuration = SignedDuration::from_secs(1);

    /// An organization to search, and the cursors of its walks.
    struct Fixture {
        tenant: Tenant,
        cursors: Cursors,
        settings: Settings,
        start: Timestamp,
    }

    impl Fixture {
        fn new() -> Self {
            let start = "2026-06-19T12:00:00Z".parse().unwrap();
            Self {
                tenant: Tenant::new("Acme", "key", start),
                cursors: Cursors::default(),
                settings: Settings::quick(),
                start,
            }
        }

        fn moment(&self, date: Timestamp) -> Moment {
            Moment {
                date_updated: Some(date),
                quiet: true,
                ..Moment::new(self.start)
            }
        }

        /// Creates leads dated so many seconds after the start.
        fn leads(&mut self, seconds: impl IntoIterator<Item = i32>) -> Vec<String> {
            let create = |second| {
                let moment = self.moment(self.start + SECOND * second);
                let fields = json!({ "name": "Lead" });
                self.tenant
                    .create_lead(fields, &moment)
                    .unwrap()
                    .to_string()
            };
            seconds.into_iter().map(create).collect()
        }

        fn search(&mut self, body: &Value) -> Result<Value, Refusal> {
            search(
                &mut self.tenant,
                &mut self.cursors,
                &self.settings,
                &body.to_string(),
            )
        }

        /// All pages of a walk, as ids.
        fn walk(&mut self, mut body: Value) -> Vec<String> {
            let mut ids = Vec::new();
            loop {
                let page = self.search(&body).unwrap();
                ids.extend(page_ids(&page));
                body["cursor"] = page["cursor"].clone();
                if body["cursor"].is_null() {
                    return ids;
                }
            }
        }
    }

    fn page_ids(page: &Value) -> Vec<String> {
        let data = page["data"].as_array().unwrap().iter();
        data.map(|object| object["id"].as_str().unwrap().to_owned())
            .collect()
    }

    /// A search for leads dated from so many seconds after the start on.
    fn body(direction: &str, from: i64) -> Value {
        let field =
            json!({ "type": "regular_field", "object_type": "lead", "field_name": "date_updated" });
        let from = format!("2026-06-19T12:00:{from:02}+00:00");
        let condition = json!({ "type": "moment_range", "on_or_after": { "type": "fixed_utc", "value": from } });
        json!({
            "query": { "type": "and", "queries": [
                { "type": "object_type", "object_type": "lead" },
                { "type": "field_condition", "field": field, "condition": condition },
            ] },
            "sort": [{ "direction": direction, "field": field }],
            "_limit": 10,
        })
    }

    #[test]
    fn an_ascending_walk_returns_everything_once_in_order_and_a_descending_one_does_not() {
        let mut fixture = Fixture::new();
        let ids = fixture.leads(0..35);
        assert_eq!(fixture.walk(body("asc", 5)), ids[5..]);
        // Of the 30, one is lost wherever a page follows another.
        assert_eq!(fixture.walk(body("desc", 5)).len(), 28);
    }

    #[test]
    fn ties_are_complete_but_in_an_order_of_each_walk() {
        let mut fixture = Fixture::new();
        let mut ids = fixture.leads([3; 50]);
        let (mut one, mut other) = (fixture.walk(body("asc", 3)), fixture.walk(body("asc", 3)));
        assert_ne!(one, other);
        for ids in [&mut ids, &mut one, &mut other] {
            ids.sort();
        }
        assert_eq!((&one, &other), (&ids, &ids));
    }

    #[test]
    fn a_walk_ends_at_its_cap_and_counts_say_so() {
        let mut fixture = Fixture::new();
        fixture.leads(0..35);
        fixture.settings.walk_cap = 25;
        let mut body = body("asc", 0);
        assert_eq!(fixture.walk(body.clone()).len(), 25);
        body["include_counts"] = true.into();
        let page = fixture.search(&body).unwrap();
        assert_eq!(page["count"], json!({ "limited": 25, "total": 35 }));
        body["results_limit"] = 12.into();
        assert_eq!(fixture.walk(body).len(), 12);
    }

    #[test]
    fn a_cursor_dies_and_an_invented_one_never_lived() {
        let mut fixture = Fixture::new();
        fixture.leads(0..35);
        fixture.settings.cursor_life = Duration::ZERO;
        let mut body = body("asc", 0);
        body["cursor"] = fixture.search(&body).unwrap()["cursor"].clone();
        let expired = Refusal::Invalid("Expired cursor".to_owned());
        assert_eq!(fixture.search(&body), Err(expired));
        body["cursor"] = "x".into();
        assert!(matches!(
            fixture.search(&body),
            Err(Refusal::Field("cursor", _))
        ));
    }

    #[test]
    fn a_record_edited_in_the_middle_of_a_walk_moves_to_its_end() {
        let mut fixture = Fixture::new();
        let ids = fixture.leads(0..15);
        let mut body = body("asc", 0);
        body["cursor"] = fixture.search(&body).unwrap()["cursor"].clone();
        let moment = fixture.moment(fixture.start + SECOND * 30);
        let edit = json!({ "name": "Moved" });
        fixture
            .tenant
            .edit(Family::Lead, &ids[12], edit, &moment)
            .unwrap();
        let order = [10, 11, 13, 14, 12].map(|n| ids[n].clone());
        assert_eq!(page_ids(&fixture.search(&body).unwrap()), order);
    }

    #[test]
    fn a_change_that_is_not_indexed_yet_is_not_found_and_an_older_one_never_wins() {
        let mut fixture = Fixture::new();
        let ids = fixture.leads([0]);
        let edit = |fixture: &mut Fixture, second, name: &str, index| {
            let moment = Moment {
                index,
                ..fixture.moment(fixture.start + SECOND * second)
            };
            let patch = json!({ "name": name });
            fixture
                .tenant
                .edit(Family::Lead, &ids[0], patch, &moment)
                .unwrap();
        };
        edit(&mut fixture, 10, "Late", IndexDelay::UntilReleased);
        assert!(fixture.walk(body("asc", 5)).is_empty());
        edit(&mut fixture, 20, "Newest", IndexDelay::Immediately);
        fixture.tenant.collection_mut(Family::Lead).index.release();
        assert_eq!(fixture.walk(body("asc", 20)), ids);
    }

    #[test]
    fn only_selected_fields_are_returned_in_the_order_of_selection() {
        let mut fixture = Fixture::new();
        let id = fixture.leads([0]).remove(0);
        let mut body = body("asc", 0);
        let page = fixture.search(&body).unwrap();
        assert_eq!(
            page,
            json!({ "data": [{ "__object_type": "lead", "id": id }], "cursor": null })
        );
        body["_fields"] = json!({ "lead": ["name", "date_updated", "nonsense"] });
        let page = fixture.search(&body).unwrap().to_string();
        let expected = r#""name":"Lead","date_updated":"2026-06-19T12:00:00+00:00"}"#;
        assert!(page.contains(expected), "{page}");
        body["_fields"] = json!({ "lead": ["custom.cf_1"] });
        assert!(fixture.search(&body).is_err());
    }

    #[test]
    fn custom_is_the_deprecated_object_or_stands_for_the_keys_of_all_custom_fields() {
        let mut fixture = Fixture::new();
        let field = |id: &str, name: &str| CustomField {
            id: id.to_owned(),
            name: name.to_owned(),
            of_type: "text".to_owned(),
            accepts_multiple_values: false,
            is_deleted: false,
        };
        let leads = fixture.tenant.collection_mut(Family::Lead);
        leads.custom_fields = vec![field("cf_1", "Owner"), field("cf_2", "Region")];
        let moment = fixture.moment(fixture.start);
        let lead = json!({ "custom.cf_1": "Ann" });
        fixture.tenant.create_lead(lead, &moment).unwrap();
        let shown = |fixture: &mut Fixture, answer, selectors: &[&str]| {
            fixture.settings.custom_answer = answer;
            let mut body = body("asc", 0);
            body["_fields"] = json!({ "lead": selectors });
            let mut shown = fixture.search(&body)?["data"][0].take();
            let shown = shown.as_object_mut().unwrap();
            shown.retain(|key, _| key.starts_with("custom"));
            Ok::<_, Refusal>(Value::from(shown.clone()))
        };
        let (flat, aggregate) = (
            json!({ "custom.cf_1": "Ann" }),
            json!({ "custom": { "Owner": "Ann" } }),
        );
        let one = ["custom"];
        let shown_flat = shown(&mut fixture, CustomAnswer::Flat, &one).unwrap();
        assert_eq!(shown_flat, flat);
        let shown_aggregate = shown(&mut fixture, CustomAnswer::Aggregate, &one).unwrap();
        assert_eq!(shown_aggregate, aggregate);
        let selectors = ["custom.cf_1", "custom.cf_2"];
        let by_selector = shown(&mut fixture, CustomAnswer::Aggregate, &selectors).unwrap();
        assert_eq!(by_selector, flat);
        fixture.tenant.collection_mut(Family::Lead).custom_fields[1].is_deleted = true;
        let refused = shown(&mut fixture, CustomAnswer::Aggregate, &selectors);
        assert!(matches!(refused, Err(Refusal::Field("_fields", _))));
    }

    #[test]
    fn what_close_refuses_and_what_is_not_simulated_is_refused() {
        let mut fixture = Fixture::new();
        let mut check = |key: &str, value: Value, expect: fn(&Refusal) -> bool| {
            let mut body = body("asc", 0);
            body[key] = value;
            let refusal = fixture.search(&body).unwrap_err();
            assert!(expect(&refusal), "{key}: {refusal:?}");
        };
        check("_limit", 201.into(), |refusal| {
            *refusal == Refusal::MaxLimit(200)
        });
        check("_limit", 0.into(), |refusal| {
            matches!(refusal, Refusal::Field("_limit", _))
        });
        let many = json!({ "lead": vec!["name"; 101] });
        check("_fields", many, |refusal| {
            matches!(refusal, Refusal::Field("_fields", _))
        });
        let or = json!({ "type": "or", "queries": [] });
        check("query", or, |refusal| {
            matches!(refusal, Refusal::NotSimulated(400, _))
        });
        let mut body = body("asc", 0);
        body["_skip"] = 3.into();
        body["nonsense"] = json!({});
        assert!(fixture.search(&body).is_ok());
        body["cursor"] = Value::Null;
        let refusal = fixture.search(&body).unwrap_err();
        assert!(matches!(refusal, Refusal::NotSimulated(400, _)));
    }
}
