//! Decides which resource publishes an entry of the event log, where several read the log.

use shared::close::object_type::Objects;
use shared::event::change::Change;
use shared::polling::resource::{Resource, Source};

/// Whether a resource publishes an entry of the event log. `all` are the resources of the instance. A resource that polls everything
/// leaves out the entries that another resource publishes. A resource that reads objects sees creations and updates alone.
pub fn claims(resource: &Resource, all: &[Resource], change: &Change) -> bool {
    let objects = resource.query.objects;
    if change.object_type.is_empty() {
        return claims_untyped(resource, all);
    }
    if objects != Objects::All {
        return objects.include(&change.object_type);
    }
    let is_seen = !change.is_unreadable && matches!(change.action.as_str(), "created" | "updated");
    let publishes = |other: &Resource| {
        other.query.objects != Objects::All
            && other.query.objects.include(&change.object_type)
            && (is_seen || other.source == Source::EventLog)
    };
    !all.iter().any(publishes)
}

/// Whether a resource publishes the entries that do not say of which type their object is: one resource does, the first that polls
/// everything, or else the first that is read in the event log.
fn claims_untyped(resource: &Resource, all: &[Resource]) -> bool {
    let logged = || all.iter().filter(|it| it.source == Source::EventLog);
    let mut of_all = logged().filter(|it| it.query.objects == Objects::All);
    let owner = of_all.next().or_else(|| logged().next());
    owner.is_some_and(|owner| owner.name == resource.name)
}
