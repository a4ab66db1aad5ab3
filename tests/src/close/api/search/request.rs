//! The body of `POST /data/search/`, parsed strictly where Close evaluates it and ignored where Close ignores it.

use std::ops::Bound;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::close::data::objects::record::{DateField, ObjectKind};
use crate::close::data::time::span::Span;
use crate::close::wire::answer::Refusal;

/// A search that the simulator can evaluate.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SearchRequest {
    pub(crate) kind: ObjectKind,
    pub(crate) ranges: Vec<DateRange>,
    pub(crate) sort: Vec<SortKey>,
    /// `None` when `_fields` names nothing for this kind: only ids are returned.
    pub(crate) fields: Option<Vec<String>>,
    pub(crate) limit: usize,
    pub(crate) results_limit: Option<usize>,
    pub(crate) include_counts: bool,
    pub(crate) cursor: Option<String>,
}

/// A `moment_range` on one of the dates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DateRange {
    pub(crate) field: DateField,
    pub(crate) span: Span,
}

/// One key of the order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SortKey {
    pub(crate) field: DateField,
    pub(crate) descending: bool,
}

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 200;
/// About 90 selectors are known to work and 140 to be refused; what is between is better not tried.
const MAX_FIELDS: usize = 100;

impl SearchRequest {
    /// Parses a body; keys that Close does not know, and `_skip`, are ignored as Close ignores them.
    pub(crate) fn parse(body: &str) -> Result<Self, Refusal> {
        let body: Map<String, Value> = serde_json::from_str(body)
            .map_err(|_| Refusal::Invalid("The request body is not a JSON object.".to_owned()))?;
        let query = body.get("query").ok_or_else(|| required("query"))?;
        let mut conditions = Conditions::default();
        conditions.read(query)?;
        let kind = conditions
            .kind
            .ok_or_else(|| unknown("a query without object_type", query))?;
        Ok(Self {
            kind,
            ranges: conditions.ranges(kind)?,
            sort: sort(body.get("sort"), kind)?,
            fields: fields(body.get("_fields"), kind)?,
            limit: limit(body.get("_limit"))?,
            results_limit: count(body.get("results_limit"), "results_limit")?,
            include_counts: body.get("include_counts") == Some(&Value::Bool(true)),
            cursor: cursor(body.get("cursor"))?,
        })
    }
}

/// The leaves of a query tree.
#[derive(Debug, Default)]
struct Conditions {
    kind: Option<ObjectKind>,
    ranges: Vec<(ObjectKind, DateRange)>,
}

impl Conditions {
    fn read(&mut self, query: &Value) -> Result<(), Refusal> {
        if query.get("negate").is_some_and(|negate| negate != false) {
            return Err(unknown("negate", query));
        }
        match text(query, "type") {
            "and" => {
                let queries = query.get("queries").and_then(Value::as_array);
                let queries = queries.ok_or_else(|| required("queries"))?;
                queries.iter().try_for_each(|query| self.read(query))
            }
            "object_type" => self.read_kind(query),
            "field_condition" => self.read_condition(query),
            _ => Err(unknown("this type of query", query)),
        }
    }

    fn read_kind(&mut self, query: &Value) -> Result<(), Refusal> {
        let kind = ObjectKind::searched_as(text(query, "object_type"));
        let kind = kind.ok_or_else(|| unknown("this object_type", query))?;
        match self.kind.replace(kind) {
            Some(other) if other != kind => Err(unknown("two object_types", query)),
            _ => Ok(()),
        }
    }

    fn read_condition(&mut self, query: &Value) -> Result<(), Refusal> {
        let (kind, field) = date_field(&query["field"])?;
        let condition = &query["condition"];
        if text(condition, "type") != "moment_range" {
            return Err(unknown("this condition", condition));
        }
        let mut range = DateRange {
            field,
            span: Span::ALL,
        };
        for (key, moment) in condition.as_object().into_iter().flatten() {
            match key.as_str() {
                "type" => {}
                _ if moment.is_null() => {}
                "on_or_after" => range.span.from = Bound::Included(fixed_utc(moment)?),
                "after" => range.span.from = Bound::Excluded(fixed_utc(moment)?),
                "before" => range.span.to = Bound::Excluded(fixed_utc(moment)?),
                "on_or_before" => range.span.to = Bound::Included(fixed_utc(moment)?),
                _ => return Err(unknown("this key of a moment_range", condition)),
            }
        }
        self.ranges.push((kind, range));
        Ok(())
    }

