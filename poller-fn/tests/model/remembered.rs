//! What a resource may remember as done: what is on the bus, or never can be, and what its condition refused.

use shared::event::id::EventId;
use shared::store::watermarks::Commit;

use crate::owed;
use crate::world::World;

/// The bytes of an id, and of what is stored of it.
const ID: usize = 16;
const STORED: usize = 24;

/// What a commit remembers and must not.
pub(crate) fn objection(world: &World, commit: &Commit) -> Option<String> {
    let chunks = commit
        .put_chunks
        .iter()
        .flat_map(|(_, ids)| ids.chunks_exact(STORED));
    let mut ids = chunks.filter_map(|stored| Some(EventId(stored[..ID].try_into().ok()?)));
    let resource = &commit.resource;
    let wrong = ids.find(|id| !is_done(world, *id));
    wrong.map(|id| format!("{resource} remembers {id} as done, but nothing of it is on the bus"))
}

fn is_done(world: &World, id: EventId) -> bool {
    let bus = world.bus.borrow();
    if bus.is_done(id) {
        return true;
    }
    let close = world.close.borrow();
    let Some(place) = close.versions.get(&id) else {
        return false;
    };
    let entry = &close.log[place.entry];
    let (object, form) = (&close.objects[entry.object], &entry.forms[place.form]);
    let mut keys = owed::keys(object, entry, form).into_iter();
    keys.any(|key| bus.has(&key)) || owed::may_be_refused(world, object, form)
}
