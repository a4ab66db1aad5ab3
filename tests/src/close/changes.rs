//! What happens to objects, with everything that Close does along with it: stamps, events, the search index.

use std::sync::Arc;

use anyhow::{bail, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::ids;
use super::record::{Kind, Record};
use super::shape;
use super::tenant::{Moment, Tenant};
use super::versions::Step;

/// How much later than the contact its lead is stamped, as seen in recordings.
const LEAD_LAG: SignedDuration = SignedDuration::from_millis(14);
/// The finest step of an object's dates.
const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);
/// Fields that no change may set: Close sets them, or they are objects of their own.
const READ_ONLY: [&str; 11] = [
    "contacts",
    "date_created",
    "date_updated",
    "display_name",
    "html_url",
    "id",
    "lead_id",
    "opportunities",
    "organization_id",
    "status_label",
    "tasks",
];

impl Tenant {
    /// Creates a lead with the contacts listed in its `contacts`, and returns its id.
    pub(super) fn create_lead(
        &mut self,
        fields: Value,
        moment: &Moment,
    ) -> anyhow::Result<Arc<str>> {
        let mut fields = object(fields)?;
        let contacts = match fields.remove("contacts") {
            Some(Value::Array(contacts)) => contacts,
            Some(other) => bail!("contacts must be a list, not {other}"),
            None => Vec::new(),
        };
        let id = self.insert(Kind::Lead, None, fields, moment)?;
        for contact in contacts {
            self.insert(
                Kind::Contact,
                Some(Arc::clone(&id)),
                object(contact)?,
                moment,
            )?;
        }
        Ok(id)
    }

    /// Adds a contact to a lead, which is an update of the lead as well, and returns its id.
    pub(super) fn create_contact(
        &mut self,
        lead_id: &str,
        fields: Value,
        moment: &Moment,
    ) -> anyhow::Result<Arc<str>> {
        let lead = self.get(Kind::Lead, lead_id)?;
        let lead = Some(Arc::clone(&lead.id));
        let id = self.insert(Kind::Contact, lead, object(fields)?, moment)?;
        let date = self.get(Kind::Contact, &id)?.date_updated;
        self.touch_lead(lead_id, date, moment, true)?;
        Ok(id)
    }

    /// Changes fields of an object and returns its `date_updated`; a change of nothing does not move it.
    pub(super) fn edit(
        &mut self,
        kind: Kind,
        id: &str,
        patch: Value,
        moment: &Moment,
    ) -> anyhow::Result<Timestamp> {
        let before = self.get(kind, id)?;
        let patch = object(patch)?;
        check_fields(&patch)?;
        let mut after = Record::clone(&before);
        after.fields.extend(patch);
        if shape::bare(&after, &self.identity) == shape::bare(&before, &self.identity)
            && moment.date_updated.is_none()
        {
            return Ok(before.date_updated);
        }
        after.date_created = moment.date_created.unwrap_or(before.date_created);
        after.date_updated = moment
            .date_updated
            .unwrap_or(later(moment.now, before.date_updated));
        let date = after.date_updated;
        self.replace(&before, after, moment);
        if let Some(lead_id) = before.lead_id.as_deref() {
            self.touch_lead(lead_id, date, moment, false)?;
        }
        Ok(date)
    }

    /// Deletes an object: a contact is an update of its lead as well, a lead takes its contacts with it.
    pub(super) fn delete(&mut self, kind: Kind, id: &str, moment: &Moment) -> anyhow::Result<()> {
        let record = self.get(kind, id)?;
        let path = format!("/api/v1/{}/{id}/", kind.name());
        let meta = json!({ "request_method": "DELETE", "request_path": path });
        self.remove(&record, meta.clone(), moment);
        if let Some(lead_id) = record.lead_id.as_deref() {
            let date = moment.date_updated.unwrap_or(moment.now);
            return self.touch_lead(lead_id, date, moment, true);
        }
        for contact in self.contacts_of(id) {
            self.remove(&contact, meta.clone(), moment);
        }
        self.contacts_of.remove(id);
        Ok(())
    }

    /// Merges a lead into another: its contacts move, it disappears, the destination is updated and `merged`.
    pub(super) fn merge(
        &mut self,
        source: &str,
        destination: &str,
        moment: &Moment,
    ) -> anyhow::Result<()> {
        ensure!(source != destination, "a lead cannot be merged into itself");
        let source = self.get(Kind::Lead, source)?;
        let before = self.get(Kind::Lead, destination)?;
        for contact in self.contacts_of.remove(&source.id).unwrap_or_default() {
            self.move_contact(&contact, &before.id, moment)?;
        }
        let meta = json!({
            "request_method": "POST",
            "request_path": "/api/v1/lead/merge/",
            "merge_source_lead_id": *source.id,
            "merge_destination_lead_id": destination,
        });
        let mut after = Record::clone(&before);
        after.date_updated = moment
            .date_updated
            .unwrap_or(later(moment.now, before.date_updated));
        let date = after.date_updated;
        let after = self.put(after, moment);
        self.remove(&source, meta.clone(), moment);
        self.log(
            Step {
                action: "merged",
                date,
                before: None,
                after: Some(&after),
                meta,
            },
            moment,
        );
        Ok(())
    }

