//! `GET /event/`: the newest first, by cursor, for 30 days.

pub(crate) mod cursor;
pub(crate) mod filter;

use std::ops::Bound;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use self::cursor::EventCursor;
use self::filter::EventFilter;
use crate::close::api::parameters::{DATE_UPDATED, QueryParameters};
use crate::close::data::log::entry::LogEntry;
use crate::close::data::log::event_log::LogPosition;
use crate::close::data::tenant::Tenant;
use crate::close::data::time::span::Span;
use crate::close::data::user::Role;
use crate::close::settings::Settings;
use crate::close::wire::answer::Refusal;

/// The default number of entries of a page, and the largest.
const LIMIT: usize = 50;

/// Who asks, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) now: Timestamp,
    pub(crate) role: Role,
    pub(crate) settings: &'a Settings,
}

/// Answers a page of the log.
///
/// A cursor stands for a place, not for a query: the bounds of the date no longer count, the other filters are those of
/// the request at hand.
pub(crate) fn list(
    tenant: &mut Tenant,
    reader: Reader<'_>,
    parameters: QueryParameters<'_>,
) -> Result<Value, Refusal> {
    let limit = parameters.limit(LIMIT, LIMIT)?;
    let filter = EventFilter::read(parameters)?;
    let cursor = parameters.get("_cursor").map(EventCursor::parse);
    let kept = Span::since(reader.now - retention(reader.settings));
    tenant.log.catch_up();
    let found = match cursor.transpose()? {
        None => {
            let span = parameters.span(DATE_UPDATED)?.and(kept);
            Page::older(tenant, LogPosition::within(span), &filter, limit)
        }
        Some(EventCursor::OlderThan(place)) => {
            let (from, _) = LogPosition::within(kept);
            Page::older(tenant, (from, Bound::Excluded(place)), &filter, limit)
        }
        Some(EventCursor::NewerThan(place)) => Page::newer(tenant, place, &filter, limit),
    };
    Ok(json!({
        "data": found.entries.iter().map(|entry| show(tenant, reader, entry, parameters)).collect::<Vec<_>>(),
        "cursor_next": found.older.map(|place| EventCursor::OlderThan(place).to_string()),
        "cursor_previous": found.newer.map(|place| EventCursor::NewerThan(place).to_string()),
    }))
}

/// One entry.
pub(crate) fn read(
    tenant: &mut Tenant,
    reader: Reader<'_>,
    id: &str,
    parameters: QueryParameters<'_>,
) -> Result<Value, Refusal> {
    tenant.log.catch_up();
    let oldest = reader.now - retention(reader.settings);
    let entry = tenant
        .log
        .find(id)
        .filter(|entry| oldest <= entry.date_updated);
    let entry = entry.ok_or(Refusal::NotFound("Event"))?;
    Ok(show(tenant, reader, entry, parameters))
}

fn retention(settings: &Settings) -> SignedDuration {
    SignedDuration::try_from(settings.event_retention).unwrap_or(SignedDuration::MAX)
}

/// The entry as this reader sees it: only an administrator sees an object's data after the first hour.
fn show(
    tenant: &Tenant,
    reader: Reader<'_>,
    entry: &LogEntry,
    parameters: QueryParameters<'_>,
) -> Value {
    let mut shown: Map<String, Value> = tenant.render_entry(entry);
    let open_for = SignedDuration::try_from(reader.settings.event_data_open_for);
    let age = reader.now.duration_since(entry.date_updated);
    if reader.role == Role::User && open_for.is_ok_and(|open_for| open_for < age) {
        shown.retain(|key, _| key != "data" && key != "previous_data");
    }
    parameters.trim(shown)
}

/// A page, newest entry first.
#[derive(Default)]
struct Page {
    entries: Vec<Arc<LogEntry>>,
    /// The last entry, if there are older ones.
    older: Option<LogPosition>,
    /// The first entry, if there are newer ones.
    newer: Option<LogPosition>,
}

impl Page {
    /// The newest entries of the range.
    fn older(
        tenant: &Tenant,
        (from, to): (Bound<LogPosition>, Bound<LogPosition>),
        filter: &EventFilter<'_>,
        limit: usize,
    ) -> Self {
        if is_empty(from, to) {
            return Self::default();
        }
        let found = tenant.log.between(from, to).rev();
        let mut found: Vec<_> = found
            .filter(|(_, entry)| filter.accepts(tenant, entry))
            .take(limit + 1)
            .collect();
        let more = limit < found.len();
        found.truncate(limit);
        let place = |entry: Option<&(&LogPosition, _)>| entry.map(|(place, _)| **place);
        Self {
            older: place(found.last()).filter(|_| more),
            newer: place(found.first()).filter(|place| {
                let mut newer = tenant
                    .log
                    .between(Bound::Excluded(*place), Bound::Unbounded);
                newer.any(|(_, entry)| filter.accepts(tenant, entry))
            }),
            entries: found
                .into_iter()
                .map(|(_, entry)| Arc::clone(entry))
                .collect(),
        }
    }

    /// The oldest entries after a place.
    fn newer(tenant: &Tenant, place: LogPosition, filter: &EventFilter<'_>, limit: usize) -> Self {
        let found = tenant.log.between(Bound::Excluded(place), Bound::Unbounded);
        let mut found: Vec<_> = found
            .filter(|(_, entry)| filter.accepts(tenant, entry))
            .take(limit + 1)
            .collect();
        let more = limit < found.len();
        found.truncate(limit);
        found.reverse();
        Self {
            older: found.last().map(|(place, _)| **place),
            newer: found.first().map(|(place, _)| **place).filter(|_| more),
            entries: found
                .into_iter()
                .map(|(_, entry)| Arc::clone(entry))
                .collect(),
        }
    }
}

/// A tree map panics on such ranges.
fn is_empty(from: Bound<LogPosition>, to: Bound<LogPosition>) -> bool {
    match (from, to) {
        (
            Bound::Included(from) | Bound::Excluded(from),
            Bound::Included(to) | Bound::Excluded(to),
        ) => to <= from,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
