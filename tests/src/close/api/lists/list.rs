//! Reading one object, and `GET /lead/` and `GET /contact/`: the newest first, by offset, no parameter for a date.

use std::sync::Arc;

use serde_json::{Value, json};

use super::lead_query::LeadQuery;
use super::selection::Selection;
use crate::close::api::parameters::QueryParameters;
use crate::close::data::objects::record::{DateField, Family, Record};
use crate::close::data::tenant::Tenant;
use crate::close::data::time::span::Span;
use crate::close::settings::Settings;
use crate::close::wire::answer::Refusal;

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 200;

/// Answers `GET /lead/`; parameters that Close does not know are ignored, as Close ignores them.
pub(crate) fn leads(
    tenant: &mut Tenant,
    settings: &Settings,
    parameters: QueryParameters<'_>,
) -> Result<Value, Refusal> {
    let query = LeadQuery::read(parameters.get("query").unwrap_or_default())?;
    let limit = parameters.limit(DEFAULT_LIMIT, MAX_LIMIT)?;
    let skip = parameters.skip(settings.max_skip)?;
    // The search index has them, with its lag.
    let index = &mut tenant.collection_mut(Family::Lead).index;
    index.catch_up();
    let selection = Selection {
        created: query.created,
        updated: query.updated,
        accepts: Box::new(|_| true),
        order: query.order,
    };
    let found = selection.of(&index.by_date);
    let total = found.len();
    let page: Vec<_> = found.into_iter().skip(skip).take(limit).cloned().collect();
    Ok(json!({
        "data": render(tenant, &page, parameters),
        "has_more": skip + limit < total,
        "total_results": total,
    }))
}

/// Answers `GET /contact/`.
pub(crate) fn contacts(
    tenant: &Tenant,
    settings: &Settings,
    parameters: QueryParameters<'_>,
) -> Result<Value, Refusal> {
    let limit = parameters.limit(DEFAULT_LIMIT, MAX_LIMIT)?;
    let skip = parameters.skip(settings.max_skip)?;
    let lead_id = parameters.get("lead_id");
    let contacts = &tenant.collection(Family::Contact).by_date;
    let newest_first = contacts.within(DateField::Created, Span::ALL).rev();
    let wanted = newest_first.filter(|one| lead_id.is_none() || one.lead_id.as_deref() == lead_id);
    let mut page: Vec<_> = wanted.skip(skip).take(limit + 1).cloned().collect();
    let has_more = limit < page.len();
    page.truncate(limit);
    Ok(json!({ "data": render(tenant, &page, parameters), "has_more": has_more }))
}

fn render(tenant: &Tenant, page: &[Arc<Record>], parameters: QueryParameters<'_>) -> Vec<Value> {
    page.iter()
        .map(|record| parameters.trim(tenant.render(record)))
        .collect()
}

/// One object.
pub(crate) fn read(
    tenant: &Tenant,
    family: Family,
    id: &str,
    parameters: QueryParameters<'_>,
) -> Result<Value, Refusal> {
    let record = tenant
        .get(family, id)
        .map_err(|_| Refusal::NotFound(family.label()))?;
    Ok(parameters.trim(tenant.render(&record)))
}
