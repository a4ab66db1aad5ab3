//! The search: in ascending order of date, by cursors that live for half a minute.

use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;
use shared::close::error::CloseError;
use shared::close::page::Page;
use shared::close::search::{Search, Searched, Selectors};
use shared::close::span::Span;

use super::cursor::Cursor;
use super::render;
use super::state::{Close, MAX_LIMIT, Version, rejected, shuffled};
use crate::history::Of;

/// One walk by cursor ends here.
const MAX_WALK: usize = 10_000;
const CURSOR_LIFE: SignedDuration = SignedDuration::from_secs(30);

impl Close {
    pub(super) fn search(&mut self, search: &Search, now: Timestamp) -> Result<Page, CloseError> {
        if MAX_LIMIT < search.limit {
            return Err(rejected("the limit is larger than the maximum"));
        }
        let keys = self.selected(&search.selectors)?;
        let is_whole = matches!(search.selectors, Selectors::All(_));
        let mut walk = self.walk(search, now)?;
        let limit = usize::from(search.limit).min(MAX_WALK - walk.returned);
        let as_of = if self.quirks.is_search_frozen {
            walk.began
        } else {
            now
        };
        let mut found = self.found(of(search), search.updated, search.created, as_of);
        let place = |(number, version): &(usize, &Version)| {
            (version.date, shuffled(walk.salt, *number), *number)
        };
        found.sort_unstable_by_key(place);
        let is_repeating = self.quirks.is_repeating;
        let is_left = |place| {
            walk.after
                .is_none_or(|after| after < place || (is_repeating && after == place))
        };
        found.retain(|row| is_left(place(row)));
        found.truncate(limit);
        let after = found.last().map(place).or(walk.after);
        let shown = found.iter().filter_map(|row| self.hydrated(*row));
        let data: Vec<_> = shown
            .map(|object| render::selected(object, &keys, is_whole))
            .collect();
        (walk.after, walk.returned) = (after, walk.returned + found.len());
        let is_full = found.len() == usize::from(search.limit) && walk.returned < MAX_WALK;
        Ok(Page {
            data,
            cursor: is_full.then(|| self.issue(walk, now)),
            ..Page::default()
        })
    }

    /// The custom fields that a search is answered with, unless it asks for too many.
    fn selected(&self, selectors: &Selectors) -> Result<Vec<String>, CloseError> {
        if self.quirks.custom_batch < selectors.custom().len() {
            return Err(rejected("Too many fields."));
        }
        Ok(match selectors {
            Selectors::All(_) if self.quirks.is_custom_flat => {
                (0..self.quirks.custom_fields).map(render::key).collect()
            }
            Selectors::All(custom) | Selectors::More(custom) => custom.clone(),
        })
    }

    /// What an answer has of an object that it found as it was.
    fn hydrated<'a>(&'a self, (number, found): (usize, &'a Version)) -> Option<&'a RawValue> {
        let current = self.objects[number].versions.last();
        let version = current.filter(|_| self.quirks.is_search_behind);
        version.unwrap_or(found).json.as_deref()
    }

    /// The objects that an answer could hold.
    pub(super) fn found(
        &self,
        of: Of,
        updated: Span,
        created: Span,
        time: Timestamp,
    ) -> Vec<(usize, &Version)> {
        let objects = self.objects.iter().enumerate();
        let wanted =
            objects.filter(|(_, object)| object.of == of && created.contains(object.created));
        wanted
            .filter_map(|(number, object)| Some((number, object.seen_at(time)?)))
            .filter(|(_, version)| updated.contains(version.date))
            .collect()
    }

    fn walk(&self, search: &Search, now: Timestamp) -> Result<Cursor, CloseError> {
        let plain = Search {
            cursor: None,
            selectors: Selectors::default(),
            ..search.clone()
        };
        let Some(cursor) = &search.cursor else {
            return Ok(Cursor {
                search: plain,
                salt: self.order(search),
                began: now,
                after: None,
                returned: 0,
                expires: now,
            });
        };
        let walk = cursor
            .parse()
            .ok()
            .and_then(|number: usize| self.cursors.get(number));
        let walk = walk.filter(|walk| {
            walk.search
                == Search {
                    limit: walk.search.limit,
                    ..plain
                }
        });
        let walk = walk.ok_or_else(|| rejected("Invalid cursor."))?;
        if walk.expires <= now {
            return Err(CloseError::ExpiredCursor);
        }
        Ok(walk.clone())
    }

    /// Decides the order of ties.
    fn order(&self, search: &Search) -> u64 {
        if self.quirks.is_search_fickle {
            self.quirks.salt ^ self.cursors.len() as u64
        } else {
            let from = search.updated.from.unwrap_or_default();
            self.quirks.salt ^ from.as_millisecond().unsigned_abs()
        }
    }

    fn issue(&mut self, walk: Cursor, now: Timestamp) -> String {
        let expires = now + CURSOR_LIFE;
        self.cursors.push(Cursor { expires, ..walk });
        (self.cursors.len() - 1).to_string()
    }
}

fn of(search: &Search) -> Of {
    match search.object_type {
        Searched::Lead => Of::Leads,
        Searched::Contact => Of::Contacts,
    }
}
