//! The custom fields that an organization has defined, as Close's schemas list them.
//!
//! A search answers a custom field by its own selector, `custom.cf_…`. What the selector `custom` answers is not documented:
//! it may be the deprecated object of values by the fields' names alone, in which no path by an id leads anywhere.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::page::Page;
use super::search::Searched;
use crate::json::path;

/// The start of a custom field's key, and, without its dot, the key of the deprecated object.
const PREFIX: &str = "custom.";
const AGGREGATE: &str = "custom";
/// Close's ids have about 50 characters.
const MAX_ID: usize = 100;
/// What is stored of an instance's schemas has so many bytes at most. An item of a table has 400 KB, and a poll reads this one.
const MAX_STORED: usize = 64 * 1024;
/// A schema is read anew after so long, if nothing has shown before that it is old.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(1);

/// A custom field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomField {
    /// `cf_…`, or `lcf_…` of old ones.
    pub id: String,
    /// As people see it; not unique, and may change.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// `text`, `number`, `choices`, …
    #[serde(default, rename = "type", skip_serializing_if = "String::is_empty")]
    pub of_type: String,
}

/// The custom fields of one type of objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    /// When it was read.
    read_at: Timestamp,
    /// Whether there was not room for all of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_cut: bool,
    fields: Vec<CustomField>,
}

/// The schemas that the polls of an instance need, by type of objects. They are stored as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Schemas(BTreeMap<String, Schema>);

impl Schemas {
    /// The schemas as they were stored; what cannot be read is read at Close again.
    pub fn from_json(text: &str) -> Self {
        crate::json::read(text).unwrap_or_default()
    }

    /// The schemas to be stored. Ids go first: where there is too much, names and types are left out from the end, then fields,
    /// and such a schema counts as old at once.
    pub fn to_json(&self) -> String {
        let whole = serde_json::to_string(self).unwrap_or_default();
        if whole.len() <= MAX_STORED {
            return whole;
        }
        let mut cut = self.clone();
        for schema in cut.0.values_mut() {
            schema.is_cut = true;
        }
        // The names and types that there is room for stand where the ids leave it.
        while let Some(excess) = length(&cut).checked_sub(MAX_STORED).filter(|it| 0 < *it) {
            let mut schemas = cut.0.values_mut();
            if !schemas.any(|schema| schema.shorten(excess)) {
                return String::new();
            }
        }
        serde_json::to_string(&cut).unwrap_or_default()
    }

    /// The schema of a type of objects.
    pub fn get(&self, of: Searched) -> Option<&Schema> {
        self.0.get(of.as_str())
    }

    /// Takes the schema that Close has answered at a time.
    pub fn put(&mut self, of: Searched, answer: &Page, read_at: Timestamp) {
        let fields = answer.data.iter().filter_map(|field| read(field));
        let schema = Schema {
            read_at,
            is_cut: false,
            fields: fields.collect(),
        };
        self.0.insert(of.as_str().to_owned(), schema);
    }
}

impl Schema {
    /// Whether it is to be read anew.
    pub fn is_old(&self, now: Timestamp) -> bool {
        // A date that lies ahead is of a clock that was wrong.
        self.is_cut || MAX_AGE <= now.duration_since(self.read_at).abs()
    }

    /// The selectors of all fields.
    pub fn selectors(&self) -> impl Iterator<Item = String> {
        self.fields.iter().map(CustomField::key)
    }

    /// The selector of the custom field that a path leads to or into, by the field's id or its name.
    pub fn selector(&self, path: &str) -> Option<String> {
        self.find(path).map(|(field, _)| field.key())
    }

    /// Whether a record has the deprecated object, and in it the name of a field that is not in this schema.
    pub fn lacks_field_of(&self, record: &RawValue) -> bool {
        let aggregate = path::member(record, AGGREGATE);
        let names = aggregate.map(path::keys).unwrap_or_default();
        let is_known = |name: &String| self.fields.iter().any(|field| field.name == *name);
        !names.iter().all(is_known)
    }

