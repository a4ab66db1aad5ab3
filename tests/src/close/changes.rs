//! What happens to objects, with everything that Close does along with it: stamps, events, the search index.

use std::sync::Arc;

use anyhow::{bail, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::cause::Cause;
use super::custom_field;
use super::fields;
use super::ids;
use super::moment::Moment;
use super::parameters;
use super::record::{Family, Kind, Record};
use super::tenant::Tenant;
use super::valuation::Valuation;
use super::versions::Step;

/// How much later than the contact its lead is stamped, as seen in recordings.
const LEAD_LAG: SignedDuration = SignedDuration::from_millis(14);

/// Whether what happened to something of a lead is an event of the lead as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeadEvent {
    /// An `updated` of the lead.
    Updated,
    /// The lead is stamped, and nobody told.
    None,
}

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
        let lead = self.insert(Kind::Lead, None, fields, moment)?;
        self.note_creation(&lead, moment)?;
        for contact in contacts {
            let lead_id = Some(Arc::clone(&lead.id));
            self.insert(Kind::Contact, lead_id, object(contact)?, moment)?;
        }
        Ok(Arc::clone(&lead.id))
    }

    /// Adds an object to a lead and returns its id. A contact is an update of the lead as well.
    pub(super) fn create(
        &mut self,
        kind: Kind,
        lead_id: &str,
        fields: Value,
        moment: &Moment,
    ) -> anyhow::Result<Arc<str>> {
        let lead = self.get(Family::Lead, lead_id)?;
        let lead_id = Some(Arc::clone(&lead.id));
        let record = self.insert(kind, lead_id, object(fields)?, moment)?;
        if kind == Kind::Contact {
            self.touch_lead(&record, record.date_updated, moment, LeadEvent::Updated)?;
        }
        Ok(Arc::clone(&record.id))
    }

    /// Changes fields of an object and returns its `date_updated`; a change of nothing does not move it.
    pub(super) fn edit(
        &mut self,
        family: Family,
        id: &str,
        patch: Value,
        moment: &Moment,
    ) -> anyhow::Result<Timestamp> {
        let before = self.get(family, id)?;
        let patch = object(patch)?;
        self.check(before.kind, &patch)?;
        let mut after = Record::clone(&before);
        after.fields.extend(patch);
        fields::complete(&mut after, &before.fields, moment.now);
        after.valuation = valuation(&after);
        if self.render_bare(&after) == self.render_bare(&before) && moment.date_updated.is_none() {
            return Ok(before.date_updated);
        }
        after.date_created = moment.date_created.unwrap_or(before.date_created);
        after.date_updated = moment.stamp_after(before.date_updated);
        let after = self.replace(&before, after, moment);
        self.note_status(&before, &after, moment)?;
        if family == Family::Contact {
            self.touch_lead(&after, after.date_updated, moment, LeadEvent::None)?;
        }
        Ok(after.date_updated)
    }

    /// Deletes an object: a contact is an update of its lead as well, a lead takes what hangs on it with it.
    pub(super) fn delete(
        &mut self,
        family: Family,
        id: &str,
        moment: &Moment,
    ) -> anyhow::Result<()> {
        let record = self.get(family, id)?;
        let cause = Cause::Delete(&record);
        self.remove(&record, cause, moment);
        if family == Family::Contact {
            return self.touch_lead(&record, moment.stamp(), moment, LeadEvent::Updated);
        }
        if family == Family::Lead {
            for child in self.everything_of(id) {
                self.remove(&child, cause, moment);
            }
            self.disown_all(id);
        }
        Ok(())
    }

    /// Merges a lead into another: what hangs on it moves, it disappears, the destination is updated and `merged`.
    pub(super) fn merge(
        &mut self,
        source: &str,
        destination: &str,
        moment: &Moment,
    ) -> anyhow::Result<()> {
        ensure!(source != destination, "a lead cannot be merged into itself");
        let source = self.get(Family::Lead, source)?;
        let before = self.get(Family::Lead, destination)?;
        for child in self.everything_of(&source.id) {
            self.move_to(&child, &before.id, moment);
        }
        self.disown_all(&source.id);
        let cause = Cause::Merge {
            source: &source,
            destination: &before,
        };
        let mut after = Record::clone(&before);
        after.date_updated = moment.stamp_after(before.date_updated);
        let after = self.put(after, moment);
        self.remove(&source, cause, moment);
        let step = Step {
            action: "merged",
            date: after.date_updated,
            before: None,
            after: Some(&after),
            cause,
        };
        self.log(step, moment);
        Ok(())
    }

    /// Stamps a lead for what happened to something that hangs on it.
    pub(super) fn touch_lead(
        &mut self,
        child: &Record,
        date: Timestamp,
        moment: &Moment,
        event: LeadEvent,
    ) -> anyhow::Result<()> {
        let before = self.get(Family::Lead, &child.lead())?;
        let mut after = Record::clone(&before);
        after.date_updated = before.date_updated.max(date + LEAD_LAG);
        match event {
            LeadEvent::Updated => self.replace(&before, after, moment),
            LeadEvent::None => self.replace(&before, after, &moment.quietly()),
        };
        Ok(())
    }

    /// Adds an object, whatever follows from it.
    pub(super) fn insert(
        &mut self,
        kind: Kind,
        lead_id: Option<Arc<str>>,
        fields: Map<String, Value>,
        moment: &Moment,
    ) -> anyhow::Result<Arc<Record>> {
        self.check(kind, &fields)?;
        let (date_created, date_updated) = dates(kind, &fields, moment);
        let mut record = Record {
            version: 0,
            tie: ids::scatter(self.version),
            kind,
            id: ids::object(kind.prefix()).into(),
            lead_id,
            date_created,
            date_updated,
            fields,
            valuation: None,
        };
        fields::complete(&mut record, &Map::new(), moment.now);
        record.valuation = valuation(&record);
        let record = self.put(record, moment);
        self.adopt(&record);
        let step = Step {
            action: "created",
            date: record.date_updated,
            before: None,
            after: Some(&record),
            cause: Cause::Post(kind),
        };
        self.log(step, moment);
        Ok(record)
    }

    fn check(&self, kind: Kind, fields: &Map<String, Value>) -> anyhow::Result<()> {
        fields::check(kind, fields)?;
        custom_field::check(kind, self.custom_fields(kind), fields)
    }

    fn everything_of(&self, lead_id: &str) -> Vec<Arc<Record>> {
        let families = Family::ALL.into_iter();
        families
            .flat_map(|family| self.children_of(lead_id, family))
            .collect()
    }

    fn move_to(&mut self, child: &Arc<Record>, lead_id: &Arc<str>, moment: &Moment) {
        let mut after = Record::clone(child);
        after.lead_id = Some(Arc::clone(lead_id));
        after.date_updated = moment.stamp_after(child.date_updated);
        self.adopt(&after);
        self.replace(child, after, moment);
    }
}

