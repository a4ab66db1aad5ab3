//! The query of a polled resource: `/hubs/crm/contacts?where=date_updated>'${gmtDate:…}'`.

use crate::ceql::{CeqlError, Expr, watermark};

/// The Close objects that a resource name stands for.
const RESOURCES: [(&str, ObjectType); 3] = [
    ("accounts", ObjectType::Lead),
    ("leads", ObjectType::Lead),
    ("contacts", ObjectType::Contact),
];

/// A kind of object that is read through Close's search.
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

/// A query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// What it reads.
    pub object_type: ObjectType,
    /// What a record must fulfil, beside being dated after the last poll.
    pub filter: Option<Expr>,
}

/// The query cannot be polled with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryUrlError {
    /// Not of the form `/hubs/{hub}/{resource}`.
    #[error("expected `/hubs/crm/{{resource}}?where=…`, but found `{found}`")]
    NotAHubPath {
        /// The path.
        found: String,
    },
    /// A resource that Close has not, or that cannot be polled.
    #[error("expected one of accounts, leads, contacts as the resource, but found `{found}`")]
    UnknownResource {
        /// The path's last part.
        found: String,
    },
    /// A parameter that would be ignored.
    #[error("expected no parameter but `where`, but found `{found}`")]
    UnknownParameter {
        /// The parameter's name.
        found: String,
    },
    /// A condition that is no CEQL, or has a placeholder where none can be.
    #[error("the condition: {0}")]
    Condition(#[from] CeqlError),
}

impl Query {
    /// Reads a query's URL. It is written plainly, not percent-encoded, and all behind `where=` is the condition.
    ///
    /// The comparison of the update date with the time of the last poll is left to the watermark.
    ///
    /// # Errors
    /// When it is not of that form.
    pub fn parse(url: &str, updated_date_field: &str) -> Result<Self, QueryUrlError> {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let object_type = parse_path(path)?;
        let condition = match query.split_once('=') {
            None if query.is_empty() => "",
            Some(("where", condition)) => condition.trim(),
            other => {
                let found = other.map_or(query, |(name, _)| name).to_owned();
                return Err(QueryUrlError::UnknownParameter { found });
            }
        };
        let filter = if condition.is_empty() {
            None
        } else {
            watermark::take(Expr::parse(condition)?, updated_date_field)?
        };
        Ok(Self {
            object_type,
            filter,
        })
    }
}

fn parse_path(path: &str) -> Result<ObjectType, QueryUrlError> {
    // The hub's name never mattered.
    let ["hubs", _, resource] = path.trim_matches('/').split('/').collect::<Vec<_>>()[..] else {
        return Err(QueryUrlError::NotAHubPath {
            found: path.to_owned(),
        });
    };
    let known = RESOURCES.iter().find(|(name, _)| *name == resource);
    known
        .map(|(_, object_type)| *object_type)
        .ok_or_else(|| QueryUrlError::UnknownResource {
            found: resource.to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::{ObjectType, Query};

    fn parsed(url: &str) -> Result<Query, String> {
        Query::parse(url, "date_updated").map_err(|error| error.to_string())
    }

    fn filter(url: &str) -> Option<String> {
        parsed(url).unwrap().filter.map(|filter| filter.to_string())
    }

    #[test]
    fn the_documented_query_leaves_nothing_to_filter() {
        let pattern = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX";
        let url = format!("/hubs/crm/contacts?where=date_updated>'${{gmtDate:{pattern}}}'");
        let contacts = Query {
            object_type: ObjectType::Contact,
            filter: None,
        };
        for url in [
            url.as_str(),
            "/hubs/any/contacts?where=",
            "/hubs/crm/contacts",
        ] {
            assert_eq!(parsed(url).as_ref(), Ok(&contacts), "{url}");
        }
        assert_eq!(
            parsed("/hubs/crm/accounts").unwrap().object_type,
            ObjectType::Lead
        );
        assert_eq!(
            parsed("/hubs/crm/leads").unwrap().object_type,
            ObjectType::Lead
        );
    }

    #[test]
    fn any_other_condition_is_a_filter() {
        let url = "/hubs/crm/leads?where=date_updated>=${date} AND name LIKE 'A & B%'";
        assert_eq!(filter(url).as_deref(), Some("name LIKE 'A & B%'"));
        assert_eq!(
            filter("/hubs/crm/leads?where=a=1").as_deref(),
            Some("a = 1")
        );
    }

    #[test]
    fn says_what_is_wrong() {
        let message = |url: &str| parsed(url).unwrap_err();
        insta::assert_snapshot!(message("/contacts"), @"expected `/hubs/crm/{resource}?where=…`, but found `/contacts`");
        insta::assert_snapshot!(message("/hubs/crm/users"), @"expected one of accounts, leads, contacts as the resource, but found `users`");
        insta::assert_snapshot!(message("/hubs/crm/leads?page=2"), @"expected no parameter but `where`, but found `page`");
        insta::assert_snapshot!(message("/hubs/crm/leads?where=date_created>'${date}'"), @"the condition: expected a placeholder only in `date_updated>'${…}'`, alone or joined by AND, but found `date_created > '${date}'`");
    }
}
