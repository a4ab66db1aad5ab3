//! The kinds of activities, by `_type`.

/// One of them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ActivityType {
    /// Its `_type`.
    pub(crate) name: &'static str,
    /// Its own list.
    pub(crate) path: &'static str,
    /// Its type in events.
    pub(crate) object_type: &'static str,
}

// Those that Close makes by itself.
pub(crate) static CREATED: ActivityType = of("Created", "activity/created", "activity.created");
pub(crate) static LEAD_STATUS_CHANGE: ActivityType = of(
    "LeadStatusChange",
    "activity/status_change/lead",
    "activity.lead_status_change",
);
pub(crate) static OPPORTUNITY_STATUS_CHANGE: ActivityType = of(
    "OpportunityStatusChange",
    "activity/status_change/opportunity",
    "activity.opportunity_status_change",
);
pub(crate) static TASK_COMPLETED: ActivityType = of(
    "TaskCompleted",
    "activity/task_completed",
    "activity.task_completed",
);

/// Those that people make, and what comes in from outside.
static OTHERS: [ActivityType; 10] = [
    of("Call", "activity/call", "activity.call"),
    of(
        "CustomActivity",
        "activity/custom",
        "activity.custom_activity",
    ),
    of("Email", "activity/email", "activity.email"),
    of(
        "EmailThread",
        "activity/emailthread",
        "activity.email_thread",
    ),
    of(
        "FormSubmission",
        "activity/form_submission",
        "activity.form_submission",
    ),
    of("LeadMerge", "activity/lead_merge", "activity.lead_merge"),
    of("Meeting", "activity/meeting", "activity.meeting"),
    of("Note", "activity/note", "activity.note"),
    of("SMS", "activity/sms", "activity.sms"),
    of(
        "WhatsAppMessage",
        "activity/whatsapp_message",
        "activity.whatsapp_message",
    ),
];

impl ActivityType {
    /// The kind whose list has that path.
    pub(crate) fn from_path(path: &str) -> Option<&'static Self> {
        Self::all().find(|of| of.path == path)
    }

    /// The kind with that `_type`.
    pub(crate) fn from_name(name: &str) -> Option<&'static Self> {
        Self::all().find(|of| of.name == name)
    }

    fn all() -> impl Iterator<Item = &'static Self> {
        let by_close = [
            &CREATED,
            &LEAD_STATUS_CHANGE,
            &OPPORTUNITY_STATUS_CHANGE,
            &TASK_COMPLETED,
        ];
        by_close.into_iter().chain(&OTHERS)
    }
}

const fn of(name: &'static str, path: &'static str, object_type: &'static str) -> ActivityType {
    ActivityType {
        name,
        path,
        object_type,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::data::log::event_types;

    #[test]
    fn every_kind_has_events() {
        assert!(ActivityType::all().all(|of| event_types::exists(of.object_type, "created")));
    }
}
