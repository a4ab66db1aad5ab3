//! A walk through Close's search by keyset: each page starts at the date where the last one ended.
//!
//! Pages by offset shift while people edit, and a cursor lives for 30 s. Starting anew at the last date, inclusive, loses
//! nothing: the records of that date come again and are skipped as seen. A cursor is used only within a run of records of
//! one date that is longer than a page.

use jiff::Timestamp;
use shared::ceql::push_down::{self, Created};
use shared::close::search::{ObjectType, Page, Search};
use shared::poller_configuration::Resource;

use crate::error::PollError;
use crate::record;

/// One walk by cursor ends here, whatever there is. Source: developer.close.com/resources/advanced-filtering.
const MAX_WALK: usize = 10_000;
/// A run that two walks cannot finish within a cursor's life would never be finished.
const MAX_EXPIRIES: u32 = 2;

/// The state of a walk.
#[derive(Debug)]
pub struct SearchWalk {
    object_type: ObjectType,
    created: Created,
    limit: u16,
    anchor: Timestamp,
    cursor: Option<String>,
    read_since_anchor: usize,
    expiries: u32,
    is_done: bool,
}

impl SearchWalk {
    /// A walk from `floor` on, inclusive.
    pub fn new(object_type: ObjectType, resource: &Resource, floor: Timestamp) -> Self {
        Self {
            object_type,
            created: resource
                .query
                .filter
                .as_ref()
                .map(push_down::push_down)
                .unwrap_or_default(),
            limit: resource.page_size,
            anchor: floor,
            cursor: None,
            read_since_anchor: 0,
            expiries: 0,
            is_done: false,
        }
    }

    /// What to ask for next, until the walk is done.
    pub fn next_request(&self) -> Option<Search> {
        let request = || Search {
            object_type: self.object_type,
            from: self.anchor,
            created: self.created,
            limit: self.limit,
            cursor: self.cursor.clone(),
        };
        (!self.is_done).then(request)
    }

    /// Goes on behind a page that was read.
    ///
    /// # Errors
    /// When the page is not in ascending order, or more records share one date than a walk can read: going on would lose
    /// some.
    pub fn advance(&mut self, page: &Page) -> Result<(), PollError> {
        let mut dates = page
            .data
            .iter()
            .filter_map(|record| record::date_updated(record));
        let first = dates.next();
        let last = dates.next_back().or(first);
        if last < first {
            return Err(PollError::OutOfOrder);
        }
        self.read_since_anchor += page.data.len();
        match (last, &page.cursor) {
            (Some(last), Some(_)) if self.anchor < last => self.anchor_at(last),
            (Some(last), None) if self.anchor < last && MAX_WALK <= self.read_since_anchor => {
                self.anchor_at(last);
            }
            (_, None) if MAX_WALK <= self.read_since_anchor => return Err(self.too_large()),
            (_, None) => self.is_done = true,
            (_, Some(_)) if page.data.is_empty() => self.is_done = true,
            (_, Some(cursor)) => self.cursor = Some(cursor.clone()),
        }
        Ok(())
    }

    /// Starts the run again after its cursor expired; what was published of it is seen.
    ///
    /// # Errors
    /// When that has happened too often.
    pub fn restart_run(&mut self) -> Result<(), PollError> {
        self.expiries += 1;
        if MAX_EXPIRIES < self.expiries {
            return Err(self.too_large());
        }
        (self.cursor, self.read_since_anchor) = (None, 0);
        Ok(())
    }

    fn anchor_at(&mut self, date: Timestamp) {
        self.anchor = date;
        (self.cursor, self.read_since_anchor, self.expiries) = (None, 0, 0);
    }

    fn too_large(&self) -> PollError {
        PollError::TieRunTooLarge {
            read: self.read_since_anchor,
            at: self.anchor,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;
    use serde_json::value::to_raw_value;
    use shared::close::search::{ObjectType, Page};
    use shared::poller_configuration::parse;

    use super::SearchWalk;

    fn walk() -> SearchWalk {
        let resource = parse(r#"{"contacts":{"url":"/hubs/crm/contacts"}}"#)
            .unwrap()
            .remove(0);
        SearchWalk::new(ObjectType::Contact, &resource, Timestamp::UNIX_EPOCH)
    }

    fn page(seconds: &[i64], cursor: Option<&str>) -> Page {
        let record = |second: &i64| {
            to_raw_value(&json!({"date_updated": Timestamp::from_second(*second).unwrap()}))
                .unwrap()
        };
        Page {
            data: seconds.iter().map(record).collect(),
            cursor: cursor.map(str::to_owned),
        }
    }

    fn next(walk: &SearchWalk) -> Option<(i64, Option<String>)> {
        walk.next_request()
            .map(|request| (request.from.as_second(), request.cursor))
    }

    #[test]
    fn each_page_starts_where_the_last_one_ended() {
        let mut walk = walk();
        walk.advance(&page(&[1, 2, 2], Some("c1"))).unwrap();
        assert_eq!(next(&walk), Some((2, None)));
        walk.advance(&page(&[2, 2, 3], None)).unwrap();
        assert_eq!(next(&walk), None);
    }

    #[test]
    fn a_run_of_one_date_is_walked_by_cursor() {
        let mut walk = walk();
        walk.advance(&page(&[1, 5], Some("c1"))).unwrap();
        walk.advance(&page(&[5, 5], Some("c2"))).unwrap();
        assert_eq!(next(&walk), Some((5, Some("c2".to_owned()))));
        walk.advance(&page(&[5, 6], Some("c3"))).unwrap();
        assert_eq!(next(&walk), Some((6, None)));
    }

    #[test]
    fn an_expired_cursor_starts_the_run_again_but_not_for_ever() {
        let mut walk = walk();
        walk.advance(&page(&[0, 0], Some("c1"))).unwrap();
        walk.restart_run().unwrap();
        assert_eq!(next(&walk), Some((0, None)));
        walk.restart_run().unwrap();
        assert!(walk.restart_run().is_err());
    }

    #[test]
    fn the_end_of_a_full_walk_is_not_the_end_of_the_records() {
        let mut ties = walk();
        assert!(ties.advance(&page(&vec![0; 10_000], None)).is_err());
        let mut growing = walk();
        growing
            .advance(&page(&(0..10_000).collect::<Vec<_>>(), None))
            .unwrap();
        assert_eq!(next(&growing), Some((9_999, None)));
    }

    #[test]
    fn a_page_in_descending_order_is_refused() {
        assert!(walk().advance(&page(&[5, 4, 3], Some("c1"))).is_err());
    }

    #[test]
    fn nothing_more_ends_the_walk() {
        for page in [page(&[], None), page(&[], Some("c1")), page(&[0], None)] {
            let mut walk = walk();
            walk.advance(&page).unwrap();
            assert_eq!(next(&walk), None);
        }
    }
}
