//! Close's Advanced Filtering, `POST /data/search/`, as far as a poll asks it.

use serde_json::{Value, json};

use super::span::Span;
use super::timestamp;

/// What is asked for of a lead. Source: the keys of a recorded `GET /lead/{id}/` of 2026. `custom` stands for all custom
/// fields, or for their deprecated object; those that are known are asked for beside it. Close takes about 90 selectors.
/// docs/fields.md lists these for users.
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

/// What tells an object, and whether it is still the same.
const VERSION_FIELDS: [&str; 2] = ["id", "date_updated"];

/// What a search is of: Close's `object_type`, as far as its search returns objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Searched {
    /// `lead_…`
    Lead,
    /// `cont_…`
    Contact,
}

impl Searched {
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
    pub object_type: Searched,
    /// When the objects were last changed.
    pub updated: Span,
    /// When they were created.
    pub created: Span,
    /// Objects on the page.
    pub limit: u16,
    /// Where the page before ended, to go on within it; lives for 30 s.
    pub cursor: Option<String>,
    /// What is asked for of each.
    pub selectors: Selectors,
}

/// What a search asks for of each object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selectors {
    /// All fields, with these custom ones.
    All(Vec<String>),
    /// These custom fields, and what tells whether the object is still the same.
    More(Vec<String>),
}

impl Selectors {
    /// Those of custom fields.
    pub fn custom(&self) -> &[String] {
        match self {
            Self::All(custom) | Self::More(custom) => custom,
        }
    }
}

impl Default for Selectors {
    fn default() -> Self {
        Self::All(Vec::new())
    }
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
            "_fields": {object_type: self.fields()},
            // Descending order with a cursor skips rows.
            "sort": [{"direction": "asc", "field": self.field("date_updated")}],
            "_limit": self.limit,
        });
        // No public client of Close's sends one that is null.
        if let Some(cursor) = &self.cursor {
            body["cursor"] = cursor.as_str().into();
        }
        body
    }

    fn fields(&self) -> Vec<&str> {
        let fields: &[_] = match (&self.selectors, self.object_type) {
            (Selectors::More(_), _) => &VERSION_FIELDS,
            (Selectors::All(_), Searched::Lead) => &LEAD_FIELDS,
            (Selectors::All(_), Searched::Contact) => &CONTACT_FIELDS,
        };
        let custom = self.selectors.custom().iter().map(String::as_str);
        fields.iter().copied().chain(custom).collect()
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

#[cfg(test)]
mod tests {
    use super::{Search, Searched, Selectors};
    use crate::close::span::Span;

    #[test]
    fn a_search_asks_for_all_fields_or_for_more_custom_ones_and_has_no_empty_cursor() {
        let body = |selectors, cursor: Option<&str>| {
            let search = Search {
                object_type: Searched::Contact,
                updated: Span::default(),
                created: Span::default(),
                limit: 100,
                cursor: cursor.map(str::to_owned),
                selectors,
            };
            search.to_body()
        };
        let custom = || vec!["custom.cf_1".to_owned()];
        let all = body(Selectors::All(custom()), None);
        let fields = all["_fields"]["contact"].as_array().unwrap();
        assert_eq!(fields.len(), 18);
        assert!(fields.contains(&"custom".into()) && fields.contains(&"custom.cf_1".into()));
        assert!(all.get("cursor").is_none());
        let more = body(Selectors::More(custom()), Some("c"));
        let fields = more["_fields"]["contact"].as_array().unwrap();
        assert_eq!(fields, &["id", "date_updated", "custom.cf_1"]);
        assert_eq!(more["cursor"], "c");
    }
}
