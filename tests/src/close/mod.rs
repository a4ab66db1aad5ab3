//! A simulator of the Close CRM API, for the local stack and the integration tests.
//!
//! It listens on loopback and answers under `/api/v1` as Close does, quirks included: parameters that Close ignores are
//! ignored, the search index may lag behind, ties come in no useful order, a cursor dies, a webhook is signed and
//! retried. What Close would do is either done or refused loudly: an unknown path, a query the simulator cannot
//! evaluate and the like are also listed by [`CloseSimulator::unexpected`], so that a test can fail at its end.
//!
//! Tests change the data through an [`Organization`], watch requests and webhook deliveries, and plan faults.

pub mod activity;
pub(crate) mod api;
pub mod data;
pub(crate) mod deliveries;
pub mod faults;
pub mod organization;
pub mod settings;
pub mod subscriptions;
pub mod wire;
pub(crate) mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use jiff::SignedDuration;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};

use self::api::server;
use self::data::change::Changed;
use self::deliveries::post;
use self::faults::fault::CloseFault;
use self::faults::hold::AnswerHold;
use self::faults::planned::Planned;
use self::faults::request_match::RequestMatch;
use self::organization::Organization;
use self::settings::{CustomAnswer, RateLimit, Settings, UnknownEvents};
use self::subscriptions::attempt::Attempt;
use self::wire::request_log::LoggedRequest;
use self::world::Shared;

/// A running simulator; dropping it stops the server and every delivery.
#[derive(Debug)]
pub struct CloseSimulator {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
}

impl CloseSimulator {
    /// Starts the simulator on `settings.listen`.
    ///
    /// # Errors
    ///
    /// If the address is not a loopback address or cannot be bound.
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        ensure!(
            settings.listen.ip().is_loopback(),
            "the simulator listens on loopback only, not on {}",
            settings.listen
        );
        let listener = TcpListener::bind(settings.listen)
            .await
            .with_context(|| format!("cannot listen on {}", settings.listen))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(settings)?);
        let stop = server::spawn(Arc::clone(&shared), listener);
        Ok(Self {
            shared,
            address,
            stop,
        })
    }

    /// The API's base, as a client is configured with it: no trailing slash.
    pub fn base_url(&self) -> String {
        format!("http://{}/api/v1", self.address)
    }

    /// Adds an organization with its first API key.
    pub fn organization(&self, name: &str, api_key: &str) -> Organization {
        Organization::create(&self.shared, name, api_key)
    }

    /// Moves Close's clock against the real one: the `Date` header and every stamp.
    pub fn set_clock_skew(&self, skew: SignedDuration) {
        self.shared.lock().clock.set_skew(skew);
    }

    /// Sets within which time successive updates of one object become one event.
    pub fn set_consolidation(&self, within: Duration) {
        self.shared.lock().settings.consolidation = within;
    }

    /// Has Close let nobody subscribe to these object types any more, and sets what becomes of a subscription that names them.
    pub fn withhold(&self, object_types: &[&str], unknown_events: UnknownEvents) {
        let settings = &mut self.shared.lock().settings;
        settings.withheld_types = object_types.iter().map(ToString::to_string).collect();
        settings.unknown_events = unknown_events;
    }

    /// Sets what a search answers to the selector `custom`.
    pub fn set_custom_answer(&self, answer: CustomAnswer) {
        self.shared.lock().settings.custom_answer = answer;
    }

    /// Turns rate limiting on, changes it, or turns it off; what was used so far is forgotten.
    pub fn set_rate_limit(&self, rate_limit: Option<RateLimit>) {
        let mut world = self.shared.lock();
        world.settings.rate_limit = rate_limit;
        world.buckets.clear();
    }

    /// Plans a fault for the requests that `matching` describes.
    pub fn fail(&self, matching: RequestMatch, fault: CloseFault) {
        self.shared
            .lock()
            .faults
            .push(Planned::new(matching, fault));
    }

    /// Holds the answer to the next request that `matching` describes, after it was evaluated, until released.
    pub fn hold(&self, matching: RequestMatch) -> AnswerHold {
        let (hold, answer) = AnswerHold::new();
        self.fail(matching, CloseFault::Hold(answer));
        hold
    }

    /// Forgets every fault that has not happened yet. Returns whether there was none.
    pub fn clear_faults(&self) -> bool {
        let mut world = self.shared.lock();
        let all_happened = world.faults.is_empty();
        world.faults.clear();
        all_happened
    }

    /// Every request so far, oldest first.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.shared.lock().requests.clone()
    }

    /// How many requests so far `matching` describes; its `after` and `times` play no part.
    pub fn count(&self, matching: &RequestMatch) -> usize {
        let world = self.shared.lock();
        world
            .requests
            .iter()
            .filter(|r| matching.describes(r))
            .count()
    }

    /// Waits until at least `count` requests that `matching` describes have been answered.
    ///
    /// # Errors
    ///
    /// If that does not happen within `timeout`.
    pub async fn wait_for_requests(
        &self,
        matching: &RequestMatch,
        count: usize,
        timeout: Duration,
    ) -> anyhow::Result<Vec<LoggedRequest>> {
        self.shared
            .wait(timeout, |world| {
                let answered = world.requests.iter().filter(|r| r.status.is_some());
                let found: Vec<_> = answered
                    .filter(|r| matching.describes(r))
                    .cloned()
                    .collect();
                (count <= found.len()).then_some(found)
            })
            .await
            .with_context(|| format!("fewer than {count} requests: {matching:?}"))
    }

    /// What was answered so far: operations as `GET /lead/{id}/`, each with the parameters that the simulator knows there.
    pub fn served(&self) -> BTreeMap<String, BTreeSet<String>> {
        self.shared.lock().served.clone()
    }

    /// What the simulator was asked and does not simulate; a test that is not about this expects it to be empty.
    pub fn unexpected(&self) -> Vec<String> {
        self.shared.lock().unexpected.clone()
    }

    /// Every attempt to deliver a webhook so far, in the order in which they ended.
    pub fn deliveries(&self) -> Vec<Attempt> {
        self.shared.lock().attempts.clone()
    }

    /// Waits until `enough` says that the attempts so far suffice, and returns them.
    ///
    /// # Errors
    ///
    /// If that does not happen within `timeout`.
    pub async fn wait_for_deliveries(
        &self,
        timeout: Duration,
        enough: impl Fn(&[Attempt]) -> bool,
    ) -> anyhow::Result<Vec<Attempt>> {
        self.shared
            .wait(timeout, |world| {
                enough(&world.attempts).then(|| world.attempts.clone())
            })
            .await
            .context("the expected webhook deliveries did not happen")
    }

    /// Waits until nothing is left to deliver: every event was accepted, dropped, or had no subscription.
    ///
    /// # Errors
    ///
    /// If that does not happen within `timeout`.
    pub async fn wait_until_delivered(&self, timeout: Duration) -> anyhow::Result<Vec<Attempt>> {
        self.shared
            .wait(timeout, |world| {
                (world.undelivered == 0).then(|| world.attempts.clone())
            })
            .await
            .context("some webhooks are still undelivered")
    }

    /// Posts a notification in the unsigned format of 2014 to `url`, once, and says what came of it.
    pub async fn post_legacy(&self, url: &str, model: &str, event: &str, data: Value) -> Attempt {
        post::post_legacy(&self.shared, url, model, event, data).await
    }

    /// Follows the changes of every organization from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Changed> {
        self.shared.changes.subscribe()
    }
}

impl Drop for CloseSimulator {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.shared.abort_tasks();
    }
}
