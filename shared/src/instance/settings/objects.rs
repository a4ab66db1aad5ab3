//! `event.objects`: which of Close's events an instance subscribes to, and `event.webhook.extra_filter`, which of those
//! Close is to keep back.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::close::object_type::{self, OBJECT_TYPES, ObjectType, Objects, USUAL_ACTIONS};
use crate::close::webhook::SubscribedEvent;

/// Longest name, in bytes. Close's longest has 34.
const MAX_NAME: usize = 100;
/// Longest filter, in bytes; it is repeated in each event of its type.
const MAX_FILTER: usize = 8_192;
/// A subscription covers no more kinds of events. All that Close logs are fewer than 200.
const MAX_EVENTS: usize = 500;

/// What a name stands for. The later variants are the narrower ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Name<'a> {
    /// What a resource of the hub has; `events` has everything.
    Resource(Objects),
    /// All types of a family: `activity`.
    Family(&'a str),
    /// A type: `activity.call`.
    Type(&'a str),
    /// A type and an action: `activity.call.answered`.
    Event(&'a str, &'a str),
}

/// Something is wrong with the names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectsError {
    /// It can be no name of Close's.
    #[error(
        "expected Close's object types between commas, each alone (`activity.call`), with an action (`lead.merged`) or as a family (`activity`), but found `{0}`"
    )]
    NoName(String),
    /// More than anybody needs.
    #[error("expected names of at most {MAX_EVENTS} kinds of events")]
    TooMany,
}

/// Something is wrong with a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// The member's name covers no subscribed event.
    #[error(
        "`{0}` covers no event that is subscribed to: expected names as in event.objects, such as `lead` or `lead.updated`"
    )]
    NotSubscribed(String),
    /// Two members are for the same resource.
    #[error(
        "expected one filter for a resource, but `{0}` is another name of one that has a filter"
    )]
    Twice(String),
    /// Not a filter.
    #[error(
        "expected a webhook filter of Close's, of at most {MAX_FILTER} bytes, in `{0}`, such as {{\"type\": \"field_accessor\", \"field\": \"data\", \"filter\": …}}"
    )]
    NoFilter(String),
}

impl<'a> Name<'a> {
    /// Reads a name. Some families have types with two parts, so that `task.fax` is a type and `lead.fax` an action.
    fn parse(text: &'a str) -> Option<Self> {
        if let Some(objects) = Objects::of_resource(text) {
            return Some(Self::Resource(objects));
        }
        let parts: Vec<_> = text.split('.').collect();
        let is_sound = |part: &&str| {
            let mut characters = part.chars();
            !part.is_empty()
                && characters
                    .all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '_')
        };
        if MAX_NAME < text.len() || !parts.iter().all(is_sound) {
            return None;
        }
        let is_of_two_parts = object_type::is_family_of_many(parts[0]);
        match parts[..] {
            [_] if is_of_two_parts && ObjectType::find(text).is_none() => Some(Self::Family(text)),
            [_] => Some(Self::Type(text)),
            [_, _] if is_of_two_parts => Some(Self::Type(text)),
            [_, action] | [_, _, action] if parts.len() == 2 || is_of_two_parts => {
                let object_type = &text[..text.len() - action.len() - 1];
                Some(Self::Event(object_type, action))
            }
            _ => None,
        }
    }

    /// The events that it stands for: those of the table, and what it says itself.
    fn events(self) -> Vec<(&'a str, &'a str)> {
        match self {
            Self::Type(object_type) if ObjectType::find(object_type).is_none() => USUAL_ACTIONS
                .iter()
                .map(|action| (object_type, *action))
                .collect(),
            Self::Event(object_type, action) => vec![(object_type, action)],
            name => {
                let named = OBJECT_TYPES.iter().filter(|of| name.covers(of.name, ""));
                named
                    .flat_map(|of| of.actions.iter().map(|action| (of.name, *action)))
                    .collect()
            }
        }
    }

    fn covers(self, object_type: &str, action: &str) -> bool {
        match self {
            Self::Resource(objects) => objects.include(object_type),
            Self::Family(family) => object_type::family(object_type) == family,
            Self::Type(of) => object_type == of,
            Self::Event(of, its) => object_type == of && action == its,
        }
    }
}

/// The events that `objects` names, a list between commas; those of all types that are subscribed to by default, where it
/// names none.
///
/// # Errors
/// The first of the names that can be none of Close's.
pub fn events(objects: Option<&str>) -> Result<Vec<SubscribedEvent>, ObjectsError> {
    let mut events = BTreeSet::new();
    for name in names(objects) {
        let parsed = Name::parse(name).ok_or_else(|| ObjectsError::NoName(name.to_owned()))?;
        events.extend(parsed.events());
        if MAX_EVENTS < events.len() {
            return Err(ObjectsError::TooMany);
        }
    }
    if events.is_empty() {
        let default = OBJECT_TYPES.iter().filter(|of| of.is_default);
        events.extend(default.flat_map(|of| of.actions.iter().map(|action| (of.name, *action))));
    }
    let events = events.into_iter();
    Ok(events
        .map(|(object_type, action)| SubscribedEvent {
            object_type: object_type.to_owned(),
            action: action.to_owned(),
            extra_filter: None,
        })
        .collect())
}

