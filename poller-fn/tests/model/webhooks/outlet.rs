//! The ledger and the bus, as one attempt of a delivery meets them.

use std::collections::HashSet;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use shared::event::Event;
use shared::event::bus::publication::{Fate, Publication};
use shared::event::ledger_key::LedgerKey;
use shared::store::error::TableError;
use tokio::time::sleep;
use webhook_fn::webhook::deliver::Outlet;

use super::story::Trouble;
use crate::world::World;

/// What a call takes.
const PACE: Duration = Duration::from_millis(4);

/// The outlet of one attempt.
pub(crate) struct ModelOutlet {
    pub(crate) world: Rc<World>,
    pub(crate) number: usize,
    pub(crate) trouble: Option<Trouble>,
}

impl Outlet for ModelOutlet {
    async fn recorded(&self, keys: &HashSet<LedgerKey>) -> Result<HashSet<LedgerKey>, TableError> {
        sleep(PACE).await;
        if self.trouble == Some(Trouble::NoRead) {
            return Err(silence());
        }
        Ok(self.world.ledger.borrow().known(keys))
    }

    async fn publish(&self, events: &[Event]) -> Publication {
        sleep(PACE).await;
        match self.trouble {
            Some(Trouble::DiesBefore) => pending().await,
            Some(Trouble::NoBus) => {
                let fates = vec![Fate::Unpublished; events.len()];
                return Publication::new(fates, Some("a fault".to_owned()));
            }
            _ => {}
        }
        let fates = vec![Fate::Published; events.len()];
        let now = self.world.now();
        let mut bus = self.world.bus.borrow_mut();
        bus.put(self.number, events, &fates, now);
        Publication::new(fates, None)
    }

    async fn record(&self, keys: &HashSet<LedgerKey>) -> Result<(), TableError> {
        sleep(PACE).await;
        match self.trouble {
            Some(Trouble::DiesBetween) => pending().await,
            Some(Trouble::NoWrite) => return Err(silence()),
            _ => {}
        }
        self.world.ledger.borrow_mut().record(keys.clone());
        Ok(())
    }
}

fn silence() -> TableError {
    TableError::Unavailable("a fault".to_owned())
}
