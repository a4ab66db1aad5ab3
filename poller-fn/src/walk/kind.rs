//! Objects that Close can filter by the dates of their last change and of their creation.

use shared::close::list::{List, Listed};
use shared::close::page::Request;
use shared::close::search::{Search, Searched, Selectors};
use shared::close::span::Span;

/// The most that every one of them takes as `_limit`. Source: seen to work on the search, on tasks and on opportunities.
pub const MAX_LIMIT: u16 = 200;

/// Where objects are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `POST /data/search/`
    Search(Searched),
    /// `GET /opportunity/` or `GET /task/`
    List(Listed),
}

/// Which part of what a request asks for.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// Behind the page that gave this cursor; searches only.
    pub cursor: Option<String>,
    /// Behind so many objects; lists only.
    pub skip: usize,
}

impl Kind {
    /// Whether it is a search, which has cursors, and an index of its own.
    pub fn is_search(self) -> bool {
        matches!(self, Self::Search(_))
    }

    /// A page of what was updated and created within these spans.
    pub fn request(self, updated: Span, created: Span, limit: u16, place: Place) -> Request {
        match self {
            Self::Search(object_type) => Request::Search(Search {
                object_type,
                updated,
                created,
                limit,
                cursor: place.cursor,
                selectors: Selectors::default(),
            }),
            Self::List(objects) => Request::List(List {
                objects,
                updated,
                created,
                limit,
                skip: place.skip,
            }),
        }
    }
}
