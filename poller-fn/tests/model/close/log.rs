//! The event log: newest first, fifty to a page, each entry in the newest form that is visible.

use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;
use shared::close::error::CloseError;
use shared::close::event_log::LogPage;
use shared::close::page::Page;

use super::entry::Form;
use super::state::{Close, rejected};

/// How long Close keeps an entry.
pub(crate) const RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);
/// From which age on only an administrator's key sees what changed.
const HIDING_AGE: SignedDuration = SignedDuration::from_hours(1);

/// The place of an entry: its date, then its number.
type LogPlace = (Timestamp, usize);

impl Close {
    pub(super) fn log_page(&self, page: &LogPage, now: Timestamp) -> Result<Page, CloseError> {
        let all = self.newest_first(now);
        let start = match &page.cursor {
            Some(cursor) => {
                let start = resume(cursor, &all)?;
                start.saturating_sub(self.quirks.is_repeating.into())
            }
            None => page.updated.before.map_or(0, |before| {
                all.partition_point(|((own, _), _)| before <= *own)
            }),
        };
        let from = page.updated.from.filter(|_| page.cursor.is_none());
        let rows: Vec<_> = all[start..]
            .iter()
            .take(self.quirks.log_page)
            .take_while(|((own, _), _)| from.is_none_or(|from| from <= *own))
            .collect();
        let end = start + rows.len();
        let is_asked = |(own, _): LogPlace| from.is_none_or(|from| from <= own);
        let next = all
            .get(end)
            .filter(|(place, _)| !self.quirks.is_log_closed || is_asked(*place));
        let last = rows.last().filter(|_| next.is_some());
        Ok(Page {
            cursor: last.map(|(place, _)| self.cursor(*place, end)),
            data: rows
                .iter()
                .map(|(_, form)| self.shown(form, now).to_owned())
                .collect(),
            ..Page::default()
        })
    }

    fn newest_first(&self, now: Timestamp) -> Vec<(LogPlace, &Form)> {
        let entries = self.log.iter().enumerate();
        let visible = entries.filter_map(|(number, entry)| Some((number, entry.seen_at(now)?)));
        let kept = visible.filter(|(_, form)| now - RETENTION <= form.own);
        let mut all: Vec<_> = kept
            .map(|(number, form)| ((form.own, number), form))
            .collect();
        all.sort_unstable_by(|(one, _), (other, _)| other.cmp(one));
        all
    }

    fn shown<'a>(&self, form: &'a Form, now: Timestamp) -> &'a RawValue {
        let is_hidden = self.quirks.is_hiding && form.own + HIDING_AGE < now;
        if is_hidden { &form.hidden } else { &form.shown }
    }

    fn cursor(&self, (own, number): LogPlace, end: usize) -> String {
        if self.quirks.is_log_counted {
            end.to_string()
        } else {
            format!("{}/{number}", own.as_millisecond())
        }
    }
}

/// Where a cursor leads now.
fn resume(cursor: &str, all: &[(LogPlace, &Form)]) -> Result<usize, CloseError> {
    let parsed = || match cursor.split_once('/') {
        None => Some(cursor.parse::<usize>().ok()?.min(all.len())),
        Some((own, number)) => {
            let own = Timestamp::from_millisecond(own.parse().ok()?).ok()?;
            let place = (own, number.parse().ok()?);
            Some(all.partition_point(|(other, _)| place <= *other))
        }
    };
    parsed().ok_or_else(|| rejected("an unknown cursor"))
}
