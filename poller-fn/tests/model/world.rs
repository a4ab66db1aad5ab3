//! All that a poll touches, as models of it, in virtual time.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use shared::event::ledger_key::LedgerKey;
use tokio::time::Instant;

use crate::bus::Bus;
use crate::close::state::Close;
use crate::close::webhooks::Webhooks;
use crate::history::{Act, Configure, Polled, Setup, epoch};
use crate::instance;
use crate::ledger::Ledger;
use crate::store::Store;

/// The world.
pub(crate) struct World {
    began: Instant,
    pub(crate) setup: Setup,
    pub(crate) close: RefCell<Close>,
    pub(crate) store: RefCell<Store>,
    pub(crate) bus: RefCell<Bus>,
    pub(crate) ledger: RefCell<Ledger>,
    pub(crate) webhooks: RefCell<Webhooks>,
    /// Who has published, by number, and the entries whose webhook was taken, with the time.
    pub(crate) publishers: RefCell<Vec<Publisher>>,
    pub(crate) arrived: RefCell<HashMap<LedgerKey, Timestamp>>,
    /// What is dated before is nobody's.
    start: Cell<Timestamp>,
    /// The resources of the instance, as its owner configured them one time after the other.
    eras: RefCell<Vec<Vec<Polled>>>,
    polls: Cell<usize>,
    violations: RefCell<Vec<String>>,
    /// Close answers nothing at all.
    pub(crate) is_silent: Cell<bool>,
}

/// A poll, or an attempt of a webhook.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Publisher {
    pub(crate) number: usize,
    pub(crate) began: Timestamp,
    pub(crate) ended: Timestamp,
    /// Something went wrong with it.
    pub(crate) is_troubled: bool,
    pub(crate) is_webhook: bool,
}

impl World {
    pub(crate) fn new(setup: &Setup) -> Self {
        Self {
            began: Instant::now(),
            setup: setup.clone(),
            close: RefCell::new(Close::new(setup.quirks.clone())),
            store: RefCell::new(Store::new(instance::new(setup, epoch()))),
            eras: RefCell::new(vec![setup.resources.clone()]),
            bus: RefCell::default(),
            ledger: RefCell::default(),
            webhooks: RefCell::default(),
            publishers: RefCell::default(),
            arrived: RefCell::default(),
            start: Cell::new(epoch()),
            polls: Cell::new(0),
            violations: RefCell::default(),
            is_silent: Cell::default(),
        }
    }

    /// The true time.
    pub(crate) fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.began.elapsed());
        epoch() + elapsed.unwrap_or(SignedDuration::MAX)
    }

    /// Makes the instance.
    pub(crate) fn begin(&self) {
        let now = self.now();
        let instance = instance::new(&self.setup, now);
        self.store.replace(Store::new(instance));
        self.start.set(instance::start(&self.setup, now));
    }

    /// What is dated before is nobody's.
    pub(crate) fn start(&self) -> Timestamp {
        self.start.get()
    }

    /// The resources of the instance, as its owner configured them one time after the other.
    pub(crate) fn eras(&self) -> Vec<Vec<Polled>> {
        self.eras.borrow().clone()
    }

    /// A number for another poll, or attempt of a webhook.
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
            Act::Touch { of, which } => close.touch(*of, *which, now),
            Act::Obscure { of, which, what } => close.obscure(*of, *which, *what, now),
            Act::Fence => self.store.borrow_mut().fence(),
            Act::Backfill(backfill) => {
                let from = now - backfill.ago;
                let to = now.min(from + backfill.length);
                let resource = backfill.of.path();
                self.store.borrow_mut().ask(resource, from, to, now);
            }
            Act::Configure(configure) => self.configure(configure),
            Act::Poll(_) => {}
        }
    }

    /// Changes the resources of the instance, of which one must be left.
    fn configure(&self, Configure { of, to }: &Configure) {
        let mut eras = self.eras.borrow_mut();
        let mut next = eras.last().cloned().unwrap_or_default();
        next.retain(|polled| polled.of != *of);
        next.extend(to.clone());
        if !next.is_empty() {
            let start = self.setup.start.map(|_| self.start());
            let configuration = instance::configuration(&next, start);
            self.store.borrow_mut().configure(configuration);
            eras.push(next);
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