    fn ranges(&self, kind: ObjectKind) -> Result<Vec<DateRange>, Refusal> {
        let one = |(of, range): &(ObjectKind, DateRange)| {
            (*of == kind).then_some(*range).ok_or_else(|| {
                let message = "a condition on a field of another object type";
                Refusal::NotSimulated(400, message.to_owned())
            })
        };
        self.ranges.iter().map(one).collect()
    }
}

/// `date_created` or `date_updated` of a kind.
fn date_field(field: &Value) -> Result<(ObjectKind, DateField), Refusal> {
    let date = match (text(field, "type"), text(field, "field_name")) {
        ("regular_field", "date_created") => DateField::Created,
        ("regular_field", "date_updated") => DateField::Updated,
        _ => return Err(unknown("this field", field)),
    };
    let kind = ObjectKind::searched_as(text(field, "object_type"));
    Ok((
        kind.ok_or_else(|| unknown("this object_type", field))?,
        date,
    ))
}

fn fixed_utc(moment: &Value) -> Result<Timestamp, Refusal> {
    if text(moment, "type") != "fixed_utc" {
        return Err(unknown("this moment", moment));
    }
    let value = text(moment, "value");
    value
        .parse()
        .map_err(|_| Refusal::Field("query", format!("\"{value}\" is not a valid datetime.")))
}

fn sort(sort: Option<&Value>, kind: ObjectKind) -> Result<Vec<SortKey>, Refusal> {
    let keys = match sort {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(keys)) => keys,
        Some(other) => return Err(unknown("a sort that is no list", other)),
    };
    let parse = |key: &Value| {
        let descending = match text(key, "direction") {
            "asc" => false,
            "desc" => true,
            _ => return Err(unknown("this direction", key)),
        };
        match date_field(&key["field"])? {
            (of, field) if of == kind => Ok(SortKey { field, descending }),
            _ => Err(unknown("a sort by another object type", key)),
        }
    };
    keys.iter().map(parse).collect()
}

fn fields(fields: Option<&Value>, kind: ObjectKind) -> Result<Option<Vec<String>>, Refusal> {
    let malformed = || {
        Refusal::Field(
            "_fields",
            "Not a mapping of object types to lists of fields.".to_owned(),
        )
    };
    let by_kind = match fields {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(by_kind)) => by_kind,
        Some(_) => return Err(malformed()),
    };
    let Some(selectors) = by_kind.get(kind.object_type()) else {
        return Ok(None);
    };
    let selectors = selectors.as_array().ok_or_else(malformed)?;
    if MAX_FIELDS < selectors.len() {
        return Err(Refusal::Field("_fields", "Too many fields.".to_owned()));
    }
    let names = selectors
        .iter()
        .map(|name| name.as_str().map(str::to_owned));
    names.collect::<Option<_>>().ok_or_else(malformed).map(Some)
}

fn limit(limit: Option<&Value>) -> Result<usize, Refusal> {
    match count(limit, "_limit")? {
        None => Ok(DEFAULT_LIMIT),
        Some(limit) if MAX_LIMIT < limit => Err(Refusal::MaxLimit(MAX_LIMIT)),
        Some(limit) => Ok(limit),
    }
}

/// A positive whole number, or nothing.
fn count(value: Option<&Value>, name: &'static str) -> Result<Option<usize>, Refusal> {
    let value = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value,
    };
    let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
    match count {
        Some(count) if 0 < count => Ok(Some(count)),
        _ => Err(Refusal::Field(name, "Not a positive integer.".to_owned())),
    }
}

fn cursor(cursor: Option<&Value>) -> Result<Option<String>, Refusal> {
    match cursor {
        None => Ok(None),
        Some(Value::String(cursor)) => Ok(Some(cursor.clone())),
        // No client sends it, so nobody knows what Close does with it.
        Some(Value::Null) => Err(unknown("a cursor that is null", &Value::Null)),
        Some(_) => Err(Refusal::Field("cursor", "Invalid cursor.".to_owned())),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn required(field: &'static str) -> Refusal {
    Refusal::Field(field, "This field is required.".to_owned())
}

fn unknown(what: &str, value: &Value) -> Refusal {
    Refusal::NotSimulated(400, format!("{what}: {value}"))
}
