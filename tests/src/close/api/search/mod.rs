//! `POST /data/search/`: one page of a walk over the live index.
//!
//! Nothing is frozen while a walk goes on: a page holds what sorts after the last object returned at the moment of
//! asking, so a record edited in the middle of a walk by `date_updated` moves to its end.

pub(crate) mod request;

use std::iter;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use self::request::{DateRange, SearchRequest, SortKey};
use crate::close::data::objects::custom_field;
use crate::close::data::objects::record::{DateField, Record};
use crate::close::data::tenant::Tenant;
use crate::close::data::tenant::index::Index;
use crate::close::data::time::span::Span;
use crate::close::settings::{CustomAnswer, Settings};
use crate::close::wire::answer::Refusal;
use crate::close::world::cursors::{Cursors, Walk, WalkPosition};

/// Answers a search of one organization.
pub(crate) fn search(
    tenant: &mut Tenant,
    cursors: &mut Cursors,
    settings: &Settings,
    body: &str,
) -> Result<Value, Refusal> {
    let request = SearchRequest::parse(body)?;
    check_fields(tenant, &request)?;
    let mut walk = walk(tenant, cursors, &request)?;
    let collection = tenant.collection_mut(request.kind.family());
    collection.index.catch_up();
    let index = &tenant.collection(request.kind.family()).index;

    let cap = settings
        .walk_cap
        .min(request.results_limit.unwrap_or(usize::MAX));
    let size = request.limit.min(cap.saturating_sub(walk.returned));
    let page = page(index, &request, &walk, size);
    walk.returned += page.len();
    let full = page.len() == request.limit && walk.returned < cap;
    let data: Vec<_> = page
        .iter()
        .map(|record| select(tenant, record, &request, settings.custom_answer))
        .collect();
    let counts = request
        .include_counts
        .then(|| count(index, &request.ranges, cap));
    let last = page
        .last()
        .map(|record| place(record, &request.sort, walk.salt));
    walk.after = last.or(walk.after);
    let cursor = full.then(|| cursors.issue(walk, settings.cursor_life));
    let mut answer = json!({ "data": data, "cursor": cursor });
    if let Some(counts) = counts {
        answer["count"] = counts;
    }
    Ok(answer)
}

/// A selected custom field that the organization does not have is an error, unlike any other unknown field.
fn check_fields(tenant: &Tenant, request: &SearchRequest) -> Result<(), Refusal> {
    let known = tenant.custom_fields(request.kind);
    let mut selectors = request.fields.iter().flatten();
    match selectors
        .find(|name| name.starts_with(custom_field::PREFIX) && !custom_field::exists(known, name))
    {
        Some(unknown) => Err(Refusal::Field(
            "_fields",
            format!("Unknown field: {unknown}"),
        )),
        None => Ok(()),
    }
}

fn walk(tenant: &Tenant, cursors: &Cursors, request: &SearchRequest) -> Result<Walk, Refusal> {
    let organization = &tenant.identity.organization_id;
    let (kind, ranges, sort) = (request.kind, &request.ranges, &request.sort);
    let fingerprint = format!("{organization} {kind:?} {ranges:?} {sort:?}");
    match &request.cursor {
        Some(cursor) => cursors.resume(cursor, &fingerprint),
        None => Ok(Walk {
            fingerprint,
            salt: fastrand::u64(..),
            after: None,
            returned: 0,
        }),
    }
}

/// The next `size` objects of the walk.
fn page(index: &Index, request: &SearchRequest, walk: &Walk, size: usize) -> Vec<Arc<Record>> {
    let by_date = &index.by_date;
    let Some(first) = request.sort.first() else {
        let all = by_date.within(DateField::Updated, Span::ALL);
        return next_records(all, request, walk, size);
    };
    let found = by_date.within(first.field, narrowed(*first, walk, &request.ranges));
    let found: Box<dyn Iterator<Item = &Arc<Record>>> = if first.descending {
        Box::new(found.rev())
    } else {
        Box::new(found)
    };
    let mut found = found.peekable();
    // Pages that follow in descending order miss the row at their seam.
    let lost = usize::from(first.descending && walk.after.is_some());
    let size = size + lost;
    let mut page = Vec::new();
    while page.len() < size
        && let Some(next) = found.peek()
    {
        let date = next.date(first.field);
        let of_date: Vec<_> =
            iter::from_fn(|| found.next_if(|record| record.date(first.field) == date)).collect();
        page.extend(next_records(
            of_date.into_iter(),
            request,
            walk,
            size - page.len(),
        ));
    }
    page.drain(..lost.min(page.len()));
    page
}

