//! Lookups of single records that failed. A poll may publish these records without some of their custom fields.
//!
//! The poller looks up each record that a later batch of a page does not show in the same version. Once a lookup fails, or
//! Close asks for a pause after one, the poller may leave out the lookups that follow. Nothing else excuses a record.

use std::collections::HashSet;

use poller_fn::record::Record;
use shared::close::page::Page;
use shared::close::search::{Search, Selectors};

/// An object's id and its `date_updated`.
type Version = (String, String);

/// The lookups of one poll.
#[derive(Default)]
pub(crate) struct Lookups {
    /// The versions on the first batches of pages, by the searches without their selectors.
    first: Vec<(Search, HashSet<Version>)>,
    /// The objects to look up.
    torn: HashSet<String>,
    /// Whether lookups may be left out from now on.
    is_hampered: bool,
    /// The objects whose records may lack custom fields.
    lacking: HashSet<String>,
}

/// A lookup under way.
pub(crate) struct Lookup {
    id: String,
    /// Whether nothing excused the object before.
    is_new: bool,
    was_hampered: bool,
}

impl Lookups {
    /// Notes a batch of a page.
    pub(crate) fn note(&mut self, search: &Search, batch: &Page) {
        let shown = batch.data.iter().filter_map(|record| {
            let record = Record::read(record.clone());
            let (id, date) = record.version()?;
            Some((id.to_owned(), date.to_owned()))
        });
        let shown = shown.collect();
        match search.selectors {
            Selectors::All(_) => self.first.push((plain(search), shown)),
            Selectors::More(_) => self.tear(search, &shown),
        }
    }

    /// Notes that the cursor of a batch has expired: a later batch shows nothing then.
    pub(crate) fn note_expired(&mut self, search: &Search) {
        if let Selectors::More(_) = search.selectors {
            self.tear(search, &HashSet::new());
        }
    }

    /// Records that the first batch shows and a later batch does not must be looked up.
    fn tear(&mut self, search: &Search, shown: &HashSet<Version>) {
        let plain = plain(search);
        let same = self.first.iter().filter(|(first, _)| *first == plain);
        let torn = same.flat_map(|(_, first)| first.difference(shown));
        self.torn.extend(torn.map(|(id, _)| id.clone()));
    }

    /// Notes that an object is looked up. Unless the lookup is answered, it has failed.
    pub(crate) fn begin(&mut self, path: &str) -> Lookup {
        let id = path.trim_end_matches('/').rsplit('/').next();
        let id = id.unwrap_or_default().to_owned();
        Lookup {
            is_new: self.lacking.insert(id.clone()),
            was_hampered: std::mem::replace(&mut self.is_hampered, true),
            id,
        }
    }

    /// Notes that a lookup was answered, perhaps with a pause.
    pub(crate) fn end(&mut self, lookup: &Lookup, is_paused: bool) {
        self.torn.remove(&lookup.id);
        if lookup.is_new {
            self.lacking.remove(&lookup.id);
        }
        self.is_hampered = lookup.was_hampered || is_paused;
    }

    /// Notes that the poll goes on: what it has not looked up by now, it may have left out.
    pub(crate) fn go_on(&mut self) {
        if self.is_hampered {
            self.lacking.extend(self.torn.iter().cloned());
        }
    }

    /// Whether lookups may be left out.
    pub(crate) fn is_hampered(&self) -> bool {
        self.is_hampered
    }

    /// The objects whose records may lack custom fields.
    pub(crate) fn lacking(&self) -> &HashSet<String> {
        &self.lacking
    }
}

fn plain(search: &Search) -> Search {
    Search {
        selectors: Selectors::default(),
        ..search.clone()
    }
}