    fn insert(
        &mut self,
        kind: Kind,
        lead_id: Option<Arc<str>>,
        fields: Map<String, Value>,
        moment: &Moment,
    ) -> anyhow::Result<Arc<str>> {
        check_fields(&fields)?;
        let date_created = moment
            .date_created
            .or(moment.date_updated)
            .unwrap_or(moment.now);
        let id: Arc<str> = ids::object(kind.prefix()).into();
        if let Some(lead_id) = &lead_id {
            self.contacts_of
                .entry(Arc::clone(lead_id))
                .or_default()
                .push(Arc::clone(&id));
        }
        let record = self.put(
            Record {
                version: 0,
                tie: ids::scatter(self.version),
                kind,
                id: Arc::clone(&id),
                lead_id,
                date_created,
                date_updated: moment.date_updated.unwrap_or(date_created),
                fields,
            },
            moment,
        );
        let meta = json!({ "request_method": "POST", "request_path": format!("/api/v1/{}/", kind.name()) });
        let date = record.date_updated;
        self.log(
            Step {
                action: "created",
                date,
                before: None,
                after: Some(&record),
                meta,
            },
            moment,
        );
        Ok(id)
    }

    /// Stamps a lead for what happened to a contact; only adding and removing one is an event of the lead.
    fn touch_lead(
        &mut self,
        lead_id: &str,
        contact_date: Timestamp,
        moment: &Moment,
        event: bool,
    ) -> anyhow::Result<()> {
        let before = self.get(Kind::Lead, lead_id)?;
        let mut after = Record::clone(&before);
        after.date_updated = before.date_updated.max(contact_date + LEAD_LAG);
        let quiet = moment.quiet || !event;
        let moment = Moment {
            quiet,
            ..moment.clone()
        };
        self.replace(&before, after, &moment);
        Ok(())
    }

    fn move_contact(
        &mut self,
        id: &Arc<str>,
        lead_id: &Arc<str>,
        moment: &Moment,
    ) -> anyhow::Result<()> {
        let before = self.get(Kind::Contact, id)?;
        let mut after = Record::clone(&before);
        after.lead_id = Some(Arc::clone(lead_id));
        after.date_updated = moment
            .date_updated
            .unwrap_or(later(moment.now, before.date_updated));
        self.contacts_of
            .entry(Arc::clone(lead_id))
            .or_default()
            .push(Arc::clone(id));
        self.replace(&before, after, moment);
        Ok(())
    }
}

/// `now`, but always after the previous stamp of the same object.
fn later(now: Timestamp, previous: Timestamp) -> Timestamp {
    now.max(previous + MILLISECOND)
}

fn object(value: Value) -> anyhow::Result<Map<String, Value>> {
    match value {
        Value::Object(map) => Ok(map),
        other => bail!("an object's fields must be a JSON object, not {other}"),
    }
}

fn check_fields(fields: &Map<String, Value>) -> anyhow::Result<()> {
    for field in READ_ONLY {
        ensure!(!fields.contains_key(field), "{field} cannot be set");
    }
    if let Some(status) = fields.get("status_id") {
        let known = status.as_str().and_then(shape::status_label).is_some();
        ensure!(known, "{status} is not a lead status");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
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
        let mut tenant = Tenant::new("Acme", "key", Timestamp::UNIX_EPOCH);
        let fields = json!({ "name": "Acme Corp", "contacts": [{ "name": "Alice" }] });
        let lead = tenant.create_lead(fields, &moment()).unwrap();
        (tenant, lead)
    }

    #[test]
    fn editing_a_contact_stamps_its_lead_without_an_event() {
        let (mut tenant, lead) = tenant_with_lead();
        let contact = tenant.contacts_of(&lead)[0].id.clone();
        let date = tenant
            .edit(
                Kind::Contact,
                &contact,
                json!({ "title": "CEO" }),
                &moment(),
            )
            .unwrap();
        assert_eq!(
            tenant.get(Kind::Lead, &lead).unwrap().date_updated,
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
                .edit(Kind::Lead, &lead, json!({ "name": name }), &moment())
                .unwrap()
        };
        assert_eq!(edit(&mut tenant, "Acme Corp"), moment().now);
        let first = edit(&mut tenant, "Acme");
        assert!(moment().now < first && first < edit(&mut tenant, "Acme Holding"));
    }

    #[test]
    fn a_deleted_lead_takes_its_contacts_with_it() {
        let (mut tenant, lead) = tenant_with_lead();
        tenant.delete(Kind::Lead, &lead, &moment()).unwrap();
        assert_eq!(events(&tenant)[2..], ["lead.deleted", "contact.deleted"]);
        assert!(tenant.collection(Kind::Contact).records.is_empty());
    }

    #[test]
    fn a_merge_moves_the_contacts_and_deletes_the_source() {
        let (mut tenant, source) = tenant_with_lead();
        let destination = tenant
            .create_lead(json!({ "name": "Acme Holding" }), &moment())
            .unwrap();
        tenant.merge(&source, &destination, &moment()).unwrap();
        let destination = tenant.get(Kind::Lead, &destination).unwrap();
        assert_eq!(tenant.render(&destination)["contacts"][0]["name"], "Alice");
        assert!(tenant.get(Kind::Lead, &source).is_err());
        assert_eq!(
            events(&tenant)[3..],
            ["contact.updated", "lead.deleted", "lead.merged"]
        );
    }

    #[test]
    fn what_close_sets_itself_cannot_be_set() {
        let (mut tenant, lead) = tenant_with_lead();
        let mut edit = |patch| tenant.edit(Kind::Lead, &lead, patch, &moment());
        assert!(edit(json!({ "id": "lead_1" })).is_err());
        assert!(edit(json!({ "status_id": "stat_unknown" })).is_err());
        assert!(edit(json!({ "custom.cf_1": 12_345_678_901_234_567_890_u64 })).is_ok());
    }
}