/// The first `size` of those objects that match and come after the walk's last one, in order.
fn next_records<'a>(
    records: impl Iterator<Item = &'a Arc<Record>>,
    request: &SearchRequest,
    walk: &Walk,
    size: usize,
) -> Vec<Arc<Record>> {
    let mut places: Vec<_> = records
        .filter(|record| matches(record, &request.ranges))
        .map(|record| (place(record, &request.sort, walk.salt), record))
        .filter(|(place, _)| walk.after.as_ref().is_none_or(|after| after < place))
        .collect();
    if size < places.len() {
        places.select_nth_unstable_by(size, |(one, _), (other, _)| one.cmp(other));
        places.truncate(size);
    }
    places.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let records = places.into_iter().map(|(_, record)| Arc::clone(record));
    records.collect()
}

/// The order of equal dates means nothing and differs between walks, so that nobody can rely on it.
fn place(record: &Record, sort: &[SortKey], salt: u64) -> WalkPosition {
    let keys = sort.iter().map(|key| {
        let nanoseconds = record.date(key.field).as_nanosecond();
        if key.descending {
            -nanoseconds
        } else {
            nanoseconds
        }
    });
    (keys.collect(), record.tie ^ salt)
}

fn matches(record: &Record, ranges: &[DateRange]) -> bool {
    ranges
        .iter()
        .all(|range| range.span.contains(record.date(range.field)))
}

/// The part of the index that can still hold results, by the first sort key.
fn narrowed(first: SortKey, walk: &Walk, ranges: &[DateRange]) -> Span {
    let of_field = ranges.iter().filter(|range| range.field == first.field);
    let asked = of_field.fold(Span::ALL, |span, range| span.and(range.span));
    let last = walk.after.as_ref().map(|(keys, _)| keys[0]);
    let last = last.map(|key| if first.descending { -key } else { key });
    match last.and_then(|last| Timestamp::from_nanosecond(last).ok()) {
        Some(last) if first.descending => asked.and(Span::until(last)),
        Some(last) => asked.and(Span::since(last)),
        None => asked,
    }
}

fn count(index: &Index, ranges: &[DateRange], cap: usize) -> Value {
    let records = index.by_date.within(DateField::Updated, Span::ALL);
    let total = records.filter(|record| matches(record, ranges)).count();
    json!({ "limited": total.min(cap), "total": total })
}

/// The object as searched for: its type, its id, and the selected fields in the order of selection.
fn select(
    tenant: &Tenant,
    record: &Arc<Record>,
    request: &SearchRequest,
    custom_answer: CustomAnswer,
) -> Value {
    let mut selected = Map::new();
    selected.insert(
        "__object_type".to_owned(),
        request.kind.object_type().into(),
    );
    selected.insert("id".to_owned(), (*record.id).into());
    let Some(fields) = &request.fields else {
        return selected.into();
    };
    let wanted = |name: &str| fields.iter().any(|field| field == name);
    let object = tenant.render_some(record, wanted);
    for field in fields {
        match (field.as_str(), custom_answer) {
            ("custom", CustomAnswer::Aggregate) => {
                let custom_fields = tenant.custom_fields(request.kind);
                let aggregate = custom_field::aggregate(custom_fields, &object);
                selected.insert(field.clone(), aggregate.into());
            }
            ("custom", CustomAnswer::Flat) => {
                let values = object.iter();
                let values = values.filter(|(key, _)| key.starts_with(custom_field::PREFIX));
                selected.extend(values.map(|(key, value)| (key.clone(), value.clone())));
            }
            (name, _) => {
                let value = object.get(name).cloned();
                selected.extend(value.map(|value| (field.clone(), value)));
            }
        }
    }
    selected.into()
}

#[cfg(test)]
mod tests;