    /// The record as these paths find it: with the custom fields that it shows by name alone, or by id alone, under the key
    /// that the path goes by. A name that several fields have stands for none of them.
    pub fn resolved<'a>(
        &self,
        record: &'a RawValue,
        paths: impl IntoIterator<Item = &'a str>,
    ) -> Cow<'a, RawValue> {
        let custom = paths.into_iter().filter(|path| path.starts_with(PREFIX));
        let missing = custom.filter(|path| path::at(record, path).is_none());
        let found: BTreeMap<_, _> = missing
            .filter_map(|path| {
                let (field, key) = self.find(path)?;
                Some((key, self.value(record, field)?))
            })
            .collect();
        if found.is_empty() {
            return Cow::Borrowed(record);
        }
        let found = found
            .into_iter()
            .map(|(key, value)| (serde_json::Value::from(key).to_string(), value));
        Cow::Owned(path::extended(record, found))
    }

    /// A record's value of a field, whichever way it shows it.
    fn value<'a>(&self, record: &'a RawValue, field: &CustomField) -> Option<&'a RawValue> {
        let by_id = path::member(record, &field.key());
        let by_name = || {
            let is_only = self.named(&field.name).is_some();
            let aggregate = path::member(record, AGGREGATE).filter(|_| is_only)?;
            path::member(aggregate, &field.name)
        };
        by_id.or_else(by_name)
    }

    /// The field that a path leads to, and the key that the path goes by.
    fn find<'a>(&self, path: &'a str) -> Option<(&CustomField, &'a str)> {
        let rest = path.strip_prefix(PREFIX)?;
        let ends = rest.match_indices(['.', '[']).map(|(end, _)| end);
        let ends = ends.chain([rest.len()]).collect::<Vec<_>>();
        // The longest key comes first, for a name may have dots.
        ends.into_iter().rev().find_map(|end| {
            let key = &rest[..end];
            let by_id = self.fields.iter().find(|field| field.id == key);
            let field = by_id.or_else(|| self.named(key))?;
            Some((field, &path[..PREFIX.len() + end]))
        })
    }

    /// The only field of a name.
    fn named(&self, name: &str) -> Option<&CustomField> {
        let mut named = self.fields.iter().filter(|field| field.name == name);
        named.next().filter(|_| named.next().is_none())
    }

    /// Leaves out about so many bytes: names and types from the end, or fields where no names are left. Returns whether there
    /// was anything.
    fn shorten(&mut self, excess: usize) -> bool {
        let mut left_out = 0;
        for field in self.fields.iter_mut().rev() {
            if left_out < excess {
                left_out += field.name.len() + field.of_type.len();
                (field.name, field.of_type) = (String::new(), String::new());
            }
        }
        if 0 < left_out {
            return true;
        }
        while left_out < excess
            && let Some(field) = self.fields.pop()
        {
            left_out += r#"{"id":""},"#.len() + field.id.len();
        }
        0 < left_out
    }
}

impl CustomField {
    /// The key of its values, which also is its selector.
    fn key(&self) -> String {
        format!("{PREFIX}{}", self.id)
    }
}

/// The selector that a path names by an id, whatever the schema says.
pub fn selector_of_id(path: &str) -> Option<&str> {
    let id = path.strip_prefix(PREFIX)?;
    let end = id.find(['.', '[']).unwrap_or(id.len());
    let is_id = is_id(&id[..end]) && (id.starts_with("cf_") || id.starts_with("lcf_"));
    is_id.then(|| &path[..PREFIX.len() + end])
}

fn read(field: &RawValue) -> Option<CustomField> {
    let text = |key| path::text_at(field, key).unwrap_or_default();
    Some(CustomField {
        id: path::text_at(field, "id").filter(|id| is_id(id))?,
        name: text("name"),
        of_type: text("type"),
    })
}

/// Whether a text may be asked for as a field's id.
fn is_id(text: &str) -> bool {
    let belongs = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(belongs)
}