/// Gives each event the filter of the narrowest name that covers the event.
///
/// # Errors
/// What is wrong with each member.
pub fn set_filters(
    events: &mut [SubscribedEvent],
    filters: &Map<String, Value>,
) -> Result<(), Vec<FilterError>> {
    let mut errors = Vec::new();
    let mut sound = BTreeMap::new();
    for (text, filter) in filters {
        let name = Name::parse(text);
        let covers = |name: Name<'_>| {
            let mut events = events.iter();
            events.any(|event| name.covers(&event.object_type, &event.action))
        };
        match name {
            Some(name) if covers(name) && is_filter(filter) => {
                if sound.insert(name, filter).is_some() {
                    errors.push(FilterError::Twice(text.clone()));
                }
            }
            Some(name) if covers(name) => errors.push(FilterError::NoFilter(text.clone())),
            _ => errors.push(FilterError::NotSubscribed(text.clone())),
        }
    }
    for event in events {
        let mut narrowest = sound.iter().rev();
        let found = narrowest.find(|(name, _)| name.covers(&event.object_type, &event.action));
        event.extra_filter = found.map(|(_, filter)| (*filter).clone());
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

/// Close says what else is wrong with a filter.
fn is_filter(filter: &Value) -> bool {
    filter["type"].is_string() && filter.to_string().len() <= MAX_FILTER
}

/// The names that stand for nothing in the table. They may be misspelt, or newer than this.
pub fn unknown(objects: Option<&str>) -> impl Iterator<Item = &str> {
    names(objects).filter(|name| match Name::parse(name) {
        Some(Name::Type(object_type)) => ObjectType::find(object_type).is_none(),
        Some(Name::Event(object_type, action)) => {
            let known = ObjectType::find(object_type);
            known.is_none_or(|known| !known.actions.contains(&action))
        }
        Some(Name::Resource(_) | Name::Family(_)) | None => false,
    })
}

fn names(objects: Option<&str>) -> impl Iterator<Item = &str> {
    let names = objects.unwrap_or_default().split(',').map(str::trim);
    names.filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{FilterError, ObjectsError, events, set_filters, unknown};
    use crate::close::object_type::{OBJECT_TYPES, USUAL_ACTIONS};

    fn listed(objects: Option<&str>) -> Vec<String> {
        let events = events(objects).unwrap();
        let names = events
            .iter()
            .map(|event| format!("{} {}", event.object_type, event.action));
        names.collect()
    }

    #[test]
    fn leads_contacts_opportunities_custom_objects_tasks_and_activities_by_default() {
        let all = listed(None);
        for event in [
            "lead merged",
            "contact updated",
            "custom_object deleted",
            "task.missed_call completed",
            "activity.task_completed created",
            "activity.created created",
            "activity.meeting canceled",
        ] {
            assert!(all.contains(&event.to_owned()), "{event}");
        }
        assert!(!all.iter().any(|event| event.starts_with("bulk_action")));
        assert_eq!(listed(Some(" , ")), all);
    }

    #[test]
    fn everything_that_close_logs_can_be_named() {
        for of in &OBJECT_TYPES {
            assert_eq!(listed(Some(of.name)).len(), of.actions.len(), "{}", of.name);
            for action in of.actions {
                let event = listed(Some(&format!("{}.{action}", of.name)));
                assert_eq!(event, [format!("{} {action}", of.name)]);
            }
        }
        let actions: usize = OBJECT_TYPES.iter().map(|of| of.actions.len()).sum();
        assert_eq!(listed(Some("events")).len(), actions);
    }

    #[test]
    fn the_documented_types_and_actions_are_those_of_the_table() {
        let document = include_str!("../../../../docs/configuration.md");
        let (_, section) = document.split_once("### `event.objects`").unwrap();
        let rows = section.lines().skip_while(|line| !line.starts_with("|---"));
        let rows = rows.skip(1).take_while(|line| line.starts_with('|'));
        let mut documented = Vec::new();
        for row in rows {
            let columns: Vec<_> = row.split('|').map(str::trim).collect();
            let [_, types, actions, default, _] = columns[..] else {
                panic!("{row}")
            };
            let (own, alone) = match actions.strip_suffix(" alone") {
                Some(own) => (own, true),
                None => (actions, false),
            };
            let usual = if alone { &[] } else { USUAL_ACTIONS };
            let own = own
                .split([',', ' '])
                .filter(|word| !word.is_empty() && *word != "and");
            let mut actions: Vec<_> = usual.iter().copied().chain(own).collect();
            actions.sort_unstable();
            for name in types.split('`').skip(1).step_by(2) {
                documented.push((name, actions.clone(), default == "yes"));
            }
        }
        let known = OBJECT_TYPES.iter().map(|of| {
            let mut actions = of.actions.to_vec();
            actions.sort_unstable();
            (of.name, actions, of.is_default)
        });
        let mut known: Vec<_> = known.collect();
        known.sort();
        documented.sort();
        assert_eq!(documented, known);
    }

    #[test]
    fn objects_are_narrowed_by_type_family_resource_or_action() {
        let leads = [
            "lead created",
            "lead deleted",
            "lead merged",
            "lead updated",
        ];
        assert_eq!(listed(Some("accounts")), leads);
        assert_eq!(listed(Some("lead,leads, lead.merged")), leads);
        assert_eq!(listed(Some("lead.merged")), ["lead merged"]);
        assert_eq!(listed(Some("activity")), listed(Some("activities")));
        assert_eq!(listed(Some("task")), listed(Some("tasks")));
        assert_eq!(listed(Some("task")).len(), 9 * 4);
        assert_eq!(listed(Some("status")).len(), 2 * 3);
        assert_eq!(
            listed(Some("activity.call.answered")),
            ["activity.call answered"]
        );
    }

    #[test]
    fn a_well_formed_name_is_taken_as_close_may_know_it() {
        let usual =
            |of: &str| ["created", "deleted", "updated"].map(|action| format!("{of} {action}"));
        assert_eq!(listed(Some("starship")), usual("starship"));
        assert_eq!(listed(Some("activity.fax")), usual("activity.fax"));
        assert_eq!(listed(Some("starship.launched")), ["starship launched"]);
        assert_eq!(listed(Some("activity.fax.sent")), ["activity.fax sent"]);
        assert_eq!(listed(Some("lead.archived")), ["lead archived"]);
        let objects = Some("lead, starship, lead.archived, activity.fax, task, tasks, lead.merged");
        let found: Vec<_> = unknown(objects).collect();
        assert_eq!(found, ["starship", "lead.archived", "activity.fax"]);
    }

    #[test]
    fn what_can_be_no_name_of_closes_is_refused() {
        let long = "x".repeat(101);
        for name in [
            "Lead",
            "lead,.",
            "a b",
            "lead.merged.again",
            "a.b.c.d",
            "lead.",
            "léad",
            &long,
        ] {
            assert!(
                matches!(events(Some(name)), Err(ObjectsError::NoName(_))),
                "{name}"
            );
        }
        let many: Vec<_> = (0..200).map(|number| format!("type_{number}")).collect();
        assert_eq!(events(Some(&many.join(","))), Err(ObjectsError::TooMany));
    }

    fn filters(filters: &Value) -> Result<Vec<(String, Option<Value>)>, Vec<FilterError>> {
        let mut events = events(Some("lead,activity.call,activity.note")).unwrap();
        set_filters(&mut events, filters.as_object().unwrap())?;
        let filtered = events
            .into_iter()
            .filter(|event| event.extra_filter.is_some());
        Ok(filtered
            .map(|event| {
                (
                    format!("{}.{}", event.object_type, event.action),
                    event.extra_filter,
                )
            })
            .collect())
    }

    #[test]
    fn the_narrowest_filter_counts() {
        let filter = |name: &str| json!({"type": "equals", "value": name});
        let given = json!({
            "activity": filter("family"), "activity.call": filter("type"),
            "activity.call.answered": filter("event"), "accounts": filter("resource"),
            "events": filter("everything"), "activities": filter("another name of the family"),
        });
        let found = filters(&given).unwrap();
        assert_eq!(found.len(), 4 + 5 + 3);
        for (event, name) in [
            ("activity.call.answered", "event"),
            ("activity.call.created", "type"),
            ("activity.note.created", "family"),
            ("lead.merged", "resource"),
        ] {
            let found = found.iter().find(|(of, _)| of == event);
            assert_eq!(found.unwrap().1, Some(filter(name)), "{event}");
        }
    }

    #[test]
    fn a_filter_of_nothing_and_one_that_is_none_are_refused() {
        let long = "x".repeat(8_192);
        let given = json!({
            "contact": {"type": "is_null"}, "lead": true, "Lead": {"type": "is_null"},
            "activity": {"type": "equals", "value": long},
        });
        let expected = [
            FilterError::NotSubscribed("contact".to_owned()),
            FilterError::NoFilter("lead".to_owned()),
            FilterError::NotSubscribed("Lead".to_owned()),
            FilterError::NoFilter("activity".to_owned()),
        ];
        assert_eq!(filters(&given), Err(expected.to_vec()));
        let is_null = json!({"type": "is_null"});
        let given = json!({"accounts": is_null, "leads": is_null});
        let expected = [FilterError::Twice("leads".to_owned())];
        assert_eq!(filters(&given), Err(expected.to_vec()));
    }
}
