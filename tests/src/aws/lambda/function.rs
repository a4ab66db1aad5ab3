//! A Lambda function: its built binary, run as Lambda runs it.
//!
//! Each concurrent invocation has its own process (`process`) with a clean environment and its own Runtime API
//! (`runtime_api`); idle processes are used again. Nothing outlives the function: dropping it kills them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::environment;
pub(crate) use super::environment::Endpoints;
use super::invocation::{FunctionError, Invocation};
use super::process::Process;
use super::sandbox::{Outcome, Sandbox};
use crate::aws::cloudwatch::{Datapoint, Meter};
use crate::control::journal::Journal;
use crate::plumbing::sync::lock;
use crate::template::specs::function::FunctionSpec;

/// Processes of a function without reserved concurrency: enough to show concurrency, few enough for a small machine.
const DEFAULT_CONCURRENCY: usize = 10;

/// One function of the template.
#[derive(Debug)]
pub struct Function {
    /// What the template says about it.
    pub spec: FunctionSpec,
    binary: PathBuf,
    environment: BTreeMap<String, String>,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Sandbox>>,
    processes: Mutex<Vec<Weak<Process>>>,
    output: Arc<Journal<Line>>,
    meter: Meter,
    /// How many invocations will find no place.
    throttles: AtomicUsize,
    /// How many have ended with their process.
    deaths: AtomicUsize,
}

/// A line that a function wrote to stdout or stderr.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The function's key in the template.
    pub function: String,
    /// The line, without its end.
    pub text: String,
}

impl Function {
    pub(crate) fn new(
        spec: FunctionSpec,
        binary: PathBuf,
        endpoints: &Endpoints,
        output: Arc<Journal<Line>>,
        measured: &Arc<Journal<Datapoint>>,
    ) -> Self {
        let concurrency = spec
            .concurrency
            .and_then(|limit| usize::try_from(limit).ok());
        Self {
            environment: environment::full(&spec, endpoints),
            permits: Arc::new(Semaphore::new(concurrency.unwrap_or(DEFAULT_CONCURRENCY))),
            meter: Meter::of_function(&spec.name, measured),
            throttles: AtomicUsize::new(0),
            deaths: AtomicUsize::new(0),
            spec,
            binary,
            idle: Mutex::default(),
            processes: Mutex::default(),
            output,
        }
    }

    /// Invokes the function and waits for its answer.
    ///
    /// # Errors
    /// As Lambda reports them: the function's own error, or that it could not start, ended, or ran out of time.
    pub async fn invoke(self: &Arc<Self>, payload: &Value) -> Result<Value, FunctionError> {
        let invocation = Invocation {
            payload: payload.to_string(),
            trace: None,
        };
        let answer = self.run(invocation).await?;
        serde_json::from_str(&answer).map_err(|_| {
            FunctionError::new("Runtime.InvalidResponse", format!("not JSON: {answer}"))
        })
    }

    /// Has the next `count` invocations find no place to run, as when the account's concurrency is used up.
    pub fn throttle(&self, count: usize) {
        self.throttles.fetch_add(count, Ordering::Relaxed);
    }

    /// Kills all of its processes now, as when a machine dies: invocations in flight fail.
    pub async fn kill(&self) {
        for process in self.live_processes() {
            process.kill();
            process.exited().await;
        }
    }

    /// How many invocations were killed, ran out of time, or ended with their process otherwise.
    pub fn deaths(&self) -> usize {
        self.deaths.load(Ordering::Relaxed)
    }

    /// How many processes it has now.
    pub fn process_count(&self) -> usize {
        self.live_processes().len()
    }

    /// The operating system's numbers of them.
    pub fn process_ids(&self) -> Vec<u32> {
        let processes = self.live_processes();
        processes.iter().filter_map(|process| process.id).collect()
    }

    /// All that its processes wrote until now.
    pub fn output(&self) -> Vec<String> {
        let lines = self.output.snapshot();
        let own = lines
            .iter()
            .filter(|line| line.function == self.spec.logical_id);
        own.map(|line| line.text.clone()).collect()
    }

