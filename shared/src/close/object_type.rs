//! Close's object types: which actions each has, where Close has its objects, and which families and resources it is of.
//!
//! Sources: the event log's table of types and actions, developer.close.com/api/resources/events/list-of-event-types; the
//! paths of Close's `OpenAPI` export; deliveries that were seen of what neither names.

use std::iter;

use self::Path::{ById, Nowhere, Renamed};

/// One of Close's object types.
#[derive(Debug)]
pub struct ObjectType {
    /// As the event log has it: `activity.call`.
    pub name: &'static str,
    /// What happens to its objects.
    pub actions: &'static [&'static str],
    /// Whether a subscription covers it by default.
    pub is_default: bool,
    path: Path,
}

/// Where Close has the objects of a type.
#[derive(Debug)]
enum Path {
    /// Under the type's name, with slashes for dots.
    ById,
    /// Under another name.
    Renamed(&'static str),
    /// Under no path that ends with the object's id.
    Nowhere,
}

/// The Close objects that the hub has a resource of, the broadest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Objects {
    /// Every kind that Close logs.
    All,
    /// `lead_…`
    Leads,
    /// `cont_…`
    Contacts,
    /// `oppo_…`
    Opportunities,
    /// `task_…` and, for what Close makes by itself, `noti_…`
    Tasks,
    /// `acti_…`
    Activities,
}

/// The hub's resources. The first of two names for the same objects is the hub's own.
pub const RESOURCES: [(&str, Objects); 7] = [
    ("accounts", Objects::Leads),
    ("leads", Objects::Leads),
    ("contacts", Objects::Contacts),
    ("opportunities", Objects::Opportunities),
    ("tasks", Objects::Tasks),
    ("activities", Objects::Activities),
    ("events", Objects::All),
];

/// What happens to objects of types that this table does not know.
pub const USUAL_ACTIONS: &[&str] = &["created", "updated", "deleted"];
const TASK_PATH: &str = "task";
const TASK: &[&str] = &["created", "updated", "deleted", "completed"];
const MESSAGE: &[&str] = &["created", "updated", "deleted", "sent"];
const JOB: &[&str] = &["created", "updated", "deleted", "completed"];
const BULK_ACTION: &[&str] = &["created", "updated", "deleted", "completed", "paused"];

