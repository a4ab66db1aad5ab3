//! What happens to an object beside its being created, updated and deleted.

use anyhow::ensure;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::changes::LeadEvent;
use super::versions::Step;
use super::{Tenant, is_complete};
use crate::close::data::log::cause::Cause;
use crate::close::data::log::event_types;
use crate::close::data::moment::Moment;
use crate::close::data::objects::record::Family;

impl Tenant {
    /// Completes a task, which is an update of its lead as well, and returns its `date_updated`.
    pub(crate) fn complete_task(&mut self, id: &str, moment: &Moment) -> anyhow::Result<Timestamp> {
        let task = self.get(Family::Task, id)?;
        ensure!(!is_complete(&task), "task {id} is complete already");
        let patch = json!({
            "is_complete": true,
            "object_id": *self.note_completion(&task, moment)?,
            "object_type": "taskcompleted",
        });
        let date = self.act(Family::Task, id, "completed", patch, moment)?;
        self.touch_lead(&task, date, moment, LeadEvent::Updated)?;
        Ok(date)
    }

    /// Changes fields of an object by an action that has its own event, beside the one of the update.
    pub(crate) fn act(
        &mut self,
        family: Family,
        id: &str,
        action: &'static str,
        patch: Value,
        moment: &Moment,
    ) -> anyhow::Result<Timestamp> {
        let before = self.get(family, id)?;
        let object_type = before.kind.object_type();
        let exists = event_types::exists(object_type, action);
        ensure!(exists, "{object_type} has no event {action}");
        let date = self.edit(family, id, patch, moment)?;
        let after = self.get(family, id)?;
        let step = Step {
            action,
            date,
            before: Some(&before),
            after: Some(&after),
            cause: Cause::Put(&before),
        };
        self.log(step, moment);
        Ok(date)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::data::objects::record::ObjectKind;
    use crate::close::data::objects::task_type::TaskType;

    #[test]
    fn completing_a_task_is_an_event_of_its_own_and_stamps_the_lead() {
        let moment = Moment::new("2026-06-19T12:00:00Z".parse().unwrap());
        let mut tenant = Tenant::new("Acme", moment.now);
        let lead = tenant.create_lead(json!({}), &moment).unwrap();
        let kind = ObjectKind::Task(TaskType::from_name("lead").unwrap());
        let task = tenant.create(kind, &lead, json!({}), &moment).unwrap();
        let date = tenant.complete_task(&task, &moment).unwrap();
        let entries = tenant.log.entries.iter();
        let events: Vec<_> = entries
            .map(|entry| format!("{}.{}", entry.object_type, entry.action))
            .collect();
        let completion = [
            "activity.task_completed.created",
            "task.lead.updated",
            "task.lead.completed",
            "lead.updated",
        ];
        assert_eq!(events[2..], completion);
        let lead = tenant.get(Family::Lead, &lead).unwrap();
        assert!(date < lead.date_updated);
        assert_eq!(tenant.render(&lead)["tasks"], json!([]));
        assert!(tenant.complete_task(&task, &moment).is_err());
    }
}
