//! Faults on demand, for the local AWS services.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use axum::http::HeaderMap;

use super::hold::{Gate, Hold, hold};
use crate::plumbing::sync::lock;

/// Which calls a fault or a hold is meant for.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    operation: Option<String>,
    subject: Option<String>,
    skip: usize,
}

impl Calls {
    /// Every call.
    pub fn any() -> Self {
        Self::default()
    }

    /// The calls of one operation, such as `PutItem`.
    pub fn of(operation: &str) -> Self {
        Self {
            operation: Some(operation.to_owned()),
            ..Self::default()
        }
    }

    /// Of these only the calls that touch one table, named by its key in the template.
    #[must_use]
    pub fn table(mut self, logical_id: &str) -> Self {
        self.subject = Some(logical_id.to_owned());
        self
    }

    /// Of these only the calls about one queue, named by its key in the template.
    #[must_use]
    pub fn queue(mut self, logical_id: &str) -> Self {
        self.subject = Some(logical_id.to_owned());
        self
    }

    /// Of these only the calls that put an event of this source.
    #[must_use]
    pub fn source(mut self, source: &str) -> Self {
        self.subject = Some(source.to_owned());
        self
    }

    /// Of these only what comes after the first `count`.
    #[must_use]
    pub fn after_first(mut self, count: usize) -> Self {
        self.skip = count;
        self
    }

    pub(crate) fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// Whether the call is meant; counts down the calls to be let through first.
    fn accept(&mut self, operation: &str, subjects: &[String]) -> bool {
        let operation_fits = self.operation.iter().all(|wanted| wanted == operation);
        let subject_fits = self.subject.iter().all(|wanted| subjects.contains(wanted));
        if !operation_fits || !subject_fits {
            return false;
        }
        let due = self.skip == 0;
        self.skip = self.skip.saturating_sub(1);
        due
    }
}

/// How a call fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The service's own throttling error, status 400.
    Throttled,
    /// The service's own internal error, status 500.
    Internal,
    /// The connection is closed without an answer.
    Disconnected,
    /// There is no answer for as long as the client waits.
    NoAnswer,
    /// Any other error.
    Error {
        /// The HTTP status.
        status: u16,
        /// The error's code, such as `AccessDeniedException`.
        code: String,
    },
    /// An HTTP status with nothing else, as of something that stands before the service.
    Bare {
        /// The HTTP status.
        status: u16,
    },
}

/// A failure, the calls that it hits, and how many of them.
#[derive(Debug, Clone)]
pub struct Fault {
    pub(crate) failure: Failure,
    pub(crate) calls: Calls,
    pub(crate) performed: bool,
    remaining: usize,
    retries: Retries,
}

/// What becomes of the further attempts at a call that was hit.
#[derive(Debug, Clone)]
enum Retries {
    /// Each counts as a call.
    Count,
    /// They are hit as well. Here are the calls that were.
    Hit(BTreeSet<String>),
}

impl Fault {
    /// The next of `calls` fails and has no effect.
    pub fn new(failure: Failure, calls: Calls) -> Self {
        Self {
            failure,
            calls,
            performed: false,
            remaining: 1,
            retries: Retries::Count,
        }
    }

    /// Hits all attempts at a call, and counts them as one.
    #[must_use]
    pub fn with_retries(mut self) -> Self {
        self.retries = Retries::Hit(BTreeSet::new());
        self
    }

    /// Whether this is another attempt at a call that was hit.
    fn goes_on_with(&self, call: Option<&str>) -> bool {
        match (&self.retries, call) {
            (Retries::Hit(calls), Some(call)) => calls.contains(call),
            _ => false,
        }
    }

    /// Whether the call is hit; counts it.
    fn hit(&mut self, operation: &str, subjects: &[String], call: Option<&str>) -> bool {
        if self.goes_on_with(call) {
            return true;
        }
        if self.remaining == 0 || !self.calls.accept(operation, subjects) {
            return false;
        }
        self.remaining -= 1;
        if let (Retries::Hit(calls), Some(call)) = (&mut self.retries, call) {
            calls.insert(call.to_owned());
        }
        true
    }

