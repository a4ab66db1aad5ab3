//! A page of a search whose custom fields are too many for one request: read in batches, and put together.
//!
//! Every batch is the same search, for other fields. A record is put together only if every batch shows it with the same id
//! and `date_updated`. Any other record has changed in between, or shares its date with more records than the page holds: it is
//! read by itself.

use std::collections::HashMap;

use serde_json::value::RawValue;
use shared::close::page::Page;
use shared::json::path;

use crate::record::Record;

/// The keys of custom fields, quoted.
const CUSTOM: &str = "\"custom.";

/// The batches of a page that were read so far.
#[derive(Debug, Default)]
pub struct Batches {
    first: Option<Page<Record>>,
    more: Vec<Batch>,
    /// The version of the selectors that they were read with.
    version: u32,
}

/// An object as it was: its id and its `date_updated`, as Close writes that.
type Version = (String, String);

/// The records of a later batch.
type Batch = HashMap<Version, Record>;

/// A page that was put together.
#[derive(Debug)]
pub struct Joined {
    /// The page.
    pub page: Page<Record>,
    /// The objects on it that are to be read by themselves: their places, and their ids.
    pub changed: Vec<(usize, String)>,
}

impl Batches {
    /// Forgets what was read, unless the batches are still those of this version.
    pub fn keep_if(&mut self, version: u32) {
        if self.version != version {
            *self = Self {
                version,
                ..Self::default()
            };
        }
    }

    /// The number of the batch that is to be read next.
    pub fn next(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }

    /// Takes the next batch. Returns the page when it is the last one of `count`, or there is nothing on it.
    pub fn take(&mut self, page: Page<Record>, count: usize) -> Option<Joined> {
        if self.first.is_none() {
            self.first = Some(page);
        } else {
            let versions = page.data.into_iter();
            let versions = versions.filter_map(|record| Some((version(&record)?, record)));
            self.more.push(versions.collect());
        }
        let has_objects = self
            .first
            .as_ref()
            .is_some_and(|page| !page.data.is_empty());
        if has_objects && self.next() < count {
            return None;
        }
        let (first, more) = (self.first.take(), std::mem::take(&mut self.more));
        first.map(|page| join(page, &more))
    }
}

/// A record that only the first batch shows stays as it is, byte for byte. A record without an id or a date cannot be read by
/// itself.
fn join(mut page: Page<Record>, more: &[Batch]) -> Joined {
    let mut changed = Vec::new();
    if more.is_empty() {
        return Joined { page, changed };
    }
    for (place, record) in page.data.iter_mut().enumerate() {
        let Some(version) = version(record) else {
            continue;
        };
        let find = |batch| Some(&*Batch::get(batch, &version)?.raw);
        let found: Option<Vec<&RawValue>> = more.iter().map(find).collect();
        match found {
            Some(found) => record.raw = merged(&record.raw, &found).into(),
            None => changed.push((place, version.0)),
        }
    }
    Joined { page, changed }
}

fn merged(record: &RawValue, more: &[&RawValue]) -> Box<RawValue> {
    let own: Vec<_> = path::members(record);
    let is_new = |key: &str| key.starts_with(CUSTOM) && own.iter().all(|(own, _)| *own != key);
    let members = more.iter().flat_map(|record| path::members(record));
    path::extended(record, members.filter(|(key, _)| is_new(key)))
}

fn version(record: &Record) -> Option<Version> {
    let (id, date) = record.version()?;
    Some((id.to_owned(), date.to_owned()))
}

#[cfg(test)]
mod tests {
    use shared::close::page::Page;
    use shared::json::raw;

    use super::{Batches, Joined};
    use crate::record::Record;

    fn page(records: &[&str]) -> Page<Record> {
        Page {
            data: records
                .iter()
                .map(|record| Record::read(raw(record).unwrap()))
                .collect(),
            cursor: Some("c1".to_owned()),
            ..Page::default()
        }
    }

    fn shown(joined: &Joined) -> Vec<&str> {
        joined
            .page
            .data
            .iter()
            .map(|record| record.raw.get())
            .collect()
    }

    #[test]
    fn one_batch_is_the_page_to_the_byte() {
        let records = [
            r#"{ "id": "a" , "date_updated":"1","n":1.50}"#,
            "{}",
            "null",
        ];
        let joined = Batches::default().take(page(&records), 1).unwrap();
        assert_eq!(shown(&joined), records);
        assert!(joined.changed.is_empty());
    }

    #[test]
    fn an_empty_page_takes_one_request_and_a_page_of_other_batches_is_begun_anew() {
        let mut batches = Batches::default();
        assert!(batches.take(page(&[]), 2).is_some());
        assert!(batches.take(page(&["{}"]), 2).is_none());
        batches.keep_if(0);
        assert_eq!(batches.next(), 1);
        batches.keep_if(1);
        assert_eq!(batches.next(), 0);
    }

    #[test]
    fn batches_are_put_together_by_id_and_date() {
        let mut batches = Batches::default();
        let first = [
            r#"{"id":"a","date_updated":"1","custom":{},"custom.cf_1":1.50}"#,
            r#"{"id":"b","date_updated":"2"}"#,
            r#"{"id":"c","date_updated":"3"}"#,
            r#"{"id":"d","date_updated":"4"}"#,
            r#"{"date_updated":"5"}"#,
        ];
        assert!(batches.take(page(&first), 3).is_none());
        assert_eq!(batches.next(), 1);
        let second = [
            r#"{"__object_type":"lead","id":"c","date_updated":"3","custom.cf_2":[1, 2]}"#,
            r#"{"id":"a","date_updated":"1","custom.cf_1":2,"custom.cf_2":"x","name":"y"}"#,
            r#"{"id":"b","date_updated":"2.5","custom.cf_2":"newer"}"#,
        ];
        assert!(batches.take(page(&second), 3).is_none());
        let third = [
            r#"{"id":"a","date_updated":"1","custom.cf_3":{}}"#,
            r#"{"id":"c","date_updated":"3"}"#,
        ];
        let joined = batches.take(page(&third), 3).unwrap();
        assert_eq!(
            shown(&joined),
            [
                r#"{"id":"a","date_updated":"1","custom":{},"custom.cf_1":1.50,"custom.cf_2":"x","custom.cf_3":{}}"#,
                first[1],
                r#"{"id":"c","date_updated":"3","custom.cf_2":[1, 2]}"#,
                first[3],
                first[4],
            ]
        );
        let changed = [(1, "b".to_owned()), (3, "d".to_owned())];
        assert_eq!(joined.changed, changed);
        assert_eq!(joined.page.cursor.as_deref(), Some("c1"));
        assert_eq!(batches.next(), 0);
    }
}
