//! A model of Close: objects with all their versions, and the log of their changes.
//!
//! It keeps what was true, so that the proof need not ask the poller.

pub(crate) mod change;
mod list;
pub(crate) mod log;
mod render;
mod search;

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;
use shared::close::error::CloseError;
use shared::close::list::Listed;
use shared::close::page::{Page, Request};
use shared::close::search::Searched;
use shared::event::id::EventId;

use crate::history::{Of, Quirks, Trouble};
use log::Entry;
use search::Cursor;

/// Close's dates have so many digits.
pub(crate) const TICK: SignedDuration = SignedDuration::from_millis(1);
/// The greatest `_limit` that Close takes.
pub(crate) const MAX_LIMIT: u16 = 200;

/// Close.
pub(crate) struct Close {
    pub(crate) quirks: Quirks,
    pub(crate) objects: Vec<Object>,
    pub(crate) log: Vec<Entry>,
    /// The entries in each of their forms, by what tells a form from all others.
    pub(crate) versions: HashMap<EventId, Place>,
    cursors: Vec<Cursor>,
}

/// A form of an entry.
pub(crate) struct Place {
    pub(crate) entry: usize,
    pub(crate) form: usize,
}

/// An object.
pub(crate) struct Object {
    pub(crate) of: Of,
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) versions: Vec<Version>,
}

/// An object after a change.
pub(crate) struct Version {
    pub(crate) date: Timestamp,
    /// From when on Close shows it.
    pub(crate) visible: Timestamp,
    pub(crate) rank: u8,
    /// Nothing once the object is deleted.
    pub(crate) json: Option<Box<RawValue>>,
}

impl Close {
    pub(crate) fn new(quirks: Quirks) -> Self {
        Self {
            quirks,
            objects: Vec::new(),
            log: Vec::new(),
            versions: HashMap::new(),
            cursors: Vec::new(),
        }
    }

    /// Answers a request.
    pub(crate) fn read(&mut self, request: &Request, now: Timestamp) -> Result<Page, CloseError> {
        match request {
            Request::Search(search) => self.search(search, now),
            Request::List(list) => self.list(list, now),
            Request::EventLog(page) => self.log_page(page, now),
            Request::CustomFields(_) => Ok(self.schema()),
        }
    }

    /// The custom fields of any type of objects.
    fn schema(&self) -> Page {
        Page {
            data: (0..self.quirks.custom_fields).map(render::field).collect(),
            ..Page::default()
        }
    }

    /// What is wrong with the endpoint of a request. Leads and contacts have one rate limit.
    pub(crate) fn trouble(&self, request: &Request) -> Option<Trouble> {
        self.trouble_of(of(request))
    }

    /// The same, of what is read of objects, or of the log.
    pub(crate) fn trouble_of(&self, of: Of) -> Option<Trouble> {
        let (broken, trouble) = self.quirks.broken?;
        let is_search = |of| matches!(of, Of::Contacts | Of::Leads);
        let is_limited = matches!(trouble, Trouble::Throttles(_));
        let is_it = of == broken || (is_limited && is_search(of) && is_search(broken));
        is_it.then_some(trouble)
    }

    /// How many objects of a kind bear one date.
    pub(crate) fn largest_moment(&self, of: Of) -> usize {
        let objects = self.objects.iter().filter(|object| object.of == of);
        largest(objects.filter_map(|object| Some(object.versions.last()?.date)))
    }

    /// How many entries of the log bear one date.
    pub(crate) fn largest_moment_of_the_log(&self) -> usize {
        largest(self.log.iter().map(Entry::own_date))
    }

    /// An object as it is, by its path in the API.
    pub(crate) fn object(&self, path: &str, now: Timestamp) -> Option<Box<RawValue>> {
        let id = path.trim_end_matches('/').rsplit('/').next()?;
        let object = self.objects.iter().find(|object| object.id == id)?;
        object.seen_at(now)?.json.clone()
    }
}

impl Object {
    /// The version that Close shows to whoever asks at `time`.
    fn seen_at(&self, time: Timestamp) -> Option<&Version> {
        let mut newest_first = self.versions.iter().rev();
        let shown = newest_first.find(|version| version.visible <= time);
        shown.filter(|version| version.json.is_some())
    }
}

fn largest(dates: impl Iterator<Item = Timestamp>) -> usize {
    let mut counts: HashMap<Timestamp, usize> = HashMap::new();
    dates.for_each(|date| *counts.entry(date).or_default() += 1);
    counts.into_values().max().unwrap_or_default()
}

/// What a request is about.
pub(crate) fn of(request: &Request) -> Of {
    match request {
        Request::Search(search) => searched(search.object_type),
        Request::CustomFields(object_type) => searched(*object_type),
        Request::List(list) if list.objects == Listed::Opportunities => Of::Opportunities,
        Request::List(_) => Of::Tasks,
        Request::EventLog(_) => Of::Events,
    }
}

fn searched(object_type: Searched) -> Of {
    match object_type {
        Searched::Lead => Of::Leads,
        Searched::Contact => Of::Contacts,
    }
}

fn rejected(message: &str) -> CloseError {
    CloseError::Rejected {
        status: 400,
        message: message.to_owned(),
    }
}

/// Orders things by nothing that means anything.
fn shuffled(salt: u64, number: usize) -> u64 {
    let mixed = (salt ^ number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}
