//! The event log: what is shown, to whom, and in which order.

use std::time::Duration;

use super::*;
use crate::close::api::parameters::given;
use crate::close::data::moment::Moment;
use crate::close::data::objects::record::Family;
use crate::close::settings::IndexDelay;

fn start() -> Timestamp {
    "2026-06-19T12:00:00Z".parse().unwrap()
}

fn second(second: i64) -> Timestamp {
    start() + SignedDuration::from_secs(second)
}

fn logged_at(time: Timestamp) -> Moment {
    Moment {
        logged_at: Some(time),
        ..Moment::new(time)
    }
}

/// An organization whose log has an entry for each of these seconds; of each, its second.
fn tenant(seconds: impl IntoIterator<Item = i64>) -> Tenant {
    let mut tenant = Tenant::new("Acme", start());
    for n in seconds {
        let fields = json!({ "name": n.to_string() });
        tenant.create_lead(fields, &logged_at(second(n))).unwrap();
    }
    tenant
}

fn ask(tenant: &mut Tenant, parameters: &[(&str, &str)]) -> Result<Value, Refusal> {
    let settings = Settings::quick();
    let reader = Reader {
        now: second(3_600),
        role: Role::Admin,
        settings: &settings,
    };
    ask_as(tenant, reader, parameters)
}

fn ask_as(
    tenant: &mut Tenant,
    reader: Reader<'_>,
    parameters: &[(&str, &str)],
) -> Result<Value, Refusal> {
    list(tenant, reader, QueryParameters(&given(parameters)))
}

fn names(page: &Value) -> Vec<&str> {
    let entries = page["data"].as_array().unwrap().iter();
    entries
        .map(|entry| entry["data"]["name"].as_str().unwrap())
        .collect()
}

#[test]
fn the_newest_come_first_and_cursors_lead_both_ways() {
    let mut tenant = tenant([3, 1, 5, 2, 4]);
    let first = ask(&mut tenant, &[("_limit", "2")]).unwrap();
    assert_eq!(names(&first), ["5", "4"]);
    assert_eq!(first["cursor_previous"], Value::Null);
    let next = first["cursor_next"].as_str().unwrap();
    let second = ask(&mut tenant, &[("_limit", "2"), ("_cursor", next)]).unwrap();
    assert_eq!(names(&second), ["3", "2"]);
    let next = second["cursor_next"].as_str().unwrap();
    let third = ask(&mut tenant, &[("_limit", "2"), ("_cursor", next)]).unwrap();
    assert_eq!(
        (names(&third), &third["cursor_next"]),
        (vec!["1"], &Value::Null)
    );
    let back = third["cursor_previous"].as_str().unwrap();
    let back = ask(&mut tenant, &[("_limit", "2"), ("_cursor", back)]).unwrap();
    assert_eq!(names(&back), ["3", "2"]);
}

#[test]
fn bounds_hold_for_the_first_page_and_not_for_those_by_cursor() {
    let mut tenant = tenant(1..=9);
    let bounds = |more| {
        let bounds = [
            ("date_updated__gte", "2026-06-19T12:00:05"),
            ("date_updated__lt", "2026-06-19T12:00:08+00:00"),
        ];
        [bounds.as_slice(), more].concat()
    };
    let whole = ask(&mut tenant, &bounds(&[])).unwrap();
    assert_eq!(
        (names(&whole), &whole["cursor_next"]),
        (vec!["7", "6", "5"], &Value::Null)
    );
    let part = ask(&mut tenant, &bounds(&[("_limit", "2")])).unwrap();
    let next = part["cursor_next"].as_str().unwrap();
    let rest = ask(&mut tenant, &bounds(&[("_cursor", next)])).unwrap();
    assert_eq!(names(&rest), ["5", "4", "3", "2", "1"]);
}

#[test]
fn entries_of_one_date_are_walked_once_each() {
    let mut tenant = tenant([1; 30]);
    let mut ids = Vec::new();
    let mut cursor = None::<String>;
    loop {
        let cursor_now = cursor.clone().unwrap_or_default();
        let mut parameters = vec![("_limit", "7")];
        parameters.extend(cursor.is_some().then_some(("_cursor", &*cursor_now)));
        let page = ask(&mut tenant, &parameters).unwrap();
        let entries = page["data"].as_array().unwrap().iter();
        ids.extend(entries.map(|entry| entry["id"].to_string()));
        cursor = page["cursor_next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    let happened = tenant.log.entries.iter();
    let mut happened: Vec<_> = happened.map(|entry| format!("\"{}\"", entry.id)).collect();
    assert_ne!(ids, happened);
    ids.sort();
    happened.sort();
    assert_eq!(ids, happened);
}

#[test]
fn an_entry_that_becomes_visible_late_is_behind_newer_ones() {
    let mut tenant = tenant([1, 3]);
    let late = Moment {
        visible: IndexDelay::UntilReleased,
        ..logged_at(second(2))
    };
    let id = tenant.create_lead(json!({ "name": "2" }), &late).unwrap();
    assert_eq!(names(&ask(&mut tenant, &[]).unwrap()), ["3", "1"]);
    assert!(tenant.get(Family::Lead, &id).is_ok());
    tenant.log.release();
    assert_eq!(names(&ask(&mut tenant, &[]).unwrap()), ["3", "2", "1"]);
}

#[test]
fn what_is_older_than_30_days_is_gone() {
    let mut tenant = tenant([0, 10]);
    let settings = Settings::default();
    let reader = Reader {
        now: second(10) + SignedDuration::from_hours(30 * 24),
        role: Role::Admin,
        settings: &settings,
    };
    let page = ask_as(&mut tenant, reader, &[]).unwrap();
    assert_eq!(names(&page), ["10"]);
    let gone = tenant.log.entries[0].id.to_string();
    let none = given(&[]);
    let gone = read(&mut tenant, reader, &gone, QueryParameters(&none));
    assert_eq!(gone, Err(Refusal::NotFound("Event")));
}

#[test]
fn after_an_hour_the_data_is_the_administrators() {
    let mut tenant = tenant([0, 10]);
    let settings = Settings {
        event_data_open_for: Duration::from_hours(1),
        ..Settings::quick()
    };
    let reader = |role| Reader {
        now: second(3_605),
        role,
        settings: &settings,
    };
    let shown = |tenant: &mut Tenant, role| {
        let page = ask_as(tenant, reader(role), &[]).unwrap();
        let entries = page["data"].as_array().unwrap().iter();
        let shown =
            |entry: &Value| entry.get("data").is_some() && entry.get("previous_data").is_some();
        entries.map(shown).collect::<Vec<_>>()
    };
    assert_eq!(shown(&mut tenant, Role::User), [true, false]);
    assert_eq!(shown(&mut tenant, Role::Admin), [true, true]);
}

#[test]
fn a_page_has_at_most_50_entries() {
    let refusal = ask(&mut tenant([1]), &[("_limit", "51")]);
    assert_eq!(refusal, Err(Refusal::MaxLimit(50)));
}
