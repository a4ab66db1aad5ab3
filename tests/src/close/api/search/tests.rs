//! Searches: what they find, in which order, and how their cursors go on.

use std::time::Duration;

use jiff::SignedDuration;

use super::*;
use crate::close::data::moment::Moment;
use crate::close::data::objects::custom_field::CustomField;
use crate::close::data::objects::record::Family;
use crate::close::settings::IndexDelay;

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
            tenant: Tenant::new("Acme", start),
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
    let condition =
        json!({ "type": "moment_range", "on_or_after": { "type": "fixed_utc", "value": from } });
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
