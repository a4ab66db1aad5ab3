//! `GET /lead/` and `GET /contact/`: the newest first, by offset, no filter by date.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::answer::Refusal;
use super::index::Group;
use super::record::{DateField, Kind, Record};
use super::tenant::Tenant;

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 200;
const MAX_SKIP: usize = 250_000;

/// Answers a list; parameters that Close does not know are ignored, as Close ignores them.
pub(super) fn list(
    tenant: &mut Tenant,
    kind: Kind,
    parameters: &HashMap<String, String>,
) -> Result<Value, Refusal> {
    if kind == Kind::Lead && parameters.contains_key("query") {
        let message = "the deprecated parameter query of /lead/".to_owned();
        return Err(Refusal::NotSimulated(400, message));
    }
    let limit = number(parameters, "_limit")?.unwrap_or(DEFAULT_LIMIT);
    let skip = number(parameters, "_skip")?.unwrap_or(0);
    if MAX_LIMIT < limit {
        return Err(Refusal::MaxLimit(MAX_LIMIT));
    }
    if MAX_SKIP < skip {
        return Err(Refusal::MaxSkip(MAX_SKIP));
    }
    let records = records(tenant, kind, parameters.get("lead_id"));
    let page = records.iter().skip(skip).take(limit);
    let data: Vec<_> = page
        .map(|record| trim(tenant.render(record), parameters))
        .collect();
    let mut answer = json!({ "data": data, "has_more": skip + limit < records.len() });
    if kind == Kind::Lead {
        answer["total_results"] = records.len().into();
    }
    Ok(answer)
}

/// One object.
pub(super) fn read(
    tenant: &Tenant,
    kind: Kind,
    id: &str,
    parameters: &HashMap<String, String>,
) -> Result<Value, Refusal> {
    let record = tenant
        .get(kind, id)
        .map_err(|_| Refusal::NotFound(kind.label()))?;
    Ok(trim(tenant.render(&record), parameters))
}

/// All objects in the list's order; leads are listed by the search index, contacts by the database.
fn records(tenant: &mut Tenant, kind: Kind, lead_id: Option<&String>) -> Vec<Arc<Record>> {
    if kind == Kind::Contact {
        let all = tenant.collection(kind).records.values();
        let of_lead =
            |record: &&Arc<Record>| lead_id.is_none() || record.lead_id.as_ref() == lead_id;
        let mut records: Vec<_> = all.filter(of_lead).cloned().collect();
        records.sort_by(|a, b| (b.date_created, &b.id).cmp(&(a.date_created, &a.id)));
        return records;
    }
    tenant.collection_mut(kind).index.catch_up();
    let index = &tenant.collection(kind).index;
    let newest_first = index.groups(DateField::Updated, ..).rev();
    newest_first.flat_map(Group::values).cloned().collect()
}

/// The fields that `_fields` names, or all.
fn trim(object: Map<String, Value>, parameters: &HashMap<String, String>) -> Value {
    let Some(fields) = parameters.get("_fields") else {
        return object.into();
    };
    let wanted: Vec<_> = fields.split(',').map(str::trim).collect();
    let kept = object
        .into_iter()
        .filter(|(name, _)| wanted.contains(&name.as_str()));
    kept.collect::<Map<_, _>>().into()
}

fn number(
    parameters: &HashMap<String, String>,
    name: &'static str,
) -> Result<Option<usize>, Refusal> {
    let Some(value) = parameters.get(name) else {
        return Ok(None);
    };
    let invalid = |_| Refusal::Field(name, "Not a valid integer.".to_owned());
    value.parse().map(Some).map_err(invalid)
}
