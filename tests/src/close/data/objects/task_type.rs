//! The kinds of tasks, by `_type`.

/// One of them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TaskType {
    /// Its `_type`.
    pub(crate) name: &'static str,
    /// Its type in events.
    pub(crate) object_type: &'static str,
    /// What identifiers begin with: people make tasks of leads, Close all others.
    pub(crate) prefix: &'static str,
    /// What a task that Close makes is about: its own `object_type`.
    pub(crate) about: Option<&'static str>,
}

/// All kinds; of a lead first.
static TASK_TYPES: [TaskType; 8] = [
    TaskType {
        name: "lead",
        object_type: "task.lead",
        prefix: "task",
        about: None,
    },
    made_by_close("email_followup", "task.email_followup", "emailthread"),
    made_by_close("incoming_email", "task.incoming_email", "emailthread"),
    made_by_close("opportunity_due", "task.opportunity_due", "opportunity"),
    made_by_close("missed_call", "task.missed_call", "call"),
    made_by_close(
        "answered_detached_call",
        "task.answered_detached_call",
        "call",
    ),
    made_by_close("voicemail", "task.voicemail", "call"),
    made_by_close("incoming_sms", "task.incoming_sms", "sms"),
];

impl TaskType {
    /// The kind with that `_type`.
    pub(crate) fn from_name(name: &str) -> Option<&'static Self> {
        TASK_TYPES.iter().find(|of| of.name == name)
    }
}

const fn made_by_close(
    name: &'static str,
    object_type: &'static str,
    about: &'static str,
) -> TaskType {
    TaskType {
        name,
        object_type,
        prefix: "noti",
        about: Some(about),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::data::log::event_types;

    #[test]
    fn every_kind_of_task_has_its_events() {
        for of in &TASK_TYPES {
            assert_eq!(of.object_type, format!("task.{}", of.name));
            assert!(event_types::exists(of.object_type, "completed"));
        }
    }
}
