//! The JSON that Close shows.

use jiff::Timestamp;
use jiff::tz::Offset;
use serde_json::value::RawValue;
use shared::json::path;

use super::entry::Entry;
use super::state::Object;
use crate::history::Obscurity;

/// An object as the answers of searches and lists have it.
pub(super) fn object(
    object: &Object,
    number: usize,
    date: Timestamp,
    rank: u8,
    custom_fields: usize,
) -> Box<RawValue> {
    let (id, created, updated) = (&object.id, zoned(object.created), zoned(date));
    let bare = raw(&format!(
        r#"{{"id":"{id}","_type":"lead","rank":{rank},"number":{number},"date_created":"{created}","date_updated":"{updated}"}}"#
    ));
    // Each version has other values, so that one that is put together of two shows.
    let value = raw(&format!("\"{updated} {rank}\""));
    let keys = (0..custom_fields).map(|field| format!("\"{}\"", key(field)));
    path::extended(&bare, keys.map(|key| (key, &*value)))
}

/// The key of a custom field, and its selector.
pub(super) fn key(field: usize) -> String {
    format!("custom.cf_{field}")
}

/// A custom field as a schema lists it.
pub(super) fn field(field: usize) -> Box<RawValue> {
    raw(&format!(
        r#"{{"id":"cf_{field}","name":"Field {field}","type":"text","accepts_multiple_values":false}}"#
    ))
}

/// An object with these custom fields alone, of those that it has, and with what is no custom field, if that is wanted.
pub(crate) fn selected(object: &RawValue, keys: &[String], is_whole: bool) -> Box<RawValue> {
    let members = path::members(object).into_iter();
    let version = [r#""id""#, r#""date_updated""#];
    let is_selected = |key: &str| match key.strip_prefix("\"custom.") {
        Some(_) => keys.iter().any(|wanted| format!("\"{wanted}\"") == key),
        None => is_whole || version.contains(&key),
    };
    path::extended(&raw("{}"), members.filter(|(key, _)| is_selected(key)))
}

/// An entry of the log in its newest form, and what of it is shown to a key that is not an administrator's.
pub(super) fn entry(
    entry: &Entry,
    object: &Object,
    own: Timestamp,
    is_stamping: bool,
) -> [Box<RawValue>; 2] {
    let jsons = object.versions.iter().rev().map(|version| &version.json);
    let mut jsons = jsons.map(|json| json.as_deref().map_or("null", RawValue::get));
    let (data, previous) = (jsons.next(), jsons.next());
    let with = |data, previous| {
        let (id, created, updated) = (&entry.id, naive(entry.created), naive(own));
        let (object_type, object_id, action) = (object.of.object_type(), &object.id, entry.action);
        let changed = if is_stamping {
            changed_fields(action)
        } else {
            r#"["rank"]"#
        };
        raw(&format!(
            r#"{{"id":"{id}","date_created":"{created}","date_updated":"{updated}","object_type":"{object_type}","object_id":"{object_id}","action":"{action}","changed_fields":{changed},"data":{data},"previous_data":{previous},"meta":{{}}}}"#
        ))
    };
    let shown = with(data.unwrap_or("null"), previous.unwrap_or("null"));
    [shown, with("null", "null")]
}

/// An entry that cannot be read.
pub(super) fn obscure(
    entry: &Entry,
    object: &Object,
    what: Obscurity,
    own: Timestamp,
) -> Box<RawValue> {
    let (id, object_type) = (&entry.id, object.of.object_type());
    let object_id = &object.id;
    let text = |text: &str, missing| {
        if what == missing {
            "null".to_owned()
        } else {
            format!("\"{text}\"")
        }
    };
    let (object_type, object_id) = (
        text(object_type, Obscurity::Untyped),
        text(object_id, Obscurity::Objectless),
    );
    let updated = match what {
        Obscurity::Undated => own.as_second().to_string(),
        _ => format!("\"{}\"", naive(own)),
    };
    raw(&format!(
        r#"{{"id":"{id}","date_updated":{updated},"object_type":{object_type},"object_id":{object_id},"action":"updated","data":null}}"#
    ))
}

/// Only what updates an object says what it changed.
fn changed_fields(action: &str) -> &'static str {
    match action {
        "updated" => r#"["date_updated","rank"]"#,
        "completed" => r#"["date_updated"]"#,
        _ => "[]",
    }
}

/// Objects bear a zone, and no fraction where that is nought.
fn zoned(time: Timestamp) -> String {
    let time = Offset::UTC.to_datetime(time);
    if time.subsec_nanosecond() == 0 {
        format!("{time}+00:00")
    } else {
        format!("{time:.6}+00:00")
    }
}

/// The log bears none.
fn naive(time: Timestamp) -> String {
    format!("{:.6}", Offset::UTC.to_datetime(time))
}

#[expect(clippy::expect_used, reason = "in a test a panic is the report")]
fn raw(json: &str) -> Box<RawValue> {
    shared::json::raw(json).expect("it is JSON")
}