    fn is_over(&self) -> bool {
        self.remaining == 0 && matches!(self.retries, Retries::Count)
    }

    /// The next `count` fail.
    #[must_use]
    pub fn times(mut self, count: usize) -> Self {
        self.remaining = count;
        self
    }

    /// The call takes effect, and only its answer is the failure.
    #[must_use]
    pub fn after_performing(mut self) -> Self {
        self.performed = true;
        self
    }
}

/// The faults and holds that a service still has before it.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    faults: Mutex<Vec<Fault>>,
    holds: Mutex<Vec<(Calls, Gate)>>,
    latency: Mutex<Duration>,
}

impl Plan {
    pub(crate) fn fail(&self, fault: Fault) {
        lock(&self.faults).push(fault);
    }

    /// Forgets every fault. Returns whether each has hit as many calls as it was meant for.
    pub(crate) fn clear(&self) -> bool {
        let faults = std::mem::take(&mut *lock(&self.faults));
        faults.iter().all(|fault| fault.remaining == 0)
    }

    pub(crate) fn hold(&self, calls: Calls) -> Hold {
        let (hold, gate) = hold();
        lock(&self.holds).push((calls, gate));
        hold
    }

    pub(crate) fn set_latency(&self, latency: Duration) {
        *lock(&self.latency) = latency;
    }

    /// The fault that hits this call, if one does. `call` is the same for all attempts at it.
    pub(crate) fn fault(
        &self,
        operation: &str,
        subjects: &[String],
        call: Option<&str>,
    ) -> Option<Fault> {
        let mut faults = lock(&self.faults);
        let hit = faults
            .iter_mut()
            .position(|fault| fault.hit(operation, subjects, call))?;
        let fault = faults[hit].clone();
        faults.retain(|fault| !fault.is_over());
        Some(fault)
    }

    /// Waits as long as an answer takes, and while a test holds the one to this call.
    pub(crate) async fn pass(&self, operation: &str, subjects: &[String]) {
        let latency = *lock(&self.latency);
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let gate = {
            let mut holds = lock(&self.holds);
            let held = holds
                .iter_mut()
                .position(|(calls, _)| calls.accept(operation, subjects));
            held.map(|held| holds.remove(held).1)
        };
        if let Some(gate) = gate {
            gate.pass().await;
        }
    }
}

/// What all attempts of an SDK's at one call have in common.
pub(crate) fn invocation(headers: &HeaderMap) -> Option<&str> {
    headers.get("amz-sdk-invocation-id")?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_its_calls_and_no_others() {
        let plan = Plan::default();
        let calls = Calls::of("PutItem").table("Ledger").after_first(1);
        plan.fail(Fault::new(Failure::Throttled, calls).times(2));
        let ledger = ["Ledger".to_owned()];
        let hits = |operation, tables: &[String]| plan.fault(operation, tables, None).is_some();
        assert!(!hits("GetItem", &ledger));
        assert!(!hits("PutItem", &["Instances".to_owned()]));
        assert!(!hits("PutItem", &ledger), "the first is let through");
        assert!(hits("PutItem", &ledger));
        assert!(hits("PutItem", &ledger));
        assert!(!hits("PutItem", &ledger), "two is enough");
    }

    #[test]
    fn a_fault_with_retries_hits_one_call_however_often_it_is_tried() {
        let plan = Plan::default();
        let calls = Calls::of("PutItem").after_first(1);
        plan.fail(Fault::new(Failure::Throttled, calls).with_retries());
        let hits = |call| plan.fault("PutItem", &[], Some(call)).is_some();
        assert!(!hits("first"), "it is let through");
        assert!(hits("second") && hits("second"));
        assert!(!hits("third"));
        assert!(hits("second"), "however late");
        assert!(plan.clear() && !hits("second"));
    }
}
