//! The lists of opportunities, in ascending order of date, and of tasks, in order of creation; by offset.

use std::cmp::Reverse;

use jiff::Timestamp;
use shared::close::error::CloseError;
use shared::close::list::{List, Listed};
use shared::close::page::Page;

use super::state::{Close, MAX_LIMIT, Version, rejected, shuffled};
use crate::history::Of;

impl Close {
    pub(super) fn list(&self, list: &List, now: Timestamp) -> Result<Page, CloseError> {
        if MAX_LIMIT < list.limit {
            return Err(rejected("the limit is larger than the maximum"));
        }
        let found = match list.objects {
            Listed::Opportunities => self.opportunities(list, now),
            Listed::Tasks => self.tasks(list, now),
        };
        let limit = usize::from(list.limit);
        let repeated = usize::from(self.quirks.is_repeating && 0 < list.skip);
        let rows = found.iter().skip(list.skip - repeated).take(limit);
        Ok(Page {
            data: rows.filter_map(|(_, row)| row.json.clone()).collect(),
            cursor: None,
            has_more: list.skip - repeated + limit < found.len(),
            total_results: Some(found.len()),
        })
    }

    fn opportunities(&self, list: &List, now: Timestamp) -> Vec<(usize, &Version)> {
        let mut found = self.found(Of::Opportunities, list.updated, list.created, now);
        found.sort_unstable_by_key(|(number, version)| {
            (version.date, shuffled(self.quirks.salt, *number))
        });
        found
    }

    fn tasks(&self, list: &List, now: Timestamp) -> Vec<(usize, &Version)> {
        let mut found = self.found(Of::Tasks, list.updated, list.created, now);
        let place = |number: usize| {
            (
                self.objects[number].created,
                shuffled(self.quirks.salt, number),
            )
        };
        if self.quirks.is_newest_task_first {
            found.sort_unstable_by_key(|(number, _)| Reverse(place(*number)));
        } else {
            found.sort_unstable_by_key(|(number, _)| place(*number));
        }
        found
    }
}
