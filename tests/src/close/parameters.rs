//! Query parameters, read as Close reads them: what it does not know is ignored.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::answer::Refusal;
use super::custom_field;
use super::span::Span;

/// The parameters that bound one date: `__gt`, `__gte`, `__lt` and `__lte`.
pub(super) type DateParameters = [&'static str; 4];

/// The bounds of `date_updated`.
pub(super) const DATE_UPDATED: DateParameters = [
    "date_updated__gt",
    "date_updated__gte",
    "date_updated__lt",
    "date_updated__lte",
];

/// The bounds of `date_created`.
pub(super) const DATE_CREATED: DateParameters = [
    "date_created__gt",
    "date_created__gte",
    "date_created__lt",
    "date_created__lte",
];

/// What a request gives.
#[derive(Debug, Default)]
pub(super) struct Given {
    values: HashMap<String, String>,
    /// The names that were looked for, given or not: the parameters that the simulator knows here.
    read: RefCell<BTreeSet<String>>,
}

/// The parameters of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameters<'a>(pub(super) &'a Given);

impl Given {
    /// The values by name.
    pub(super) fn new(values: HashMap<String, String>) -> Self {
        Self {
            values,
            read: RefCell::default(),
        }
    }

    /// The names that were looked for.
    pub(super) fn into_read(self) -> BTreeSet<String> {
        self.read.into_inner()
    }
}

impl<'a> Parameters<'a> {
    /// The value of a parameter.
    pub(super) fn get(self, name: &str) -> Option<&'a str> {
        self.0.read.borrow_mut().insert(name.to_owned());
        self.0.values.get(name).map(String::as_str)
    }

    /// Refuses parameters that Close would heed and the simulator cannot.
    pub(super) fn refuse(self, names: &[&str]) -> Result<(), Refusal> {
        match names.iter().find(|name| self.get(name).is_some()) {
            Some(name) => Err(Refusal::NotSimulated(400, format!("the parameter {name}"))),
            None => Ok(()),
        }
    }

    /// Those of these parameters that are given.
    pub(super) fn all_of(self, names: &[&'static str]) -> Vec<(&'static str, &'a str)> {
        let given = names
            .iter()
            .filter_map(|name| Some((*name, self.get(name)?)));
        given.collect()
    }

    /// `_limit`, which is refused above `max`.
    pub(super) fn limit(self, default: usize, max: usize) -> Result<usize, Refusal> {
        match self.number("_limit")? {
            Some(limit) if max < limit => Err(Refusal::MaxLimit(max)),
            limit => Ok(limit.unwrap_or(default)),
        }
    }

    /// `_skip`, which is refused above `max`.
    pub(super) fn skip(self, max: usize) -> Result<usize, Refusal> {
        match self.number("_skip")? {
            Some(skip) if max < skip => Err(Refusal::MaxSkip(max)),
            skip => Ok(skip.unwrap_or(0)),
        }
    }

    /// The stretch that the bounds of a date leave.
    pub(super) fn span(self, names: DateParameters) -> Result<Span, Refusal> {
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
    pub(super) fn trim(self, object: Map<String, Value>) -> Value {
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
        moment(value).ok_or_else(invalid).map(Some)
    }
}

/// A time with a zone, one without, which is UTC, or a date, which is its midnight. The header `x-tz-offset`, which would
/// shift that midnight, is not simulated.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let naive = || {
        TimeZone::UTC
            .to_timestamp(text.parse::<DateTime>().ok()?)
            .ok()
    };
    text.parse().ok().or_else(naive)
}

/// Parameters, as tests write them.
#[cfg(test)]
pub(super) fn given(pairs: &[(&str, &str)]) -> Given {
    let pairs = pairs.iter();
    let pairs = pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Given::new(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_a_time_are_read_and_nothing_else() {
        let noon: Timestamp = "2026-06-19T12:00:00.5Z".parse().unwrap();
        for text in [
            "2026-06-19T12:00:00.500000+00:00",
            "2026-06-19T12:00:00.500000",
            "2026-06-19T14:00:00.5+02:00",
        ] {
            assert_eq!(moment(text), Some(noon), "{text}");
        }
        let midnight: Timestamp = "2026-06-19T00:00:00Z".parse().unwrap();
        assert_eq!(moment("2026-06-19"), Some(midnight));
        // A plus that was not encoded arrives as a blank.
        assert_eq!(moment("2026-06-19T12:00:00 00:00"), None);
        assert_eq!(moment("yesterday"), None);
    }

    #[test]
    fn bounds_are_combined_and_bad_ones_named() {
        let given = given(&[
            ("date_updated__gt", "2026-06-19"),
            ("date_updated__lte", "2026-06-20"),
        ]);
        let span = Parameters(&given).span(DATE_UPDATED).unwrap();
        assert!(!span.contains(moment("2026-06-19").unwrap()));
        assert!(span.contains(moment("2026-06-20").unwrap()));
        let given = super::given(&[("date_updated__lt", "soon")]);
        let refusal = Parameters(&given).span(DATE_UPDATED).unwrap_err();
        assert!(matches!(refusal, Refusal::Field("date_updated__lt", _)));
    }

    #[test]
    fn limits_and_skips_have_their_largest() {
        let given = given(&[("_limit", "51"), ("_skip", "x")]);
        let given = Parameters(&given);
        assert_eq!(given.limit(50, 50), Err(Refusal::MaxLimit(50)));
        assert!(matches!(given.skip(10), Err(Refusal::Field("_skip", _))));
        assert_eq!(Parameters(&Given::default()).limit(50, 50), Ok(50));
    }
}
