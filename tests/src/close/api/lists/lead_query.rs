//! `query` of `GET /lead/`, Close's older search: as much of it as a public client sends, bounds of a date and an order.

use std::ops::Bound;

use super::selection::{Order, OrderBy};
use crate::close::data::objects::record::DateField;
use crate::close::data::time::span::Span;
use crate::close::data::time::stamp;
use crate::close::wire::answer::Refusal;

/// A query: terms between blanks, such as `date_updated>="2026-06-19T12:00" sort:date_updated`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LeadQuery {
    pub(crate) created: Span,
    pub(crate) updated: Span,
    pub(crate) order: Order,
}

impl Default for LeadQuery {
    /// All leads, the newest first.
    fn default() -> Self {
        Self {
            created: Span::ALL,
            updated: Span::ALL,
            order: Order {
                by: OrderBy::Date(DateField::Updated),
                descending: true,
            },
        }
    }
}

impl LeadQuery {
    /// Reads a query.
    pub(crate) fn read(text: &str) -> Result<Self, Refusal> {
        let mut query = Self::default();
        for term in text.split_whitespace() {
            query.add(term).ok_or_else(|| {
                Refusal::NotSimulated(400, format!("this term of a query: {term}"))
            })?;
        }
        Ok(query)
    }

    fn add(&mut self, term: &str) -> Option<()> {
        if let Some(name) = term.strip_prefix("sort:") {
            let ascending = name.trim_start_matches('-');
            self.order = Order {
                by: OrderBy::Date(date_field(ascending)?),
                descending: ascending != name,
            };
            return Some(());
        }
        let (name, bound) = term.split_at(term.find(['<', '>'])?);
        let operator = bound.trim_end_matches(|character| !['<', '>', '='].contains(&character));
        let value = bound.strip_prefix(operator)?.trim_matches('"');
        let value = stamp::parse(value)?;
        let span = match operator {
            ">" => Span {
                from: Bound::Excluded(value),
                ..Span::ALL
            },
            ">=" => Span::since(value),
            "<" => Span {
                to: Bound::Excluded(value),
                ..Span::ALL
            },
            "<=" => Span::until(value),
            _ => return None,
        };
        let of = match date_field(name)? {
            DateField::Created => &mut self.created,
            DateField::Updated => &mut self.updated,
        };
        *of = of.and(span);
        Some(())
    }
}

fn date_field(name: &str) -> Option<DateField> {
    match name {
        "date_created" => Some(DateField::Created),
        "date_updated" => Some(DateField::Updated),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_an_order_are_read_and_nothing_else() {
        let text = r#"date_updated>="2026-06-19T12:00" date_updated<2026-06-20 sort:-date_created"#;
        let query = LeadQuery::read(text).unwrap();
        let expected = Span {
            from: Bound::Included(stamp::parse("2026-06-19T12:00:00Z").unwrap()),
            to: Bound::Excluded(stamp::parse("2026-06-20").unwrap()),
        };
        assert_eq!((query.updated, query.created), (expected, Span::ALL));
        assert!(matches!(query.order.by, OrderBy::Date(DateField::Created)));
        assert!(query.order.descending);
        let ascending = LeadQuery::read("sort:date_updated").unwrap();
        assert!(!ascending.order.descending);
        for other in [
            "Acme",
            "status:\"Potential\"",
            "date_won>2026",
            "sort:name",
            "date_updated>soon",
        ] {
            let refusal = LeadQuery::read(other);
            assert!(
                matches!(refusal, Err(Refusal::NotSimulated(400, _))),
                "{other}"
            );
        }
    }
}