/// The dates of a new object.
fn dates(kind: Kind, fields: &Map<String, Value>, moment: &Moment) -> (Timestamp, Timestamp) {
    let date_created = moment.date_created.or_else(|| starts_at(fields));
    let date_created = date_created.unwrap_or(moment.stamp());
    if kind.family() == Family::Activity {
        // What was done earlier, and Close learns of now, is new now.
        return (date_created, moment.stamp());
    }
    (date_created, moment.date_updated.unwrap_or(date_created))
}

/// When a meeting starts, which Close takes for the date of its creation.
fn starts_at(fields: &Map<String, Value>) -> Option<Timestamp> {
    fields
        .get("starts_at")
        .and_then(Value::as_str)
        .and_then(parameters::moment)
}

fn valuation(record: &Record) -> Option<Valuation> {
    let is_opportunity = record.kind == Kind::Opportunity;
    is_opportunity
        .then(|| Valuation::of(&record.fields))
        .flatten()
}

fn object(value: Value) -> anyhow::Result<Map<String, Value>> {
    match value {
        Value::Object(map) => Ok(map),
        other => bail!("an object's fields must be a JSON object, not {other}"),
    }
}

#[cfg(test)]
mod tests {
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
        let mut tenant = Tenant::new("Acme", "key", Timestamp::UNIX_EPOCH);
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
}