/// All that Close logs.
pub static OBJECT_TYPES: [ObjectType; 55] = [
    default("lead", &["created", "updated", "deleted", "merged"], ById),
    default("contact", USUAL_ACTIONS, ById),
    default("opportunity", USUAL_ACTIONS, ById),
    default("custom_object", USUAL_ACTIONS, ById),
    task("task.lead"),
    task("task.answered_detached_call"),
    task("task.email_followup"),
    task("task.incoming_email"),
    task("task.incoming_sms"),
    task("task.missed_call"),
    task("task.opportunity_due"),
    task("task.outgoing_call"),
    task("task.voicemail"),
    default("activity.note", USUAL_ACTIONS, ById),
    default(
        "activity.call",
        &["created", "updated", "deleted", "answered", "completed"],
        ById,
    ),
    default("activity.email", MESSAGE, ById),
    default(
        "activity.email_thread",
        USUAL_ACTIONS,
        Renamed("activity/emailthread"),
    ),
    default("activity.sms", MESSAGE, ById),
    default(
        "activity.meeting",
        &[
            "created",
            "updated",
            "deleted",
            "scheduled",
            "started",
            "completed",
            "canceled",
        ],
        ById,
    ),
    default(
        "activity.custom_activity",
        USUAL_ACTIONS,
        Renamed("activity/custom"),
    ),
    default("activity.form_submission", USUAL_ACTIONS, ById),
    default("activity.whatsapp_message", USUAL_ACTIONS, ById),
    default(
        "activity.lead_status_change",
        USUAL_ACTIONS,
        Renamed("activity/status_change/lead"),
    ),
    default(
        "activity.opportunity_status_change",
        USUAL_ACTIONS,
        Renamed("activity/status_change/opportunity"),
    ),
    default("activity.lead_merge", USUAL_ACTIONS, ById),
    default("activity.task_completed", USUAL_ACTIONS, ById),
    // One for each new lead.
    default("activity.created", &["created"], ById),
    other("bulk_action.delete", BULK_ACTION, ById),
    other("bulk_action.edit", BULK_ACTION, ById),
    other("bulk_action.email", BULK_ACTION, ById),
    other("bulk_action.sequence_subscription", BULK_ACTION, ById),
    other("comment", USUAL_ACTIONS, ById),
    other("comment_thread", USUAL_ACTIONS, ById),
    other(
        "custom_activity_type",
        USUAL_ACTIONS,
        Renamed("custom_activity"),
    ),
    other(
        "custom_fields.activity",
        USUAL_ACTIONS,
        Renamed("custom_field/activity"),
    ),
    other(
        "custom_fields.contact",
        USUAL_ACTIONS,
        Renamed("custom_field/contact"),
    ),
    other(
        "custom_fields.custom_object",
        USUAL_ACTIONS,
        Renamed("custom_field/custom_object_type"),
    ),
    other(
        "custom_fields.lead",
        USUAL_ACTIONS,
        Renamed("custom_field/lead"),
    ),
    other(
        "custom_fields.opportunity",
        USUAL_ACTIONS,
        Renamed("custom_field/opportunity"),
    ),
    other(
        "custom_fields.shared",
        USUAL_ACTIONS,
        Renamed("custom_field/shared"),
    ),
    other("custom_object_type", USUAL_ACTIONS, ById),
    other("email_template", USUAL_ACTIONS, ById),
    other("export.lead", JOB, Renamed("export")),
    other("export.opportunity", JOB, Renamed("export")),
    other("group", USUAL_ACTIONS, ById),
    other(
        "import",
        &[
            "created",
            "updated",
            "deleted",
            "completed",
            "reverting",
            "reverted",
        ],
        Nowhere,
    ),
    other("membership", &["activated", "deactivated"], ById),
    other("phone_number", USUAL_ACTIONS, ById),
    other("saved_search", USUAL_ACTIONS, ById),
    other("sequence", USUAL_ACTIONS, ById),
    other("sequence_subscription", USUAL_ACTIONS, ById),
    other("sms_template", USUAL_ACTIONS, ById),
    other("status.lead", USUAL_ACTIONS, ById),
    other("status.opportunity", USUAL_ACTIONS, ById),
    // Close has it under the address.
    other("unsubscribed_email", &["created", "deleted"], Nowhere),
];

impl ObjectType {
    /// The type of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        OBJECT_TYPES.iter().find(|of| of.name == name)
    }

    fn path(&self) -> Option<String> {
        match self.path {
            ById => Some(with_slashes(self.name)),
            Renamed(path) => Some(path.to_owned()),
            Nowhere => None,
        }
    }
}

impl Objects {
    /// Those of a resource of the hub.
    pub fn of_resource(name: &str) -> Option<Self> {
        let found = RESOURCES.iter().find(|(resource, _)| *resource == name);
        found.map(|(_, objects)| *objects)
    }

    /// Whether a type of Close's, such as `activity.call`, is among them.
    pub fn include(self, object_type: &str) -> bool {
        match self {
            Self::Leads => object_type == "lead",
            Self::Contacts => object_type == "contact",
            Self::Opportunities => object_type == "opportunity",
            Self::Tasks => family(object_type) == "task",
            Self::Activities => family(object_type) == "activity",
            Self::All => true,
        }
    }
}

/// The hub's own name of the resource that has objects of a type, if there is one.
pub fn resource_name(object_type: &str) -> Option<&'static str> {
    let has = |objects: Objects| objects != Objects::All && objects.include(object_type);
    let found = RESOURCES.iter().find(|(_, objects)| has(*objects));
    found.map(|(name, _)| *name)
}

/// What several types have in common: the part before the dot.
pub fn family(object_type: &str) -> &str {
    object_type.split('.').next().unwrap_or_default()
}

/// Whether some type of the table is of that family, and has more names than the family's.
pub fn is_family_of_many(family: &str) -> bool {
    let mut names = OBJECT_TYPES.iter().map(|of| of.name);
    names.any(|name| name.split_once('.').is_some_and(|(head, _)| head == family))
}

