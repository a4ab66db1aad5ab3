//! All that a poll touches, as models of it, in virtual time.

use std::cell::{Cell, RefCell};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::bus::Bus;
use crate::close::Close;
use crate::history::{Act, Setup};
use crate::instance;
use crate::store::Store;

/// When every history begins.
pub(crate) fn epoch() -> Timestamp {
    Timestamp::constant(1_781_870_400, 123_456_789)
}

/// The world.
pub(crate) struct World {
    began: Instant,
    pub(crate) setup: Setup,
    pub(crate) close: RefCell<Close>,
    pub(crate) store: RefCell<Store>,
    pub(crate) bus: RefCell<Bus>,
    polls: Cell<usize>,
    violations: RefCell<Vec<String>>,
}

impl World {
    pub(crate) fn new(setup: &Setup) -> Self {
        Self {
            began: Instant::now(),
            setup: setup.clone(),
            close: RefCell::new(Close::new(setup.quirks.clone())),
            store: RefCell::new(Store::new(instance::new(setup))),
            bus: RefCell::default(),
            polls: Cell::new(0),
            violations: RefCell::default(),
        }
    }

    /// The true time.
    pub(crate) fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.began.elapsed());
        epoch() + elapsed.unwrap_or(SignedDuration::MAX)
    }

    /// A number for another poll.
    pub(crate) fn next_poll(&self) -> usize {
        self.polls.replace(self.polls.get() + 1)
    }

    /// Does what is no poll.
    pub(crate) fn apply(&self, act: &Act) {
        let now = self.now();
        let mut close = self.close.borrow_mut();
        match act {
            Act::Make(make) => close.make(make, now),
            Act::Edit(edit) => close.edit(edit, now),
            Act::Delete(delete) => close.delete(delete, now),
            Act::Merge { from, into } => close.merge(*from, *into, now),
            Act::Complete(which) => close.complete(*which, now),
            Act::Fence => self.store.borrow_mut().fence(),
            Act::Poll(_) => {}
        }
    }

    /// Notes that something happened that never may.
    pub(crate) fn violate(&self, what: String) {
        self.violations.borrow_mut().push(what);
    }

    /// Whatever happened that never may.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.violations.borrow().clone()
    }
}
