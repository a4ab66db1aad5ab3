//! Close's lists of opportunities and tasks, which it can filter by the date of their last change.

use super::span::Span;
use super::timestamp;

/// What a list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// `GET /opportunity/`, which can be put in order of `date_updated`.
    Opportunities,
    /// `GET /task/`, which cannot.
    Tasks,
}

impl Listed {
    /// The path in Close's API.
    pub fn path(self) -> &'static str {
        match self {
            Self::Opportunities => "opportunity/",
            Self::Tasks => "task/",
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Of what.
    pub objects: Listed,
    /// When the objects were last changed.
    pub updated: Span,
    /// When they were created.
    pub created: Span,
    /// Objects on the page.
    pub limit: u16,
    /// Objects to leave out before it.
    pub skip: usize,
}

impl List {
    /// The request's parameters.
    pub fn to_query(&self) -> Vec<(&'static str, String)> {
        let bounds = [
            ("date_updated__gte", self.updated.from),
            ("date_updated__lt", self.updated.before),
            ("date_created__gte", self.created.from),
            ("date_created__lt", self.created.before),
        ];
        let mut query: Vec<_> = bounds
            .into_iter()
            .filter_map(|(name, time)| Some((name, timestamp::format(time?))))
            .collect();
        query.extend(match self.objects {
            Listed::Opportunities => [("_order_by", "date_updated".to_owned())],
            // Close's default is the tasks that people made.
            Listed::Tasks => [("_type", "all".to_owned())],
        });
        query.push(("_limit", self.limit.to_string()));
        if 0 < self.skip {
            query.push(("_skip", self.skip.to_string()));
        }
        query
    }
}
