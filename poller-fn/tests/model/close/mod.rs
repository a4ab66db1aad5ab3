//! A model of Close: objects with all their versions, and the log of their changes.
//!
//! It keeps what was true, so that the proof need not ask the poller.

pub(crate) mod change;
mod list;
pub(crate) mod log;
mod render;
mod search;

use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;
use shared::close::error::CloseError;
use shared::close::list::Listed;
use shared::close::page::{Page, Request};
use shared::close::search::ObjectType;

use crate::history::{Of, Quirks};
use log::Entry;
use search::Cursor;

/// Close's dates have so many digits.
pub(crate) const TICK: SignedDuration = SignedDuration::from_millis(1);
/// The greatest `_limit` that Close takes.
const MAX_LIMIT: u16 = 200;

/// Close.
pub(crate) struct Close {
    pub(crate) quirks: Quirks,
    pub(crate) objects: Vec<Object>,
    pub(crate) log: Vec<Entry>,
    cursors: Vec<Cursor>,
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
            cursors: Vec::new(),
        }
    }

    /// Answers a request.
    pub(crate) fn read(&mut self, request: &Request, now: Timestamp) -> Result<Page, CloseError> {
        if self.quirks.broken == of(request) {
            return Err(CloseError::Unavailable("it never works".to_owned()));
        }
        match request {
            Request::Search(search) => self.search(search, now),
            Request::List(list) => self.list(list, now),
            Request::EventLog(page) => self.log_page(page, now),
        }
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

/// What a request is about.
fn of(request: &Request) -> Option<Of> {
    Some(match request {
        Request::Search(search) if search.object_type == ObjectType::Lead => Of::Leads,
        Request::Search(_) => Of::Contacts,
        Request::List(list) if list.objects == Listed::Opportunities => Of::Opportunities,
        Request::List(_) => Of::Tasks,
        Request::EventLog(_) => Of::Events,
    })
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
