//! Input that was made to do harm, or that nobody thought of: each function answers it, and its process lives on.

use std::sync::Arc;

use local_stack::aws::lambda::function::Function;

use crate::world::World;

mod bounds;
mod encodings;
mod local;
mod private_keys;
mod requests;
mod surrogates;

/// A function's processes before something was done to it.
struct Processes {
    function: Arc<Function>,
    before: Vec<u32>,
}

impl Processes {
    /// Those of a function that has been invoked before.
    fn of(world: &World, logical_id: &str) -> Self {
        let function = Arc::clone(world.stack.function(logical_id).unwrap());
        let before = function.process_ids();
        assert!(!before.is_empty(), "{logical_id} has not been invoked");
        Self { function, before }
    }

    /// None has ended.
    #[track_caller]
    fn assert_alive(&self) {
        let now = self.function.process_ids();
        let live = self.before.iter().all(|id| now.contains(id));
        assert!(live, "of {:?} there are {now:?}", self.before);
    }
}
