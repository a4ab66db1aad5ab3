//! `GET /lead/` and `GET /contact/`: the newest first, by offset, no filter by date.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::Refusal;
use super::parameters::Parameters;
use super::record::{DateField, Kind, Record};
use super::settings::Settings;
use super::span::Span;
use super::tenant::Tenant;

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 200;

/// Answers a list; parameters that Close does not know are ignored, as Close ignores them.
pub(super) fn list(
    tenant: &mut Tenant,
    kind: Kind,
    settings: &Settings,
    parameters: Parameters<'_>,
) -> Result<Value, Refusal> {
    if kind == Kind::Lead && parameters.get("query").is_some() {
        let message = "the deprecated parameter query of /lead/".to_owned();
        return Err(Refusal::NotSimulated(400, message));
    }
    let limit = parameters.limit(DEFAULT_LIMIT, MAX_LIMIT)?;
    let skip = parameters.skip(settings.max_skip)?;
    let (page, total) = if kind == Kind::Lead {
        leads(tenant, skip, limit)
    } else {
        contacts(tenant, parameters.get("lead_id"), skip, limit)
    };
    let data = page
        .iter()
        .map(|record| parameters.trim(tenant.render(record)));
    let data: Vec<_> = data.collect();
    let mut answer = json!({ "data": data, "has_more": skip + limit < total });
    if kind == Kind::Lead {
        answer["total_results"] = total.into();
    }
    Ok(answer)
}

/// One object.
pub(super) fn read(
    tenant: &Tenant,
    kind: Kind,
    id: &str,
    parameters: Parameters<'_>,
) -> Result<Value, Refusal> {
    let record = tenant
        .get(kind, id)
        .map_err(|_| Refusal::NotFound(kind.label()))?;
    Ok(parameters.trim(tenant.render(&record)))
}

/// A page of the leads and how many there are, as the search index has them.
fn leads(tenant: &mut Tenant, skip: usize, limit: usize) -> (Vec<Arc<Record>>, usize) {
    let index = &mut tenant.collection_mut(Kind::Lead).index;
    index.catch_up();
    let newest_first = index.by_date.within(DateField::Updated, Span::ALL).rev();
    let page = newest_first.skip(skip).take(limit).cloned();
    (page.collect(), index.by_date.len())
}

/// A page of the contacts and how many there are, as the database has them.
fn contacts(
    tenant: &Tenant,
    lead_id: Option<&str>,
    skip: usize,
    limit: usize,
) -> (Vec<Arc<Record>>, usize) {
    let by_date = &tenant.collection(Kind::Contact).by_date;
    let newest_first = || by_date.within(DateField::Created, Span::ALL).rev();
    let Some(lead_id) = lead_id else {
        let page = newest_first().skip(skip).take(limit).cloned();
        return (page.collect(), by_date.len());
    };
    let of_lead = |record: &&Arc<Record>| record.lead_id.as_deref() == Some(lead_id);
    let page = newest_first().filter(of_lead).skip(skip).take(limit);
    (
        page.cloned().collect(),
        newest_first().filter(of_lead).count(),
    )
}
