//! The query of a polled resource: `/hubs/crm/contacts?where=date_updated>'${gmtDate:…}'`.

use crate::date_pattern::{self, DatePatternError};

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
    /// A condition other than the one on the update date.
    #[error("expected the condition `{field}>'${{gmtDate:…}}'` or none, but found `{found}`")]
    UnknownCondition {
        /// The configured update date field.
        field: String,
        /// The condition.
        found: String,
    },
    /// A placeholder other than those of the time of the last poll.
    #[error(
        "expected ${{gmtDate:…}}, ${{date:…}}, ${{dateTimeZone:{{zone}}:…}} or ${{epoch}}, but found `{found}`"
    )]
    UnknownPlaceholder {
        /// The placeholder, braces and all.
        found: String,
    },
    /// A placeholder whose pattern Java would refuse.
    #[error("the date pattern `{pattern}`: {error}")]
    DatePattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        #[source]
        error: DatePatternError,
    },
}

/// Reads the resource of a query and checks its condition.
///
/// The one condition is the comparison of the update date with the time of the last poll. Taken literally it would lose
/// what becomes visible late, so it is checked and then left to the watermark's rules, which read a little before the
/// time of the last poll and leave out what was already published. `>` and `>=` mean the same there.
///
/// # Errors
/// When the query is not of that form.
pub fn parse_query_url(url: &str, updated_date_field: &str) -> Result<ObjectType, QueryUrlError> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let object_type = parse_path(path)?;
    match query.split_once('=') {
        None if query.is_empty() => Ok(()),
        Some(("where", condition)) => check_condition(condition.trim(), updated_date_field),
        other => Err(QueryUrlError::UnknownParameter {
            found: other.map_or(query, |(name, _)| name).to_owned(),
        }),
    }?;
    Ok(object_type)
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

fn check_condition(condition: &str, field: &str) -> Result<(), QueryUrlError> {
    let comparand = condition
        .strip_prefix(field)
        .and_then(|rest| rest.trim_start().strip_prefix('>'))
        .map(|rest| rest.strip_prefix('=').unwrap_or(rest).trim());
    let placeholder = comparand
        .map(unquoted)
        .and_then(|text| text.strip_prefix("${")?.strip_suffix('}'));
    match placeholder {
        _ if condition.is_empty() => Ok(()),
        Some(placeholder) => check_placeholder(placeholder),
        None => Err(QueryUrlError::UnknownCondition {
            field: field.to_owned(),
            found: condition.to_owned(),
        }),
    }
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('\'')
        .and_then(|text| text.strip_suffix('\''))
        .unwrap_or(text)
}

fn check_placeholder(placeholder: &str) -> Result<(), QueryUrlError> {
    let (descriptor, pattern) = placeholder.split_once(':').unwrap_or((placeholder, ""));
    let pattern = match (descriptor, pattern) {
        ("gmtDate", pattern) if !pattern.is_empty() => pattern,
        ("date", pattern) => pattern,
        ("epoch", "" | "s" | "ms" | "us") => "",
        // The zone stands in braces of its own: `dateTimeZone:{America/Denver}:…`.
        ("dateTimeZone", rest) if rest.starts_with('{') && rest.contains("}:") => {
            rest.split_once("}:").map_or("", |(_, pattern)| pattern)
        }
        _ => {
            return Err(QueryUrlError::UnknownPlaceholder {
                found: format!("${{{placeholder}}}"),
            });
        }
    };
    date_pattern::check(pattern).map_err(|error| QueryUrlError::DatePattern {
        pattern: pattern.to_owned(),
        error,
    })
}

#[cfg(test)]
mod tests {
    use super::{ObjectType, parse_query_url};

    fn parsed(url: &str) -> Result<ObjectType, String> {
        parse_query_url(url, "date_updated").map_err(|error| error.to_string())
    }

    #[test]
    fn takes_the_documented_query_and_its_like() {
        for url in [
            "/hubs/crm/contacts?where=date_updated>'${gmtDate:yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX}'",
            "/hubs/crm/contacts?where=date_updated >= '${date:yyyy-MM-dd}'",
            "/hubs/crm/contacts?where=date_updated>=${date}",
            "/hubs/any/contacts?where=date_updated>'${dateTimeZone:{America/Denver}:yyyy-MM-dd HH:mm:ss}'",
            "/hubs/crm/contacts?where=date_updated>${epoch:ms}",
            "/hubs/crm/contacts?where=",
            "/hubs/crm/contacts",
        ] {
            assert_eq!(parsed(url), Ok(ObjectType::Contact), "{url}");
        }
        assert_eq!(parsed("/hubs/crm/accounts"), Ok(ObjectType::Lead));
        assert_eq!(parsed("/hubs/crm/leads"), Ok(ObjectType::Lead));
    }

    #[test]
    fn says_what_is_wrong_with_any_other() {
        let message = |url: &str| parsed(url).unwrap_err();
        insta::assert_snapshot!(message("/contacts"), @"expected `/hubs/crm/{resource}?where=…`, but found `/contacts`");
        insta::assert_snapshot!(message("/hubs/crm/users"), @"expected one of accounts, leads, contacts as the resource, but found `users`");
        insta::assert_snapshot!(message("/hubs/crm/leads?page=2"), @"expected no parameter but `where`, but found `page`");
        insta::assert_snapshot!(message("/hubs/crm/leads?where=name='x'"), @"expected the condition `date_updated>'${gmtDate:…}'` or none, but found `name='x'`");
        insta::assert_snapshot!(message("/hubs/crm/leads?where=date_updated>'${now}'"), @"expected ${gmtDate:…}, ${date:…}, ${dateTimeZone:{zone}:…} or ${epoch}, but found `${now}`");
        insta::assert_snapshot!(message("/hubs/crm/leads?where=date_updated>'${gmtDate:yyyy-MM-ddT}'"), @"the date pattern `yyyy-MM-ddT`: `T` at position 11 is no pattern letter; put literal text in single quotes");
    }
}
