//! The events that Close documents.

/// Whether Close documents the event; `completed` and the like exist for some types only.
pub(super) fn exists(object_type: &str, action: &str) -> bool {
    let more: &[&str] = match object_type {
        "lead" => &["merged"],
        "activity.email" | "activity.sms" => &["sent"],
        "activity.call" => &["answered", "completed"],
        "activity.meeting" => &["scheduled", "started", "completed", "canceled"],
        "membership" => return ["activated", "deactivated"].contains(&action),
        "unsubscribed_email" | "activity.task_completed" => {
            return ["created", "deleted"].contains(&action);
        }
        _ if object_type.starts_with("task.") => &["completed"],
        _ if object_type.starts_with("bulk_action.") => &["completed"],
        _ if OTHER_TYPES.contains(&object_type) => &[],
        _ => return false,
    };
    ["created", "updated", "deleted"].contains(&action) || more.contains(&action)
}

/// The types with nothing but `created`, `updated` and `deleted`.
const OTHER_TYPES: [&str; 33] = [
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
    "import",
    "export.lead",
    "export.opportunity",
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
    use super::*;

    #[test]
    fn unknown_events_are_refused() {
        assert!(exists("lead", "merged") && exists("task.lead", "completed"));
        assert!(!exists("contact", "merged") && !exists("user", "created"));
    }
}
