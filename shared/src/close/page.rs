//! Reading what changed, a page at a time.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::event_log::LogPage;
use super::list::List;
use super::search::{Search, Searched};

/// A page to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Of a search.
    Search(Search),
    /// Of a list.
    List(List),
    /// Of the event log.
    EventLog(LogPage),
    /// The custom fields of a type of objects, all on one page.
    CustomFields(Searched),
}

impl Request {
    /// The endpoint. Close limits the rate of each by itself.
    pub fn path(&self) -> &'static str {
        match self {
            Self::Search(_) => "data/search/",
            Self::List(list) => list.objects.path(),
            Self::EventLog(_) => "event/",
            Self::CustomFields(Searched::Lead) => "custom_field_schema/lead/",
            Self::CustomFields(Searched::Contact) => "custom_field_schema/contact/",
        }
    }

    /// Whether it goes on behind a page that was read.
    pub fn has_cursor(&self) -> bool {
        match self {
            Self::Search(search) => search.cursor.is_some(),
            Self::List(_) | Self::CustomFields(_) => false,
            Self::EventLog(page) => page.cursor.is_some(),
        }
    }
}

/// A page, of JSON unless it was read further.
#[derive(Debug, Deserialize)]
pub struct Page<T = Box<RawValue>> {
    /// The objects, entries or custom fields.
    #[serde(alias = "fields")]
    pub data: Vec<T>,
    /// Where a search or the event log goes on, if there is more.
    #[serde(default, alias = "cursor_next")]
    pub cursor: Option<String>,
    /// Whether a list has more.
    #[serde(default)]
    pub has_more: bool,
    /// How many objects a list has in all; some do not say.
    #[serde(default)]
    pub total_results: Option<usize>,
}

impl<T> Page<T> {
    /// Whether there is more behind this page.
    pub fn is_followed(&self) -> bool {
        self.has_more || self.cursor.is_some()
    }

    /// The page with each element read further.
    pub fn map<U>(self, read: impl FnMut(T) -> U) -> Page<U> {
        Page {
            data: self.data.into_iter().map(read).collect(),
            cursor: self.cursor,
            has_more: self.has_more,
            total_results: self.total_results,
        }
    }
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self {
            data: Vec::new(),
            cursor: None,
            has_more: false,
            total_results: None,
        }
    }
}
