//! The query of a polled resource: `/hubs/crm/contacts?where=date_updated>'${gmtDate:…}'`.

use crate::close::object_type::Objects;
use crate::polling::ceql::{CeqlError, Expr, watermark};

/// A query's URL is no longer. Its condition is judged for each record, and each comparison reads the record.
const MAX_CHARACTERS: usize = 8_192;

/// A query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// What it reads.
    pub objects: Objects,
    /// What a record must fulfil, beside being dated after the last poll.
    pub filter: Option<Expr>,
}

/// The query cannot be polled with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryUrlError {
    /// Longer than a URL is anywhere.
    #[error("expected at most {MAX_CHARACTERS} characters, but found {found}")]
    TooLong {
        /// How many.
        found: usize,
    },
    /// Not of the form `/hubs/{hub}/{resource}`.
    #[error("expected `/hubs/crm/{{resource}}?where=…`, but found `{found}`")]
    NotAHubPath {
        /// The path.
        found: String,
    },
    /// A resource that Close has not, or that cannot be polled.
    #[error(
        "expected one of accounts, leads, contacts, opportunities, tasks, activities, events as the resource, but found `{found}`"
    )]
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
        let found = url.chars().count();
        if MAX_CHARACTERS < found {
            return Err(QueryUrlError::TooLong { found });
        }
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let objects = parse_path(path)?;
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
        Ok(Self { objects, filter })
    }
}

fn parse_path(path: &str) -> Result<Objects, QueryUrlError> {
    // The hub's name never mattered.
    let ["hubs", _, resource] = path.trim_matches('/').split('/').collect::<Vec<_>>()[..] else {
        return Err(QueryUrlError::NotAHubPath {
            found: path.to_owned(),
        });
    };
    Objects::of_resource(resource).ok_or_else(|| QueryUrlError::UnknownResource {
        found: resource.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Objects, Query};

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
            objects: Objects::Contacts,
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
            parsed("/hubs/crm/accounts").unwrap().objects,
            Objects::Leads
        );
        assert_eq!(parsed("/hubs/crm/leads").unwrap().objects, Objects::Leads);
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
        insta::assert_snapshot!(message("/hubs/crm/users"), @"expected one of accounts, leads, contacts, opportunities, tasks, activities, events as the resource, but found `users`");
        insta::assert_snapshot!(message("/hubs/crm/leads?page=2"), @"expected no parameter but `where`, but found `page`");
        insta::assert_snapshot!(message("/hubs/crm/leads?where=date_created>'${date}'"), @"the condition: expected a placeholder only in `date_updated>'${…}'`, alone or joined by AND, but found `date_created > '${date}'`");
    }

    #[test]
    fn a_url_has_at_most_8192_characters() {
        let url = |length: usize| {
            let start = "/hubs/crm/leads?where=name='";
            format!("{start}{}'", "é".repeat(length - start.len() - 1))
        };
        assert!(parsed(&url(8_192)).is_ok());
        insta::assert_snapshot!(parsed(&url(8_193)).unwrap_err(), @"expected at most 8192 characters, but found 8193");
    }

    #[test]
    fn every_type_that_close_logs_belongs_to_its_kind() {
        assert!(
            Objects::Tasks.include("task.lead") && Objects::Activities.include("activity.call")
        );
        assert!(Objects::Leads.include("lead") && !Objects::Leads.include("lead_merge"));
        assert!(!Objects::Activities.include("task.lead") && Objects::All.include("anything"));
    }
}
