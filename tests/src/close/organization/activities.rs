//! Activities.

use anyhow::Context;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Organization;
use crate::close::data::change::Change;
use crate::close::data::objects::activity_type::ActivityType;
use crate::close::data::objects::record::{Family, ObjectKind};

impl Organization {
    /// Adds an activity to a lead and returns its id. Its kind is named as its list is: `call`, `status_change/lead`.
    ///
    /// Its `date_created` is whatever the change says, while it is updated now; that of a meeting is its `starts_at`.
    ///
    /// # Errors
    ///
    /// If there is no such kind or lead, or a field cannot be set.
    pub fn create_activity(
        &self,
        lead_id: &str,
        of_kind: &str,
        fields: Value,
        change: Change,
    ) -> anyhow::Result<String> {
        self.create_of(kind(of_kind)?, lead_id, fields, change)
    }

    /// Adds many activities of a kind to a lead, at one moment or spread, and returns their ids.
    ///
    /// # Errors
    ///
    /// As [`Self::create_activity`].
    pub fn create_activities(
        &self,
        lead_id: &str,
        of_kind: &str,
        count: usize,
        change: Change,
    ) -> anyhow::Result<Vec<String>> {
        self.create_many_of(kind(of_kind)?, lead_id, count, |_| json!({}), change)
    }

    /// Changes fields of an activity and returns its `date_updated`.
    ///
    /// # Errors
    ///
    /// If there is no such activity or a field cannot be set.
    pub fn edit_activity(
        &self,
        id: &str,
        patch: Value,
        change: Change,
    ) -> anyhow::Result<Timestamp> {
        self.change(change, |tenant, moment| {
            tenant.edit(Family::Activity, id, patch, moment)
        })
    }

    /// The same by what has an event of its own beside the update: a call is `answered`, an e-mail `sent`.
    ///
    /// # Errors
    ///
    /// As [`Self::edit_activity`], and if an activity of this kind has no such event.
    pub fn advance_activity(
        &self,
        id: &str,
        action: &'static str,
        patch: Value,
        change: Change,
    ) -> anyhow::Result<Timestamp> {
        self.change(change, |tenant, moment| {
            tenant.act(Family::Activity, id, action, patch, moment)
        })
    }

    /// Deletes an activity.
    ///
    /// # Errors
    ///
    /// If there is no such activity.
    pub fn delete_activity(&self, id: &str, change: Change) -> anyhow::Result<()> {
        self.change(change, |tenant, moment| {
            tenant.delete(Family::Activity, id, moment)
        })
    }

    /// An activity as the API shows it.
    pub fn activity(&self, id: &str) -> Option<Value> {
        self.object(Family::Activity, id)
    }

    /// The ids of all activities, sorted.
    pub fn activity_ids(&self) -> Vec<String> {
        self.ids(Family::Activity)
    }
}

fn kind(name: &str) -> anyhow::Result<ObjectKind> {
    let of = ActivityType::from_path(&format!("activity/{name}"));
    let of = of.with_context(|| format!("there are no activities of kind {name}"))?;
    Ok(ObjectKind::Activity(of))
}
