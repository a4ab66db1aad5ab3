//! Opportunities.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Organization;
use crate::close::data::change::Change;
use crate::close::data::objects::record::{Family, ObjectKind};

impl Organization {
    /// Adds an opportunity to a lead and returns its id.
    ///
    /// # Errors
    ///
    /// If there is no such lead or a field cannot be set.
    pub fn create_opportunity(
        &self,
        lead_id: &str,
        fields: Value,
        change: Change,
    ) -> anyhow::Result<String> {
        self.create_of(ObjectKind::Opportunity, lead_id, fields, change)
    }

    /// Adds many opportunities to a lead, at one moment or spread, and returns their ids.
    ///
    /// # Errors
    ///
    /// As [`Self::create_opportunity`].
    pub fn create_opportunities(
        &self,
        lead_id: &str,
        count: usize,
        change: Change,
    ) -> anyhow::Result<Vec<String>> {
        let fields = |n| json!({ "note": format!("Opportunity {n}"), "value": 100 * n });
        self.create_many_of(ObjectKind::Opportunity, lead_id, count, fields, change)
    }

    /// Changes fields of an opportunity and returns its `date_updated`.
    ///
    /// # Errors
    ///
    /// If there is no such opportunity or a field cannot be set.
    pub fn edit_opportunity(
        &self,
        id: &str,
        patch: Value,
        change: Change,
    ) -> anyhow::Result<Timestamp> {
        self.change(change, |tenant, moment| {
            tenant.edit(Family::Opportunity, id, patch, moment)
        })
    }

    /// Changes the same fields of many opportunities, at one moment or spread.
    ///
    /// # Errors
    ///
    /// As [`Self::edit_opportunity`].
    pub fn edit_opportunities(
        &self,
        ids: &[String],
        patch: &Value,
        change: Change,
    ) -> anyhow::Result<()> {
        self.change(change, |tenant, moment| {
            for (n, id) in ids.iter().enumerate() {
                tenant.edit(Family::Opportunity, id, patch.clone(), &moment.nth(n))?;
            }
            Ok(())
        })
    }

    /// Deletes an opportunity.
    ///
    /// # Errors
    ///
    /// If there is no such opportunity.
    pub fn delete_opportunity(&self, id: &str, change: Change) -> anyhow::Result<()> {
        self.change(change, |tenant, moment| {
            tenant.delete(Family::Opportunity, id, moment)
        })
    }

    /// An opportunity as the API shows it.
    pub fn opportunity(&self, id: &str) -> Option<Value> {
        self.object(Family::Opportunity, id)
    }

    /// The ids of all opportunities, sorted.
    pub fn opportunity_ids(&self) -> Vec<String> {
        self.ids(Family::Opportunity)
    }
}
