//! What a poll was shown, and must therefore have published when it has come to its end.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use shared::close::list::Listed;
use shared::close::page::{Page, Request};
use shared::close::search::Selectors;
use shared::close::timestamp;

use crate::bus::Key;
use crate::close::requests;
use crate::history::Of;

/// A date that lies further ahead was made up by somebody, and is not waited for.
const FUTURE: SignedDuration = SignedDuration::from_mins(5);

/// What one poll was shown.
pub(crate) struct Reading {
    until: Timestamp,
    is_until_fixed: bool,
    shown: Vec<(Of, Key)>,
}

#[derive(Deserialize)]
struct Row<'a> {
    id: &'a str,
    date_updated: &'a str,
}

impl Reading {
    pub(crate) fn new(started: Timestamp) -> Self {
        Self {
            until: started,
            is_until_fixed: false,
            shown: Vec::new(),
        }
    }

    /// Notes when Close has answered, by its own clock.
    pub(crate) fn note_date(&mut self, date: Timestamp) {
        if !self.is_until_fixed {
            self.until = self.until.min(date);
            self.is_until_fixed = true;
        }
    }

    /// Notes what a page shows, if nothing may come between that and its publication. A window may still be divided.
    /// What is read in batches may change between two of them.
    pub(crate) fn note(&mut self, request: &Request, page: &Page, custom_fields: usize) {
        let is_page = |selectors: &Selectors| selectors.custom().len() == custom_fields;
        let is_unit = match request {
            Request::Search(search) => {
                search.updated.before.is_none() && is_page(&search.selectors)
            }
            Request::List(list) => {
                list.objects == Listed::Opportunities && list.updated.before.is_none()
            }
            Request::EventLog(_) | Request::CustomFields(_) => false,
        };
        if !is_unit {
            return;
        }
        let of = requests::of(request);
        for row in &page.data {
            let row: Option<Row<'_>> = shared::json::read(row.get()).ok();
            let dated = row.and_then(|row| Some((timestamp::parse(row.date_updated)?, row.id)));
            self.shown.extend(
                dated.map(|(date, id)| (of, Key::new(of.object_type(), id, date, "updated"))),
            );
        }
    }

    /// What was shown and is not the next poll's.
    pub(crate) fn due(&self) -> impl Iterator<Item = &(Of, Key)> {
        let is_due = |date| date < self.until || FUTURE < date - self.until;
        self.shown.iter().filter(move |(_, key)| is_due(key.date))
    }
}
