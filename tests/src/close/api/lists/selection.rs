//! The part of a list that a request asks for, as the database finds it.

use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::Arc;

use crate::close::data::objects::record::{DateField, Record};
use crate::close::data::tenant::by_date::ByDate;
use crate::close::data::time::span::Span;

/// Which objects, and in which order.
pub(crate) struct Selection<'a> {
    pub(crate) created: Span,
    pub(crate) updated: Span,
    /// What else must hold.
    pub(crate) accepts: Box<dyn Fn(&Record) -> bool + 'a>,
    pub(crate) order: Order,
}

/// An order, with objects that are equal in it in no useful one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    pub(crate) by: OrderBy,
    pub(crate) descending: bool,
}

/// What objects are ordered by.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OrderBy {
    /// One of the dates, in which they are kept.
    Date(DateField),
    /// What takes some sorting.
    Key(fn(&Record) -> Option<i128>),
}

impl Selection<'_> {
    /// The selected objects in order.
    pub(crate) fn of<'a>(&self, by_date: &'a ByDate) -> Vec<&'a Arc<Record>> {
        let (field, span) = self.narrowest();
        let found = by_date.within(field, span);
        let mut found: Vec<_> = found.filter(|record| self.matches(record)).collect();
        match self.order.by {
            OrderBy::Date(date) if date == field => {}
            OrderBy::Date(date) => found.sort_by_key(|record| (record.date(date), record.tie)),
            OrderBy::Key(key) => found.sort_by(|one, other| compare(key, one, other)),
        }
        if self.order.descending {
            found.reverse();
        }
        found
    }

    /// The date by which the fewest objects have to be looked at.
    fn narrowest(&self) -> (DateField, Span) {
        let is_bounded = |span: Span| span.from != Bound::Unbounded || span.to != Bound::Unbounded;
        let by_updated = matches!(self.order.by, OrderBy::Date(DateField::Updated));
        if is_bounded(self.updated) || (by_updated && !is_bounded(self.created)) {
            (DateField::Updated, self.updated)
        } else {
            (DateField::Created, self.created)
        }
    }

    fn matches(&self, record: &Record) -> bool {
        self.created.contains(record.date_created)
            && self.updated.contains(record.date_updated)
            && (self.accepts)(record)
    }
}

fn compare(key: fn(&Record) -> Option<i128>, one: &Record, other: &Record) -> Ordering {
    (key(one), one.tie).cmp(&(key(other), other.tie))
}
