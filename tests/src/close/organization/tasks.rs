//! Tasks.

use anyhow::Context;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Organization;
use crate::close::data::change::Change;
use crate::close::data::objects::record::{Family, ObjectKind};
use crate::close::data::objects::task_type::TaskType;

impl Organization {
    /// Adds a task of this `_type` to a lead and returns its id; `lead` is the type that people make.
    ///
    /// # Errors
    ///
    /// If there is no such type or lead, or a field cannot be set.
    pub fn create_task(
        &self,
        lead_id: &str,
        of_type: &str,
        fields: Value,
        change: Change,
    ) -> anyhow::Result<String> {
        self.create_of(kind(of_type)?, lead_id, fields, change)
    }

    /// Adds many tasks of this `_type` to a lead, at one moment or spread, and returns their ids.
    ///
    /// # Errors
    ///
    /// As [`Self::create_task`].
    pub fn create_tasks(
        &self,
        lead_id: &str,
        of_type: &str,
        count: usize,
        change: Change,
    ) -> anyhow::Result<Vec<String>> {
        self.create_many_of(kind(of_type)?, lead_id, count, |_| json!({}), change)
    }

    /// Changes fields of a task and returns its `date_updated`.
    ///
    /// # Errors
    ///
    /// If there is no such task or a field cannot be set.
    pub fn edit_task(&self, id: &str, patch: Value, change: Change) -> anyhow::Result<Timestamp> {
        self.change(change, |tenant, moment| {
            tenant.edit(Family::Task, id, patch, moment)
        })
    }

    /// Completes a task and returns its `date_updated`; its lead is stamped some milliseconds later.
    ///
    /// # Errors
    ///
    /// If there is no such task, or it is complete.
    pub fn complete_task(&self, id: &str, change: Change) -> anyhow::Result<Timestamp> {
        self.change(change, |tenant, moment| tenant.complete_task(id, moment))
    }

    /// Deletes a task.
    ///
    /// # Errors
    ///
    /// If there is no such task.
    pub fn delete_task(&self, id: &str, change: Change) -> anyhow::Result<()> {
        self.change(change, |tenant, moment| {
            tenant.delete(Family::Task, id, moment)
        })
    }

    /// A task as the API shows it.
    pub fn task(&self, id: &str) -> Option<Value> {
        self.object(Family::Task, id)
    }

    /// The ids of all tasks, sorted.
    pub fn task_ids(&self) -> Vec<String> {
        self.ids(Family::Task)
    }
}

fn kind(of_type: &str) -> anyhow::Result<ObjectKind> {
    let of = TaskType::from_name(of_type);
    let of = of.with_context(|| format!("there are no tasks of type {of_type}"))?;
    Ok(ObjectKind::Task(of))
}
