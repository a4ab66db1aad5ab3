//! Everything the simulator knows, behind one lock, and how to wait for it to change.

pub(crate) mod account;
pub(crate) mod cursors;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use jiff::SignedDuration;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::account::Account;
use self::cursors::Cursors;
use crate::close::data::change::{Change, Changed};
use crate::close::data::moment::Moment;
use crate::close::data::time::clock::Clock;
use crate::close::faults::planned::Planned;
use crate::close::settings::{IndexDelay, Settings};
use crate::close::subscriptions::attempt::Attempt;
use crate::close::wire::rate_limit::Buckets;
use crate::close::wire::request_log::LoggedRequest;

/// How many changes a slow subscriber may be behind before it misses some.
const CHANGES_KEPT: usize = 4096;

/// The state.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) accounts: Vec<Account>,
    pub(crate) cursors: Cursors,
    pub(crate) buckets: Buckets,
    pub(crate) faults: Vec<Planned>,
    pub(crate) requests: Vec<LoggedRequest>,
    pub(crate) unexpected: Vec<String>,
    /// The operations that were answered, each with the parameters that were looked for.
    pub(crate) served: BTreeMap<String, BTreeSet<String>>,
    pub(crate) attempts: Vec<Attempt>,
    /// Deliveries that are waiting, running or to be retried.
    pub(crate) undelivered: usize,
}

impl World {
    /// When and how a change happens that is asked for now.
    pub(crate) fn moment(&self, change: Change) -> Moment {
        Moment {
            date_created: change.date_created,
            date_updated: change.date_updated,
            index: change.index.unwrap_or(self.settings.index_delay),
            logged_at: change.logged_at,
            visible: change.visible.unwrap_or(IndexDelay::Immediately),
            consolidation: SignedDuration::try_from(self.settings.consolidation)
                .unwrap_or(SignedDuration::MAX),
            quiet: change.quiet,
            logs_creations: self.settings.creation_events,
            per_millisecond: change.per_millisecond,
            ..Moment::new(self.clock.now())
        }
    }
}

/// The state and what works on it.
pub(crate) struct Shared {
    world: Mutex<World>,
    progress: watch::Sender<()>,
    pub(crate) changes: broadcast::Sender<Changed>,
    pub(crate) http: reqwest::Client,
    pub(crate) delivering: Semaphore,
    tasks: Mutex<JoinSet<()>>,
    runtime: Handle,
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    /// An empty world. Must be called within a runtime, which runs the deliveries.
    pub(crate) fn new(settings: Settings) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .connect_timeout(settings.webhook_connect_timeout)
            .timeout(settings.webhook_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self {
            delivering: Semaphore::new(settings.webhook_concurrency),
            world: Mutex::new(World {
                settings,
                clock: Clock::default(),
                accounts: Vec::new(),
                cursors: Cursors::default(),
                buckets: Buckets::default(),
                faults: Vec::new(),
                requests: Vec::new(),
                unexpected: Vec::new(),
                served: BTreeMap::new(),
                attempts: Vec::new(),
                undelivered: 0,
            }),
            progress: watch::Sender::default(),
            changes: broadcast::Sender::new(CHANGES_KEPT),
            http,
            tasks: Mutex::default(),
            runtime: Handle::current(),
        })
    }

    /// The state; a test that panicked while holding it has failed already and must not make others hang.
    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes everybody who waits for the state to change.
    pub(crate) fn notify(&self) {
        self.progress.send_replace(());
    }

    /// Waits until `check` finds something in the state.
    pub(crate) async fn wait<T>(
        &self,
        limit: Duration,
        check: impl Fn(&World) -> Option<T>,
    ) -> anyhow::Result<T> {
        let mut progress = self.progress.subscribe();
        let found = async {
            loop {
                let found = check(&self.lock());
                if let Some(found) = found {
                    return Ok(found);
                }
                progress.changed().await?;
            }
        };
        timeout(limit, found)
            .await
            .with_context(|| format!("waited {limit:?}"))?
    }

    /// Runs a task until it ends or the simulator does.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(task, &self.runtime);
    }

    /// Ends all tasks.
    pub(crate) fn abort_tasks(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.abort_all();
    }
}
