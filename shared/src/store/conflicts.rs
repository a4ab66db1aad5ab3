//! Writes that the writes of others overtake.
//!
//! Every write of an instance is conditional on the version that was read. On a conflict its writer reads again and applies the
//! same change to what is stored now.

/// Whoever is overtaken so often gives up.
const MAX_TRIES: usize = 5;

/// The conflicts that a change has met so far.
#[derive(Debug, Default)]
pub struct Conflicts(usize);

impl Conflicts {
    /// Counts a conflict. Returns whether to try again.
    pub fn retry(&mut self) -> bool {
        self.0 += 1;
        self.0 < MAX_TRIES
    }
}

#[cfg(test)]
mod tests {
    use super::{Conflicts, MAX_TRIES};

    #[test]
    fn a_change_is_tried_five_times() {
        let mut conflicts = Conflicts::default();
        assert!((1..MAX_TRIES).all(|_| conflicts.retry()));
        assert!(!conflicts.retry());
    }
}
