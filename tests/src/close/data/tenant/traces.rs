//! The activities that Close makes by itself, as traces of what happened.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Tenant;
use crate::close::data::moment::Moment;
use crate::close::data::objects::activity_type::{
    ActivityType, CREATED, LEAD_STATUS_CHANGE, OPPORTUNITY_STATUS_CHANGE, TASK_COMPLETED,
};
use crate::close::data::objects::record::{ObjectKind, Record};

impl Tenant {
    /// Notes that a lead was created; leads that only fill the organization are not worth it.
    pub(crate) fn note_creation(
        &mut self,
        lead: &Arc<Record>,
        moment: &Moment,
    ) -> anyhow::Result<()> {
        if moment.quiet {
            return Ok(());
        }
        let quietly = moment.quietly();
        let moment = if moment.logs_creations {
            moment
        } else {
            &quietly
        };
        self.note(&CREATED, lead, json!({}), moment).map(drop)
    }

    /// Notes that a task was completed, and returns the activity's id.
    pub(crate) fn note_completion(
        &mut self,
        task: &Arc<Record>,
        moment: &Moment,
    ) -> anyhow::Result<Arc<str>> {
        let fields = json!({
            "task_id": *task.id,
            "task_text": task.text("text").unwrap_or_default(),
        });
        self.note(&TASK_COMPLETED, task, fields, moment)
    }

    /// Notes that a lead or an opportunity got another status.
    pub(crate) fn note_status(
        &mut self,
        before: &Arc<Record>,
        after: &Arc<Record>,
        moment: &Moment,
    ) -> anyhow::Result<()> {
        let of = match after.kind {
            ObjectKind::Lead => &LEAD_STATUS_CHANGE,
            ObjectKind::Opportunity => &OPPORTUNITY_STATUS_CHANGE,
            ObjectKind::Contact | ObjectKind::Task(_) | ObjectKind::Activity(_) => return Ok(()),
        };
        let (old, new) = (self.render_bare(before), self.render_bare(after));
        if old["status_id"] == new["status_id"] {
            return Ok(());
        }
        let mut fields = Map::new();
        for field in [
            "pipeline_id",
            "pipeline_name",
            "status_id",
            "status_label",
            "status_type",
        ] {
            for (age, object) in [("old", &old), ("new", &new)] {
                let value = object
                    .get(field)
                    .map(|value| (format!("{age}_{field}"), value.clone()));
                fields.extend(value);
            }
        }
        if after.kind == ObjectKind::Opportunity {
            fields.extend(of_opportunity(&new));
        }
        self.note(of, after, fields.into(), moment).map(drop)
    }

    fn note(
        &mut self,
        of: &'static ActivityType,
        about: &Record,
        fields: Value,
        moment: &Moment,
    ) -> anyhow::Result<Arc<str>> {
        // It is made when it happens, whatever the object's own dates are made to be.
        let moment = Moment {
            date_created: None,
            ..moment.clone()
        };
        self.create(ObjectKind::Activity(of), &about.lead(), fields, &moment)
    }
}

fn of_opportunity(opportunity: &Map<String, Value>) -> Map<String, Value> {
    let fields = [
        ("opportunity_confidence", "confidence"),
        ("opportunity_date_won", "date_won"),
        ("opportunity_id", "id"),
        ("opportunity_value", "value"),
        ("opportunity_value_currency", "value_currency"),
        ("opportunity_value_formatted", "value_formatted"),
        ("opportunity_value_period", "value_period"),
    ];
    fields
        .into_iter()
        .map(|(name, field)| (name.to_owned(), opportunity[field].clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::data::objects::record::Family;
    use crate::close::data::objects::shape::{OPPORTUNITY_STATUSES, STATUSES};

    #[test]
    fn a_new_status_is_noted_with_the_old_one() {
        let moment = Moment::new("2026-06-19T12:00:00Z".parse().unwrap());
        let mut tenant = Tenant::new("Acme", moment.now);
        let lead = tenant.create_lead(json!({}), &moment).unwrap();
        let fields = json!({ "value": 50_000 });
        let opportunity = tenant
            .create(ObjectKind::Opportunity, &lead, fields, &moment)
            .unwrap();
        let status = json!({ "status_id": STATUSES[1].0 });
        tenant.edit(Family::Lead, &lead, status, &moment).unwrap();
        let won = json!({ "status_id": OPPORTUNITY_STATUSES[2].0 });
        tenant
            .edit(Family::Opportunity, &opportunity, won, &moment)
            .unwrap();

        let noted = tenant.children_of(&lead, Family::Activity);
        let noted: Vec<_> = noted.iter().map(|one| tenant.render(one)).collect();
        assert_eq!(noted[0]["_type"], "Created");
        assert_eq!(
            (&noted[1]["old_status_label"], &noted[1]["new_status_label"]),
            (&json!("Potential"), &json!("Interested"))
        );
        assert_eq!(
            (&noted[2]["opportunity_value"], &noted[2]["new_status_type"]),
            (&json!(50_000), &json!("won"))
        );
        assert_eq!(noted[2]["opportunity_id"], *opportunity);
    }
}
