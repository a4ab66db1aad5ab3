//! Query parameters, read as Close reads them: what it does not know is ignored.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::close::data::objects::custom_field;
use crate::close::data::time::span::Span;
use crate::close::data::time::stamp;
use crate::close::wire::answer::Refusal;

/// The parameters that bound one date: `__gt`, `__gte`, `__lt` and `__lte`.
pub(crate) type DateParameters = [&'static str; 4];

/// The bounds of `date_updated`.
pub(crate) const DATE_UPDATED: DateParameters = [
    "date_updated__gt",
    "date_updated__gte",
    "date_updated__lt",
    "date_updated__lte",
];

/// The bounds of `date_created`.
pub(crate) const DATE_CREATED: DateParameters = [
    "date_created__gt",
    "date_created__gte",
    "date_created__lt",
    "date_created__lte",
];

/// What a request gives.
#[derive(Debug, Default)]
pub(crate) struct Given {
    values: HashMap<String, String>,
    /// The names that were looked for, given or not: the parameters that the simulator knows here.
    read: RefCell<BTreeSet<String>>,
}

/// The parameters of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueryParameters<'a>(pub(crate) &'a Given);

impl Given {
    /// The values by name.
    pub(crate) fn new(values: HashMap<String, String>) -> Self {
        Self {
            values,
            read: RefCell::default(),
        }
    }

    /// The names that were looked for.
    pub(crate) fn into_read(self) -> BTreeSet<String> {
        self.read.into_inner()
    }
}

impl<'a> QueryParameters<'a> {
    /// The value of a parameter.
    pub(crate) fn get(self, name: &str) -> Option<&'a str> {
        self.0.read.borrow_mut().insert(name.to_owned());
        self.0.values.get(name).map(String::as_str)
    }

    /// Refuses parameters that Close would heed and the simulator cannot.
    pub(crate) fn refuse(self, names: &[&str]) -> Result<(), Refusal> {
        match names.iter().find(|name| self.get(name).is_some()) {
            Some(name) => Err(Refusal::NotSimulated(400, format!("the parameter {name}"))),
            None => Ok(()),
        }
    }

    /// Those of these parameters that are given.
    pub(crate) fn all_of(self, names: &[&'static str]) -> Vec<(&'static str, &'a str)> {
        let given = names
            .iter()
            .filter_map(|name| Some((*name, self.get(name)?)));
        given.collect()
    }

    /// `_limit`, which is refused above `max`.
    pub(crate) fn limit(self, default: usize, max: usize) -> Result<usize, Refusal> {
        match self.number("_limit")? {
            Some(limit) if max < limit => Err(Refusal::MaxLimit(max)),
            limit => Ok(limit.unwrap_or(default)),
        }
    }

    /// `_skip`, which is refused above `max`.
    pub(crate) fn skip(self, max: usize) -> Result<usize, Refusal> {
        match self.number("_skip")? {
            Some(skip) if max < skip => Err(Refusal::MaxSkip(max)),
            skip => Ok(skip.unwrap_or(0)),
        }
    }

    /// The stretch that the bounds of a date leave.
    pub(crate) fn span(self, names: DateParameters) -> Result<Span, Refusal> {
        let [gt, gte, lt, lte] = names;
        let bound = |name, bound: fn(Timestamp) -> Bound<Timestamp>| {
            Ok::<_, Refusal>(self.moment(name)?.map_or(Bound::Unbounded, bound))
        };
        let inclusive = Span {
            from: bound(gte, Bound::Included)?,
            to: bound(lte, Bound::Included)?,
        };
        let exclusive = Span {
            from: bound(gt, Bound::Excluded)?,
            to: bound(lt, Bound::Excluded)?,
        };
        Ok(inclusive.and(exclusive))
    }

    /// The fields that `_fields` names, or all. `custom` stands for the keys of all custom fields as well.
    pub(crate) fn trim(self, object: Map<String, Value>) -> Value {
        let Some(fields) = self.get("_fields") else {
            return object.into();
        };
        let wanted: Vec<_> = fields.split(',').map(str::trim).collect();
        let is_wanted = |name: &str| {
            let is_custom = name.starts_with(custom_field::PREFIX);
            wanted.contains(&name) || is_custom && wanted.contains(&"custom")
        };
        let kept = object.into_iter().filter(|(name, _)| is_wanted(name));
        kept.collect::<Map<_, _>>().into()
    }

    fn number(self, name: &'static str) -> Result<Option<usize>, Refusal> {
        let invalid = |_| Refusal::Field(name, "Not a valid integer.".to_owned());
        let value = self.get(name).map(str::parse).transpose();
        value.map_err(invalid)
    }

    fn moment(self, name: &'static str) -> Result<Option<Timestamp>, Refusal> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let invalid = || {
            Refusal::Field(
                name,
                format!("\"{value}\" is not a valid date or datetime."),
            )
        };
        stamp::parse(value).ok_or_else(invalid).map(Some)
    }
}

/// Parameters, as tests write them.
#[cfg(test)]
pub(crate) fn given(pairs: &[(&str, &str)]) -> Given {
    let pairs = pairs.iter();
    let pairs = pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Given::new(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_combined_and_bad_ones_named() {
        let given = given(&[
            ("date_updated__gt", "2026-06-19"),
            ("date_updated__lte", "2026-06-20"),
        ]);
        let span = QueryParameters(&given).span(DATE_UPDATED).unwrap();
        assert!(!span.contains(stamp::parse("2026-06-19").unwrap()));
        assert!(span.contains(stamp::parse("2026-06-20").unwrap()));
        let given = super::given(&[("date_updated__lt", "soon")]);
        let refusal = QueryParameters(&given).span(DATE_UPDATED).unwrap_err();
        assert!(matches!(refusal, Refusal::Field("date_updated__lt", _)));
    }

    #[test]
    fn limits_and_skips_have_their_largest() {
        let given = given(&[("_limit", "51"), ("_skip", "x")]);
        let given = QueryParameters(&given);
        assert_eq!(given.limit(50, 50), Err(Refusal::MaxLimit(50)));
        assert!(matches!(given.skip(10), Err(Refusal::Field("_skip", _))));
        assert_eq!(QueryParameters(&Given::default()).limit(50, 50), Ok(50));
    }
}
