//! What happens to objects, with everything that Close does along with it: stamps, events, the search index.

use std::sync::Arc;

use anyhow::{bail, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::Tenant;
use super::versions::Step;
use crate::close::data::ids;
use crate::close::data::log::cause::Cause;
use crate::close::data::moment::Moment;
use crate::close::data::objects::record::{Family, ObjectKind, Record};
use crate::close::data::objects::valuation::Valuation;
use crate::close::data::objects::{custom_field, fields};
use crate::close::data::time::stamp;

/// How much later than the contact its lead is stamped, as seen in recordings.
const LEAD_LAG: SignedDuration = SignedDuration::from_millis(14);

/// Whether what happened to something of a lead is an event of the lead as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeadEvent {
    /// An `updated` of the lead.
    Updated,
    /// The lead is stamped, and nobody told.
    None,
}

impl Tenant {
    /// Creates a lead with the contacts listed in its `contacts`, and returns its id.
    pub(crate) fn create_lead(
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
        let lead = self.insert(ObjectKind::Lead, None, fields, moment)?;
        self.note_creation(&lead, moment)?;
        for contact in contacts {
            let lead_id = Some(Arc::clone(&lead.id));
            self.insert(ObjectKind::Contact, lead_id, object(contact)?, moment)?;
        }
        Ok(Arc::clone(&lead.id))
    }

    /// Adds an object to a lead and returns its id. A contact is an update of the lead as well.
    pub(crate) fn create(
        &mut self,
        kind: ObjectKind,
        lead_id: &str,
        fields: Value,
        moment: &Moment,
    ) -> anyhow::Result<Arc<str>> {
        let lead = self.get(Family::Lead, lead_id)?;
        let lead_id = Some(Arc::clone(&lead.id));
        let record = self.insert(kind, lead_id, object(fields)?, moment)?;
        if kind == ObjectKind::Contact {
            self.touch_lead(&record, record.date_updated, moment, LeadEvent::Updated)?;
        }
        Ok(Arc::clone(&record.id))
    }

    /// Changes fields of an object and returns its `date_updated`; a change of nothing does not move it.
    pub(crate) fn edit(
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
    pub(crate) fn delete(
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
    pub(crate) fn merge(
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
    pub(crate) fn touch_lead(
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
    pub(crate) fn insert(
        &mut self,
        kind: ObjectKind,
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

    fn check(&self, kind: ObjectKind, fields: &Map<String, Value>) -> anyhow::Result<()> {
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
fn dates(kind: ObjectKind, fields: &Map<String, Value>, moment: &Moment) -> (Timestamp, Timestamp) {
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
        .and_then(stamp::parse)
}

fn valuation(record: &Record) -> Option<Valuation> {
    let is_opportunity = record.kind == ObjectKind::Opportunity;
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
mod tests;
