//! Close's Advanced Filtering, `POST /data/search/`, as far as a poll asks it.

use serde_json::{Value, json};

use super::span::Span;
use super::timestamp;

/// What is asked for of a lead. Source: the keys of a recorded `GET /lead/{id}/` of 2026; `custom` stands for all custom
/// fields. Close takes about 80 selectors. docs/fields.md lists these for users.
pub const LEAD_FIELDS: [&str; 21] = [
    "id",
    "name",
    "display_name",
    "description",
    "url",
    "html_url",
    "status_id",
    "status_label",
    "addresses",
    "contacts",
    "opportunities",
    "tasks",
    "custom",
    "integration_links",
    "organization_id",
    "created_by",
    "created_by_name",
    "updated_by",
    "updated_by_name",
    "date_created",
    "date_updated",
];

/// The same of a contact.
pub const CONTACT_FIELDS: [&str; 17] = [
    "id",
    "lead_id",
    "name",
    "display_name",
    "title",
    "emails",
    "phones",
    "urls",
    "timezone",
    "timezone_source",
    "custom",
    "integration_links",
    "organization_id",
    "created_by",
    "updated_by",
    "date_created",
    "date_updated",
];

/// A kind of object that Close's search returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectType {
    /// `lead_…`
    Lead,
    /// `cont_…`
    Contact,
}

impl ObjectType {
    /// Close's own word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Contact => "contact",
        }
    }
}

/// One page of objects, in ascending order of `date_updated`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// What kind of objects.
    pub object_type: ObjectType,
    /// When the objects were last changed.
    pub updated: Span,
    /// When they were created.
    pub created: Span,
    /// Objects on the page.
    pub limit: u16,
    /// Where the page before ended, to go on within it; lives for 30 s.
    pub cursor: Option<String>,
}

impl Search {
    /// The request's body.
    pub fn to_body(&self) -> Value {
        let object_type = self.object_type.as_str();
        let mut queries = vec![json!({"type": "object_type", "object_type": object_type})];
        for (name, span) in [
            ("date_updated", self.updated),
            ("date_created", self.created),
        ] {
            if span != Span::default() {
                queries.push(self.within(name, span));
            }
        }
        let mut body = json!({
            "query": {"type": "and", "queries": queries},
            "_fields": {object_type: fields(self.object_type)},
            // Descending order with a cursor skips rows.
            "sort": [{"direction": "asc", "field": self.field("date_updated")}],
            "_limit": self.limit,
        });
        if let Some(cursor) = &self.cursor {
            body["cursor"] = json!(cursor);
        }
        body
    }

    fn within(&self, name: &str, span: Span) -> Value {
        let mut range = json!({"type": "moment_range"});
        for (bound, time) in [("on_or_after", span.from), ("before", span.before)] {
            if let Some(time) = time {
                range[bound] = json!({"type": "fixed_utc", "value": timestamp::format(time)});
            }
        }
        json!({"type": "field_condition", "field": self.field(name), "condition": range})
    }

    fn field(&self, name: &str) -> Value {
        json!({"type": "regular_field", "object_type": self.object_type.as_str(), "field_name": name})
    }
}

fn fields(object_type: ObjectType) -> &'static [&'static str] {
    match object_type {
        ObjectType::Lead => &LEAD_FIELDS,
        ObjectType::Contact => &CONTACT_FIELDS,
    }
}