/// Whether some type of the table is of the same family. Close adds activities more often than families.
pub fn is_of_known_family(object_type: &str) -> bool {
    OBJECT_TYPES
        .iter()
        .any(|of| family(of.name) == family(object_type))
}

/// Whether that happens to objects of some type of the table.
pub fn is_known_action(action: &str) -> bool {
    OBJECT_TYPES.iter().any(|of| of.actions.contains(&action))
}

/// All names by which a subscription's objects may be called: types, families and resources.
pub fn names() -> impl Iterator<Item = &'static str> {
    let families = OBJECT_TYPES.iter().flat_map(|of| {
        iter::once(of.name).chain(of.name.split_once('.').map(|(family, _)| family))
    });
    families.chain(RESOURCES.iter().map(|(name, _)| *name))
}

/// The path of an object in Close's API: `contact/cont_…/`, `activity/status_change/lead/acti_…/`. `None` where Close has no
/// such path. Of a type that the table does not know, the path is guessed from its name.
pub fn path(object_type: &str, object_id: &str) -> Option<String> {
    let known = ObjectType::find(object_type);
    let path = match known {
        Some(known) => known.path()?,
        None if family(object_type) == "task" => TASK_PATH.to_owned(),
        None => with_slashes(object_type),
    };
    Some(format!("{path}/{object_id}/"))
}

fn with_slashes(object_type: &str) -> String {
    object_type.replace('.', "/")
}

const fn default(name: &'static str, actions: &'static [&'static str], path: Path) -> ObjectType {
    ObjectType {
        name,
        actions,
        is_default: true,
        path,
    }
}

/// All tasks share one path.
const fn task(name: &'static str) -> ObjectType {
    default(name, TASK, Renamed(TASK_PATH))
}

const fn other(name: &'static str, actions: &'static [&'static str], path: Path) -> ObjectType {
    ObjectType {
        name,
        actions,
        is_default: false,
        path,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{OBJECT_TYPES, ObjectType, Objects, path, resource_name};

    #[test]
    fn each_type_is_there_once() {
        let names: BTreeSet<_> = OBJECT_TYPES.iter().map(|of| of.name).collect();
        assert_eq!(names.len(), OBJECT_TYPES.len());
    }

    #[test]
    fn leads_contacts_opportunities_custom_objects_all_tasks_and_all_activities_are_the_default() {
        for of in &OBJECT_TYPES {
            let is_expected = resource_name(of.name).is_some() || of.name == "custom_object";
            assert_eq!(of.is_default, is_expected, "{}", of.name);
        }
    }

    #[test]
    fn an_object_is_found_where_close_has_it() {
        for (object_type, expected) in [
            ("contact", Some("contact/x/")),
            ("task.lead", Some("task/x/")),
            ("task.outgoing_call", Some("task/x/")),
            ("task.telepathy", Some("task/x/")),
            ("activity.call", Some("activity/call/x/")),
            ("activity.custom_activity", Some("activity/custom/x/")),
            ("activity.email_thread", Some("activity/emailthread/x/")),
            (
                "activity.lead_status_change",
                Some("activity/status_change/lead/x/"),
            ),
            (
                "activity.opportunity_status_change",
                Some("activity/status_change/opportunity/x/"),
            ),
            ("custom_fields.lead", Some("custom_field/lead/x/")),
            (
                "custom_fields.custom_object",
                Some("custom_field/custom_object_type/x/"),
            ),
            ("custom_activity_type", Some("custom_activity/x/")),
            ("status.lead", Some("status/lead/x/")),
            ("export.lead", Some("export/x/")),
            ("activity.telepathy", Some("activity/telepathy/x/")),
            ("starship", Some("starship/x/")),
            ("import", None),
            ("unsubscribed_email", None),
        ] {
            assert_eq!(path(object_type, "x").as_deref(), expected, "{object_type}");
        }
    }

    #[test]
    fn a_resource_has_a_name_of_the_hubs() {
        assert_eq!(resource_name("lead"), Some("accounts"));
        assert_eq!(resource_name("task.voicemail"), Some("tasks"));
        assert_eq!(resource_name("lead_merge"), None);
        assert_eq!(Objects::of_resource("leads"), Some(Objects::Leads));
        assert!(ObjectType::find("lead").is_some() && ObjectType::find("leads").is_none());
    }
}
