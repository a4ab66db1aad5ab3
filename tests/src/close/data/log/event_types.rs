//! The events that Close documents, or was seen to deliver.

/// Whether Close has the event; `completed` and the like exist for some types only.
pub(crate) fn exists(object_type: &str, action: &str) -> bool {
    let more: &[&str] = match object_type {
        "lead" => &["merged"],
        "activity.email" | "activity.sms" => &["sent"],
        "activity.call" => &["answered", "completed"],
        "activity.meeting" => &["scheduled", "started", "completed", "canceled"],
        "activity.created" => return action == "created",
        "membership" => return ["activated", "deactivated"].contains(&action),
        "unsubscribed_email" => return ["created", "deleted"].contains(&action),
        "import" => &["completed", "reverting", "reverted"],
        "export.lead" | "export.opportunity" => &["completed"],
        _ if TASK_TYPES.contains(&object_type) => &["completed"],
        _ if BULK_ACTIONS.contains(&object_type) => &["completed", "paused"],
        _ if OTHER_TYPES.contains(&object_type) => &[],
        _ => return false,
    };
    ["created", "updated", "deleted"].contains(&action) || more.contains(&action)
}

const TASK_TYPES: [&str; 9] = [
    "task.lead",
    "task.answered_detached_call",
    "task.email_followup",
    "task.incoming_email",
    "task.incoming_sms",
    "task.missed_call",
    "task.opportunity_due",
    "task.outgoing_call",
    "task.voicemail",
];

const BULK_ACTIONS: [&str; 4] = [
    "bulk_action.delete",
    "bulk_action.edit",
    "bulk_action.email",
    "bulk_action.sequence_subscription",
];

/// The types with nothing but `created`, `updated` and `deleted`.
const OTHER_TYPES: [&str; 31] = [
    "contact",
    "opportunity",
    "activity.note",
    "activity.form_submission",
    "activity.custom_activity",
    "activity.email_thread",
    "activity.whatsapp_message",
    "activity.lead_status_change",
    "activity.opportunity_status_change",
    "activity.lead_merge",
    "activity.task_completed",
    "custom_fields.lead",
    "custom_fields.contact",
    "custom_fields.opportunity",
    "custom_fields.activity",
    "custom_fields.custom_object",
    "custom_fields.shared",
    "custom_activity_type",
    "custom_object",
    "custom_object_type",
    "status.lead",
    "status.opportunity",
    "group",
    "saved_search",
    "phone_number",
    "email_template",
    "sms_template",
    "sequence",
    "sequence_subscription",
    "comment",
    "comment_thread",
];

#[cfg(test)]
mod tests {
    use shared::close::object_type::OBJECT_TYPES;

    use super::*;

    #[test]
    fn unknown_events_are_refused() {
        assert!(exists("lead", "merged") && exists("task.lead", "completed"));
        assert!(!exists("contact", "merged") && !exists("user", "created"));
    }

    #[test]
    fn the_product_subscribes_to_what_close_has_and_nothing_else() {
        let types = [&TASK_TYPES[..], &BULK_ACTIONS, &OTHER_TYPES].concat();
        let known = |name: &str| OBJECT_TYPES.iter().any(|of| of.name == name);
        assert!(types.iter().all(|name| known(name)));
        for of in &OBJECT_TYPES {
            for action in of.actions {
                assert!(exists(of.name, action), "{}.{action}", of.name);
            }
        }
    }
}
