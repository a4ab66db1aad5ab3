//! Leads and their contacts.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Organization;
use crate::close::data::change::Change;
use crate::close::data::objects::record::{Family, ObjectKind};

impl Organization {
    /// Creates a lead, with the contacts in the list `contacts` of its fields, and returns its id.
    ///
    /// # Errors
    ///
    /// If a field cannot be set.
    pub fn create_lead(&self, fields: Value, change: Change) -> anyhow::Result<String> {
        let id = self.change(change, |tenant, moment| tenant.create_lead(fields, moment))?;
        Ok(id.to_string())
    }

    /// Creates many leads, at one moment or spread, and returns their ids.
    ///
    /// # Errors
    ///
    /// As [`Self::create_lead`].
    pub fn create_leads(&self, count: usize, change: Change) -> anyhow::Result<Vec<String>> {
        self.change(change, |tenant, moment| {
            let create = |n| {
                let fields = json!({ "name": format!("Lead {}", n + 1) });
                let id = tenant.create_lead(fields, &moment.nth(n))?;
                Ok(id.to_string())
            };
            (0..count).map(create).collect()
        })
    }

    /// Fills the organization with leads without names or events, cheap enough for a million: dated from `from` on, so many
    /// to a millisecond.
    ///
    /// # Errors
    ///
    /// As [`Self::create_lead`].
    pub fn seed_leads(
        &self,
        count: usize,
        per_millisecond: usize,
        from: Timestamp,
    ) -> anyhow::Result<()> {
        let change = Change::at(from).spread(per_millisecond).quiet();
        self.change(change, |tenant, moment| {
            for n in 0..count {
                tenant.create_lead(json!({}), &moment.nth(n))?;
            }
            Ok(())
        })
    }

    /// Changes fields of a lead and returns its `date_updated`; setting what is already set changes nothing.
    ///
    /// # Errors
    ///
    /// If there is no such lead or a field cannot be set.
    pub fn edit_lead(&self, id: &str, patch: Value, change: Change) -> anyhow::Result<Timestamp> {
        self.change(change, |tenant, moment| {
            tenant.edit(Family::Lead, id, patch, moment)
        })
    }

    /// Deletes a lead and its contacts.
    ///
    /// # Errors
    ///
    /// If there is no such lead.
    pub fn delete_lead(&self, id: &str, change: Change) -> anyhow::Result<()> {
        self.change(change, |tenant, moment| {
            tenant.delete(Family::Lead, id, moment)
        })
    }

    /// Merges the lead `source` into `destination`.
    ///
    /// # Errors
    ///
    /// If one of them does not exist or they are the same.
    pub fn merge_leads(
        &self,
        source: &str,
        destination: &str,
        change: Change,
    ) -> anyhow::Result<()> {
        self.change(change, |tenant, moment| {
            tenant.merge(source, destination, moment)
        })
    }

    /// Adds a contact to a lead and returns its id.
    ///
    /// # Errors
    ///
    /// If there is no such lead or a field cannot be set.
    pub fn create_contact(
        &self,
        lead_id: &str,
        fields: Value,
        change: Change,
    ) -> anyhow::Result<String> {
        self.create_of(ObjectKind::Contact, lead_id, fields, change)
    }

    /// Adds many contacts to a lead, at one moment or spread, and returns their ids.
    ///
    /// # Errors
    ///
    /// As [`Self::create_contact`].
    pub fn create_contacts(
        &self,
        lead_id: &str,
        count: usize,
        change: Change,
    ) -> anyhow::Result<Vec<String>> {
        let fields = |n| json!({ "name": format!("Contact {n}") });
        self.create_many_of(ObjectKind::Contact, lead_id, count, fields, change)
    }

    /// Changes fields of a contact and returns its `date_updated`; its lead is stamped some milliseconds later.
    ///
    /// # Errors
    ///
    /// If there is no such contact or a field cannot be set.
    pub fn edit_contact(
        &self,
        id: &str,
        patch: Value,
        change: Change,
    ) -> anyhow::Result<Timestamp> {
        self.change(change, |tenant, moment| {
            tenant.edit(Family::Contact, id, patch, moment)
        })
    }

    /// Deletes a contact.
    ///
    /// # Errors
    ///
    /// If there is no such contact.
    pub fn delete_contact(&self, id: &str, change: Change) -> anyhow::Result<()> {
        self.change(change, |tenant, moment| {
            tenant.delete(Family::Contact, id, moment)
        })
    }

    /// A lead as the API shows it.
    pub fn lead(&self, id: &str) -> Option<Value> {
        self.object(Family::Lead, id)
    }

    /// A contact as the API shows it.
    pub fn contact(&self, id: &str) -> Option<Value> {
        self.object(Family::Contact, id)
    }

    /// A lead as events and the notifications of 2014 carry it: without what hangs on it.
    pub fn lead_data(&self, id: &str) -> Option<Value> {
        self.with(|tenant| {
            let record = tenant.get(Family::Lead, id).ok()?;
            Some(tenant.render_bare(&record).into())
        })
    }

    /// The ids of all leads, sorted.
    pub fn lead_ids(&self) -> Vec<String> {
        self.ids(Family::Lead)
    }

    /// The ids of all contacts, sorted.
    pub fn contact_ids(&self) -> Vec<String> {
        self.ids(Family::Contact)
    }
}