    /// Waits until it has written a line that `wanted` accepts; lines may arrive a little after an answer.
    ///
    /// # Errors
    /// If that does not happen within `timeout`.
    pub async fn wait_for_output(
        &self,
        timeout: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> anyhow::Result<()> {
        let fits = |line: &Arc<Line>| line.function == self.spec.logical_id && wanted(&line.text);
        let seen = |lines: &[Arc<Line>]| lines.iter().any(fits);
        self.output.wait_for(timeout, seen).await.map(|_| ())
    }

    /// Refuses further invocations and kills all processes.
    pub(crate) fn close(&self) {
        self.permits.close();
        lock(&self.idle).clear();
        for process in self.live_processes() {
            process.kill();
        }
    }

    /// The same, and waits until the processes have ended.
    pub(crate) async fn stop(&self) {
        let processes = self.live_processes();
        self.close();
        for process in processes {
            process.exited().await;
        }
    }

    /// Waits for a place among the concurrent invocations; `None` if the function has been closed.
    pub(crate) async fn admit(&self) -> Option<OwnedSemaphorePermit> {
        self.permits.clone().acquire_owned().await.ok()
    }

    /// Whether an invocation finds no place to run; if so, it is counted.
    pub(crate) fn is_throttled(&self) -> bool {
        let take = |left: usize| left.checked_sub(1);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let is_throttled = self.throttles.fetch_update(set, fetch, take).is_ok();
        if is_throttled {
            self.meter.note("Throttles", 1.0);
        }
        is_throttled
    }

    /// Notes that a message did not lead to another invocation, as its chain of them is too long.
    pub(crate) fn note_stopped_loop(&self) {
        self.meter.note("RecursiveInvocationsDropped", 1.0);
    }

    pub(crate) async fn run(
        self: &Arc<Self>,
        invocation: Invocation,
    ) -> Result<String, FunctionError> {
        if self.is_throttled() {
            return Err(throttled());
        }
        match self.admit().await {
            Some(permit) => self.run_admitted(permit, invocation).await,
            None => Err(closed()),
        }
    }

    /// The invocation goes on when the caller stops waiting, as on Lambda.
    pub(crate) async fn run_admitted(
        self: &Arc<Self>,
        permit: OwnedSemaphorePermit,
        invocation: Invocation,
    ) -> Result<String, FunctionError> {
        let function = self.clone();
        let running = tokio::spawn(async move {
            let started = Instant::now();
            let outcome = function.run_in_sandbox(&invocation).await;
            function.measure(started, outcome.is_err());
            drop(permit);
            outcome
        });
        running.await.unwrap_or_else(|_| Err(closed()))
    }

    fn measure(&self, started: Instant, is_error: bool) {
        let places = self
            .spec
            .concurrency
            .and_then(|limit| usize::try_from(limit).ok());
        let places = places.unwrap_or(DEFAULT_CONCURRENCY);
        let running = places.saturating_sub(self.permits.available_permits());
        let running = f64::from(u32::try_from(running).unwrap_or(u32::MAX));
        self.meter.note("Invocations", 1.0);
        self.meter.note("Errors", f64::from(u8::from(is_error)));
        self.meter
            .note("Duration", 1_000.0 * started.elapsed().as_secs_f64());
        self.meter.note("ConcurrentExecutions", running);
    }

    async fn run_in_sandbox(&self, invocation: &Invocation) -> Result<String, FunctionError> {
        loop {
            let sandbox = match self.take_idle() {
                Some(sandbox) => sandbox,
                None => self.start_sandbox().await?,
            };
            match sandbox.run(invocation, self.spec.timeout).await {
                // The process died idle, before it took the invocation.
                Outcome::NotTaken => {}
                Outcome::Answered(answer) => {
                    lock(&self.idle).push(sandbox);
                    return answer;
                }
                Outcome::Died(error) => {
                    self.deaths.fetch_add(1, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
    }

    fn take_idle(&self) -> Option<Sandbox> {
        let mut idle = lock(&self.idle);
        idle.retain(Sandbox::is_alive);
        idle.pop()
    }

    async fn start_sandbox(&self) -> Result<Sandbox, FunctionError> {
        let arn = &self.spec.arn;
        let (id, output) = (self.spec.logical_id.clone(), self.output.clone());
        let on_line = move |text| {
            let function = id.clone();
            output.push(Line { function, text });
        };
        let starting = Sandbox::launch(arn, &self.binary, &self.environment, on_line);
        let sandbox = starting.await?;
        self.register(sandbox.process());
        if self.permits.is_closed() {
            return Err(closed());
        }
        sandbox.ready().await?;
        Ok(sandbox)
    }

    fn register(&self, process: &Arc<Process>) {
        let mut processes = lock(&self.processes);
        processes.retain(|process| process.strong_count() != 0);
        processes.push(Arc::downgrade(process));
    }

    fn live_processes(&self) -> Vec<Arc<Process>> {
        let processes = lock(&self.processes);
        let mut live: Vec<_> = processes.iter().filter_map(Weak::upgrade).collect();
        live.retain(|process| process.is_alive());
        live
    }
}

fn closed() -> FunctionError {
    FunctionError::new("Lambda.Closed", "the local stack has been shut down")
}

fn throttled() -> FunctionError {
    FunctionError::new("TooManyRequestsException", "Rate Exceeded.")
}

#[cfg(test)]
pub(crate) mod tests;
