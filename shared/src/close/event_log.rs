//! Close's event log, `GET /event/`, newest first.

use super::span::Span;
use super::timestamp;

/// Entries on a page. Source: the default and the most that developer.close.com/resources/event-log allows.
pub const PAGE_SIZE: usize = 50;

/// One page of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// When the entries were last changed. Close takes these bounds only without a cursor: behind the first page whoever
    /// reads must stop by himself.
    pub updated: Span,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

impl LogPage {
    /// The request's parameters.
    pub fn to_query(&self) -> Vec<(&'static str, String)> {
        let mut query = vec![("_limit", PAGE_SIZE.to_string())];
        if let Some(cursor) = &self.cursor {
            query.push(("_cursor", cursor.clone()));
            return query;
        }
        let bounds = [
            ("date_updated__gte", self.updated.from),
            ("date_updated__lt", self.updated.before),
        ];
        let bounds = bounds.into_iter();
        query.extend(bounds.filter_map(|(name, time)| Some((name, timestamp::format(time?)))));
        query
    }
}
