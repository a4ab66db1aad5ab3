//! Everything the simulator knows, behind one lock, and how to wait for it to change.

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

use super::attempt::Attempt;
use super::change::{Change, Changed};
use super::clock::Clock;
use super::cursors::Cursors;
use super::faults::Planned;
use super::moment::Moment;
use super::rate_limit::Buckets;
use super::request_log::LoggedRequest;
use super::settings::{IndexDelay, Settings};
use super::tenant::Tenant;

/// How many changes a slow subscriber may be behind before it misses some.
const CHANGES_KEPT: usize = 4096;

/// The state.
#[derive(Debug)]
pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) tenants: Vec<Tenant>,
    pub(super) cursors: Cursors,
    pub(super) buckets: Buckets,
    pub(super) faults: Vec<Planned>,
    pub(super) requests: Vec<LoggedRequest>,
    pub(super) unexpected: Vec<String>,
    /// The operations that were answered, each with the parameters that were looked for.
    pub(super) served: BTreeMap<String, BTreeSet<String>>,
    pub(super) attempts: Vec<Attempt>,
    /// Deliveries that are waiting, running or to be retried.
    pub(super) undelivered: usize,
}

impl World {
    /// When and how a change happens that is asked for now.
    pub(super) fn moment(&self, change: Change) -> Moment {
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
pub(super) struct Shared {
    world: Mutex<World>,
    progress: watch::Sender<()>,
    pub(super) changes: broadcast::Sender<Changed>,
    pub(super) http: reqwest::Client,
    pub(super) delivering: Semaphore,
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
    pub(super) fn new(settings: Settings) -> anyhow::Result<Self> {
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
                tenants: Vec::new(),
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
    pub(super) fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes everybody who waits for the state to change.
    pub(super) fn notify(&self) {
        self.progress.send_replace(());
    }

    /// Waits until `check` finds something in the state.
    pub(super) async fn wait<T>(
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
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(task, &self.runtime);
    }

    /// Ends all tasks.
    pub(super) fn abort_tasks(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.abort_all();
    }
}
