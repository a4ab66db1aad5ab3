//! What an organization is set up with, as far as clients read it along: users, custom fields, integration links.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::parameters::QueryParameters;
use crate::close::data::objects::custom_field::{self, CustomField};
use crate::close::data::tenant::Tenant;
use crate::close::data::time::stamp;
use crate::close::data::user::Owner;
use crate::close::settings::Settings;
use crate::close::wire::answer::Refusal;
use crate::close::world::account::Account;

/// The lists of custom fields. That of `custom_fields` is a former path, which clients of that time ask still.
const CUSTOM_FIELDS: [&str; 7] = [
    "custom_field/activity",
    "custom_field/contact",
    "custom_field/custom_object_type",
    "custom_field/lead",
    "custom_field/opportunity",
    "custom_field/shared",
    "custom_fields/lead",
];

/// Those of them that come as a whole.
const UNPAGED: [&str; 2] = ["custom_field/custom_object_type", "custom_field/shared"];

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 200;

/// The list of custom fields that has this path.
pub(crate) fn custom_fields_path(path: &str) -> Option<&'static str> {
    CUSTOM_FIELDS.into_iter().find(|one| *one == path)
}

/// `GET /me/`: the user that the key belongs to.
pub(crate) fn me(tenant: &Tenant, caller: &Owner) -> Value {
    let identity = &tenant.identity;
    let organization =
        json!({ "id": identity.organization_id, "name": identity.organization_name });
    user(tenant, &caller.id, &organization)
}

/// `GET /user/`: those who have API keys.
pub(crate) fn users(
    account: &Account,
    settings: &Settings,
    parameters: QueryParameters<'_>,
) -> Result<Value, Refusal> {
    let organization = json!(account.data.identity.organization_id);
    let users = user_ids(account)
        .into_iter()
        .map(|id| user(&account.data, id, &organization));
    page(users.collect(), settings, parameters)
}

/// `GET /user/{id}/`
pub(crate) fn read_user(account: &Account, id: &str) -> Result<Value, Refusal> {
    if !user_ids(account).contains(id) {
        return Err(Refusal::NotFound("User"));
    }
    let data = &account.data;
    Ok(user(data, id, &json!(data.identity.organization_id)))
}

fn user_ids(account: &Account) -> BTreeSet<&str> {
    let keys = account.keys.iter();
    keys.map(|key| key.owner.id.as_str()).collect()
}

/// All users have one name and one address.
fn user(tenant: &Tenant, id: &str, organization: &Value) -> Value {
    let name = &tenant.identity.user_name;
    let (first_name, last_name) = name.split_once(' ').unwrap_or((name, ""));
    json!({
        "date_created": stamp::zoned(tenant.date_created),
        "date_updated": stamp::zoned(tenant.date_created),
        "email": "sample.user@example.com",
        "first_name": first_name,
        "id": id,
        "image": null,
        "last_name": last_name,
        "organizations": [organization],
    })
}

/// A list of custom fields. Those of activities and custom objects, and shared ones, are not simulated: there are none.
pub(crate) fn custom_fields(
    tenant: &Tenant,
    path: &str,
    settings: &Settings,
    parameters: QueryParameters<'_>,
) -> Result<Value, Refusal> {
    if UNPAGED.contains(&path) {
        return Ok(json!({ "data": [], "has_more": false }));
    }
    let fields = existing(tenant, path).map(|field| custom_field(tenant, field));
    page(fields.collect(), settings, parameters)
}

/// One of the list's custom fields.
pub(crate) fn read_custom_field(tenant: &Tenant, path: &str, id: &str) -> Result<Value, Refusal> {
    let found = existing(tenant, path).find(|field| field.id == id);
    found
        .map(|field| custom_field(tenant, field))
        .ok_or(Refusal::NotFound("Custom field"))
}

fn existing<'a>(tenant: &'a Tenant, path: &str) -> impl Iterator<Item = &'a CustomField> {
    let (_, of) = path.split_once('/').unwrap_or_default();
    let fields = custom_field::family(of).map(|family| &tenant.collection(family).custom_fields);
    let fields = fields.into_iter().flatten();
    fields.filter(|field| !field.is_deleted)
}

/// Its dates are the organization's: nothing depends on them.
fn custom_field(tenant: &Tenant, field: &CustomField) -> Value {
    let identity = &tenant.identity;
    json!({
        "accepts_multiple_values": field.accepts_multiple_values,
        "created_by": identity.user_id,
        "date_created": stamp::zoned(tenant.date_created),
        "date_updated": stamp::zoned(tenant.date_created),
        "description": null,
        "editable_with_roles": [],
        "id": field.id,
        "is_shared": false,
        "name": field.name,
        "organization_id": identity.organization_id,
        "type": field.of_type,
        "updated_by": identity.user_id,
    })
}

/// `GET /integration_link/`: the organization has none.
pub(crate) fn integration_links() -> Value {
    json!({ "data": [], "has_more": false })
}

fn page(
    all: Vec<Value>,
    settings: &Settings,
    parameters: QueryParameters<'_>,
) -> Result<Value, Refusal> {
    let limit = parameters.limit(DEFAULT_LIMIT, MAX_LIMIT)?;
    let skip = parameters.skip(settings.max_skip)?;
    let total = all.len();
    let data: Vec<_> = all.into_iter().skip(skip).take(limit).collect();
    Ok(json!({
        "data": data,
        "has_more": skip + limit < total,
        "total_results": total,
    }))
}
