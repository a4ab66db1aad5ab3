//! What comes of changes: stamps, events and what is refused.

use serde_json::json;

use super::*;

fn moment() -> Moment {
    Moment::new("2026-06-19T12:00:00.500Z".parse().unwrap())
}

/// The log as `type.action`.
fn events(tenant: &Tenant) -> Vec<String> {
    let entries = tenant.log.entries.iter();
    entries
        .map(|entry| format!("{}.{}", entry.object_type, entry.action))
        .collect()
}

fn tenant_with_lead() -> (Tenant, Arc<str>) {
    let mut tenant = Tenant::new("Acme", Timestamp::UNIX_EPOCH);
    let fields = json!({ "name": "Acme Corp", "contacts": [{ "name": "Alice" }] });
    let lead = tenant.create_lead(fields, &moment()).unwrap();
    (tenant, lead)
}

#[test]
fn editing_a_contact_stamps_its_lead_without_an_event() {
    let (mut tenant, lead) = tenant_with_lead();
    let contact = tenant.children_of(&lead, Family::Contact)[0].id.clone();
    let date = tenant
        .edit(
            Family::Contact,
            &contact,
            json!({ "title": "CEO" }),
            &moment(),
        )
        .unwrap();
    assert_eq!(
        tenant.get(Family::Lead, &lead).unwrap().date_updated,
        date + LEAD_LAG
    );
    assert_eq!(
        events(&tenant),
        ["lead.created", "contact.created", "contact.updated"]
    );
}

#[test]
fn an_edit_of_nothing_moves_nothing_and_every_other_moves_the_date() {
    let (mut tenant, lead) = tenant_with_lead();
    let edit = |tenant: &mut Tenant, name: &str| {
        tenant
            .edit(Family::Lead, &lead, json!({ "name": name }), &moment())
            .unwrap()
    };
    assert_eq!(edit(&mut tenant, "Acme Corp"), moment().now);
    let first = edit(&mut tenant, "Acme");
    assert!(moment().now < first && first < edit(&mut tenant, "Acme Holding"));
}

#[test]
fn a_deleted_lead_takes_its_contacts_with_it() {
    let (mut tenant, lead) = tenant_with_lead();
    tenant.delete(Family::Lead, &lead, &moment()).unwrap();
    assert_eq!(events(&tenant)[2..], ["lead.deleted", "contact.deleted"]);
    assert!(tenant.collection(Family::Contact).records.is_empty());
}

#[test]
fn a_merge_moves_the_contacts_and_deletes_the_source() {
    let (mut tenant, source) = tenant_with_lead();
    let destination = tenant
        .create_lead(json!({ "name": "Acme Holding" }), &moment())
        .unwrap();
    tenant.merge(&source, &destination, &moment()).unwrap();
    let destination = tenant.get(Family::Lead, &destination).unwrap();
    assert_eq!(tenant.render(&destination)["contacts"][0]["name"], "Alice");
    assert!(tenant.get(Family::Lead, &source).is_err());
    assert_eq!(
        events(&tenant)[3..],
        ["contact.updated", "lead.deleted", "lead.merged"]
    );
}

#[test]
fn what_close_sets_itself_cannot_be_set() {
    let (mut tenant, lead) = tenant_with_lead();
    let mut edit = |patch| tenant.edit(Family::Lead, &lead, patch, &moment());
    assert!(edit(json!({ "id": "lead_1" })).is_err());
    assert!(edit(json!({ "status_id": "stat_unknown" })).is_err());
    assert!(edit(json!({ "custom.cf_1": "nobody defined it" })).is_err());
}