fn length(schemas: &Schemas) -> usize {
    serde_json::to_string(schemas).map_or(0, |text| text.len())
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use serde_json::json;
    use serde_json::value::to_raw_value;

    use super::super::page::Page;
    use super::super::search::Searched;
    use super::{MAX_STORED, Schema, Schemas, selector_of_id};
    use crate::json::raw;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn schemas(fields: &[serde_json::Value]) -> Schemas {
        let data = fields.iter().map(|field| to_raw_value(field).unwrap());
        let page = Page {
            data: data.collect(),
            ..Page::default()
        };
        let mut schemas = Schemas::default();
        schemas.put(Searched::Lead, &page, NOW);
        schemas
    }

    fn schema() -> Schema {
        let field = |id: &str, name: &str| json!({"id": id, "name": name, "type": "text"});
        let fields = [
            field("cf_1", "Owner"),
            field("lcf_2", "A.b [c]"),
            field("cf_3", "Twin"),
            field("cf_4", "Twin"),
            json!({"id": null, "name": "no id"}),
            json!({"id": "cf_5,id", "name": "no id either"}),
            json!("nothing"),
        ];
        schemas(&fields).get(Searched::Lead).unwrap().clone()
    }

    #[test]
    fn what_an_answer_lists_without_an_id_is_left_out() {
        let selectors: Vec<_> = schema().selectors().collect();
        assert_eq!(
            selectors,
            ["custom.cf_1", "custom.lcf_2", "custom.cf_3", "custom.cf_4"]
        );
    }

    #[test]
    fn a_path_names_a_field_by_its_id_or_its_name() {
        for (path, selector) in [
            ("custom.cf_1", Some("custom.cf_1")),
            ("custom.cf_1[0].email", Some("custom.cf_1")),
            ("custom.Owner", Some("custom.cf_1")),
            ("custom.A.b [c]", Some("custom.lcf_2")),
            ("custom.A.b [c][1]", Some("custom.lcf_2")),
            ("custom.Twin", None),
            ("custom.cf_9", None),
            ("custom", None),
            ("Owner", None),
        ] {
            assert_eq!(schema().selector(path).as_deref(), selector, "{path}");
        }
        for (path, selector) in [
            ("custom.cf_9[0]", Some("custom.cf_9")),
            ("custom.lcf_9.a", Some("custom.lcf_9")),
            ("custom.Owner", None),
            ("custom.cf_é", None),
            ("cf_9", None),
        ] {
            assert_eq!(selector_of_id(path), selector, "{path}");
        }
    }

    #[test]
    fn a_field_is_found_by_id_and_by_name_however_the_record_shows_it() {
        let by_name = r#"{"id":"lead_1","custom":{"Owner":"Ann","A.b [c]":["x"],"Twin":"T"} }"#;
        let by_id = r#"{"id":"lead_1","custom.cf_1":"Ann","custom.lcf_2":["x"],"custom.cf_3":"T"}"#;
        for json in [by_name, by_id] {
            let record = raw(json).unwrap();
            for (path, text) in [
                ("custom.cf_1", Some("Ann")),
                ("custom.Owner", Some("Ann")),
                ("custom.lcf_2[0]", Some("x")),
                ("custom.A.b [c][0]", Some("x")),
                ("custom.cf_4", None),
                ("custom.cf_9", None),
            ] {
                let resolved = schema().resolved(&record, [path, "id"]).into_owned();
                let found = crate::json::path::text_at(&resolved, path);
                assert_eq!(found.as_deref(), text, "{json} {path}");
                assert_eq!(
                    crate::json::path::text_at(&resolved, "id").unwrap(),
                    "lead_1"
                );
            }
        }
        let twin = schema()
            .resolved(&raw(by_name).unwrap(), ["custom.cf_3"])
            .into_owned();
        assert_eq!(twin.get(), by_name, "nobody knows whose value it is");
    }

    #[test]
    fn a_name_that_the_schema_lacks_shows_that_it_is_old() {
        for (json, is_lacking) in [
            (r#"{"custom":{"Owner":1,"Twin":2}}"#, false),
            (r#"{"custom":{"Owner":1,"New":2}}"#, true),
            (r#"{"custom":{}}"#, false),
            (r#"{"custom":null,"custom.cf_9":1}"#, false),
            ("{}", false),
        ] {
            let record = raw(json).unwrap();
            assert_eq!(schema().lacks_field_of(&record), is_lacking, "{json}");
        }
    }

    #[test]
    fn a_schema_is_read_anew_after_an_hour() {
        let after = |seconds| NOW + SignedDuration::from_secs(seconds);
        assert!(!schema().is_old(after(3_599)));
        assert!(schema().is_old(after(3_600)));
        assert!(schema().is_old(after(-3_600)));
    }

    #[test]
    fn what_is_stored_has_64_kb_at_most_and_ids_go_first() {
        let fields = |count: usize, name: &str| {
            let field =
                |number| json!({"id": format!("cf_{number:040}"), "name": name, "type": "text"});
            schemas(&(0..count).map(field).collect::<Vec<_>>())
        };
        let stored = |schemas: &Schemas| {
            let text = schemas.to_json();
            assert!(text.len() <= MAX_STORED);
            let schemas = Schemas::from_json(&text);
            schemas.get(Searched::Lead).unwrap().clone()
        };
        let few = fields(50, "Owner");
        assert_eq!(Schemas::from_json(&few.to_json()), few);
        let long = "é".repeat(500);
        let many = stored(&fields(200, &long));
        assert!(many.is_old(NOW));
        assert_eq!(many.fields.len(), 200);
        let named = many.fields.iter().filter(|field| field.name == long);
        assert!((40..60).contains(&named.count()));
        let crowd = stored(&fields(5_000, ""));
        assert!(crowd.is_old(NOW) && 900 < crowd.fields.len());
        for text in ["", "{", "[]", r#"{"lead":{"fields":[]}}"#] {
            assert_eq!(Schemas::from_json(text), Schemas::default(), "{text}");
        }
    }
}
