//! The calls that a request makes, and how each can fail.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Result, ensure};
use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use local_stack::control::fault::{Calls, Failure, Fault};
use serde_json::json;

use super::scenario::{Request, Stage};
use crate::world::{Answer, PATIENCE};

/// A call that a request makes: of those like it the first, or the one after so many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Site {
    place: Place,
    after: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Close { method: String, path: String },
    Table { operation: String, table: String },
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// It is not done, and may be later.
    Refused,
    /// It is not done, and never will be.
    Rejected,
    /// It is done, and no attempt at it is answered.
    AnswerLost,
    /// It is done, and only the next attempt at it is answered.
    FirstAnswerLost,
    /// It is not done, and its caller waits as long as it does.
    NoAnswer,
    /// It is done, and its caller is killed before it hears of that.
    CallerKilled,
}

/// A call that fails.
#[derive(Debug)]
pub(super) struct Failing {
    site: Site,
    how: How,
}

/// Sends a request and sees which calls it makes, those to tables first.
pub(super) async fn record(stage: &Stage, request: &Request) -> (Answer, Vec<Site>) {
    stage.world.stack.store().calls().clear();
    let asked = stage.world.close.requests().len();
    let answer = request.send(stage).await;

    let mut invocations = BTreeSet::new();
    let calls = stage.world.stack.store().calls().snapshot();
    // Another attempt is no other call.
    let calls = calls
        .iter()
        .filter(|call| invocations.insert(call.invocation.clone()));
    let tables = calls.map(|call| Place::Table {
        operation: call.operation.clone(),
        table: call.tables.join(" "),
    });
    let mut places: Vec<_> = tables.collect();
    let requests = &stage.world.close.requests()[asked..];
    places.extend(requests.iter().map(|request| Place::Close {
        method: request.method.clone(),
        path: pattern(&request.path),
    }));
    (answer, number(places))
}

/// The path of a subscription is no other request with another subscription.
fn pattern(path: &str) -> String {
    match path.strip_prefix("/webhook/") {
        Some(id) if !id.is_empty() => "/webhook/*".to_owned(),
        _ => path.to_owned(),
    }
}

fn number(places: Vec<Place>) -> Vec<Site> {
    let mut counts = BTreeMap::new();
    let sites = places.into_iter().map(|place| {
        let count = counts.entry(place.clone()).or_insert(0);
        let after = *count;
        *count += 1;
        Site { place, after }
    });
    sites.collect()
}

impl Site {
    fn is_close(&self) -> bool {
        matches!(self.place, Place::Close { .. })
    }

    fn is_read(&self) -> bool {
        match &self.place {
            Place::Close { method, .. } => method == "GET",
            Place::Table { operation, .. } => operation == "GetItem" || operation == "Query",
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Close { method, path } => write!(f, "{method} {path}")?,
            Place::Table { operation, table } => write!(f, "{operation} {table}")?,
        }
        match self.after {
            0 => Ok(()),
            after => write!(f, ", after {after}"),
        }
    }
}

impl Failing {
    /// A call in each way in which it can fail.
    pub(super) fn each(site: Site) -> impl Iterator<Item = Self> {
        let ways: &[How] = if site.is_read() {
            // Whether it was done is all the same.
            &[How::NoAnswer, How::Refused]
        } else if site.is_close() {
            &[
                How::NoAnswer,
                How::AnswerLost,
                How::Refused,
                How::Rejected,
                How::CallerKilled,
            ]
        } else {
            &[
                How::NoAnswer,
                How::AnswerLost,
                How::Refused,
                How::FirstAnswerLost,
                How::CallerKilled,
            ]
        };
        ways.iter().map(move |how| Self {
            site: site.clone(),
            how: *how,
        })
    }

    /// Whether its caller waits for long.
    pub(super) fn takes_long(&self) -> bool {
        self.how == How::NoAnswer
    }

    /// Whether it is refused for good.
    pub(super) fn is_rejected(&self) -> bool {
        self.how == How::Rejected
    }

    /// Whether the function does not live to answer.
    pub(super) fn is_killed(&self) -> bool {
        self.how == How::CallerKilled
    }

    /// Sends a request, of which the call fails, in all attempts at it.
    ///
    /// # Errors
    /// When there was no such call.
    pub(super) async fn break_down(&self, stage: &Stage, request: &Request) -> Result<Answer> {
        if self.how == How::CallerKilled {
            let (answer, killed) = tokio::join!(request.send(stage), self.kill_caller(stage));
            return killed.map(|()| answer);
        }
        match &self.site.place {
            Place::Close { .. } => stage.world.close.fail(self.requests(), self.at_close()),
            Place::Table { .. } => stage.world.stack.store().fail(self.at_table()),
        }
        let answer = request.send(stage).await;
        ensure!(stage.clear_faults(), "there was no such call");
        Ok(answer)
    }

    /// Kills the function when the call was done.
    async fn kill_caller(&self, stage: &Stage) -> Result<()> {
        let function = stage.world.stack.function("WebhookFunction")?;
        match &self.site.place {
            Place::Close { .. } => {
                let mut held = stage.world.close.hold(self.requests());
                held.reached(PATIENCE).await?;
                function.kill().await;
            }
            Place::Table { .. } => {
                let held = stage.world.stack.store().hold(self.calls());
                held.reached().await?;
                function.kill().await;
            }
        }
        Ok(())
    }

    fn requests(&self) -> RequestMatch {
        let Place::Close { method, path } = &self.site.place else {
            unreachable!("{self} is no request to Close");
        };
        RequestMatch::to(path).method(method).after(self.site.after)
    }

    fn calls(&self) -> Calls {
        let Place::Table { operation, table } = &self.site.place else {
            unreachable!("{self} is no call to a table");
        };
        let calls = Calls::of(operation).table(table);
        calls.after_first(self.site.after)
    }

    fn at_close(&self) -> CloseFault {
        match self.how {
            How::Rejected => CloseFault::json(400, json!({"error": "Rejected by a test."})),
            How::AnswerLost => CloseFault::LoseAnswer,
            How::NoAnswer => CloseFault::NoAnswer,
            _ => CloseFault::status(503),
        }
    }

    fn at_table(&self) -> Fault {
        let fault = |failure| Fault::new(failure, self.calls());
        match self.how {
            How::AnswerLost => fault(Failure::Disconnected)
                .after_performing()
                .with_retries(),
            How::FirstAnswerLost => fault(Failure::Disconnected).after_performing(),
            How::NoAnswer => fault(Failure::NoAnswer).with_retries(),
            _ => fault(Failure::Internal).with_retries(),
        }
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.site, self.how)
    }
}
