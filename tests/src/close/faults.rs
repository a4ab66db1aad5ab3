//! Faults on demand: which requests, and what happens to them.

use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

use super::answer::{Answer, Body, Refusal};
use super::rate_limit::{self, ThrottleBody};
use super::request_log::LoggedRequest;

/// Describes requests: those to a path, and of these the next one unless [`times`](Self::times) says more.
#[derive(Debug, Clone)]
pub struct RequestMatch {
    path: String,
    method: Option<String>,
    api_key: Option<String>,
    text: Option<String>,
    after: usize,
    times: usize,
}

impl RequestMatch {
    /// Requests to a path below the base URL: `/data/search/`; a `*` at the end stands for anything.
    pub fn to(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            method: None,
            api_key: None,
            text: None,
            after: 0,
            times: 1,
        }
    }

    /// Only those with this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only those that bear this API key.
    #[must_use]
    pub fn api_key(mut self, api_key: &str) -> Self {
        self.api_key = Some(api_key.to_owned());
        self
    }

    /// Only those whose body contains this text.
    #[must_use]
    pub fn containing(mut self, text: &str) -> Self {
        self.text = Some(text.to_owned());
        self
    }

    /// Lets so many pass first.
    #[must_use]
    pub fn after(mut self, requests: usize) -> Self {
        self.after = requests;
        self
    }

    /// So many of them; `usize::MAX` for all.
    #[must_use]
    pub fn times(mut self, requests: usize) -> Self {
        self.times = requests;
        self
    }

    /// Whether a request is of this kind, regardless of how many there were.
    pub fn describes(&self, request: &LoggedRequest) -> bool {
        let path = match self.path.strip_suffix('*') {
            Some(prefix) => request.path.starts_with(prefix),
            None => request.path == self.path,
        };
        path && self.method.as_ref().is_none_or(|m| *m == request.method)
            && self.api_key.as_ref().is_none_or(|key| request.has_key(key))
            && self
                .text
                .as_ref()
                .is_none_or(|text| request.body.contains(text))
    }
}

/// What an ingress says in place of Close.
const TOO_MANY_REQUESTS: &str = "<html><head><title>429 Too Many Requests</title></head>\
    <body><center><h1>429 Too Many Requests</h1></center><hr><center>nginx</center></body></html>";

/// What happens to a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This answer in place of Close's.
    Answer(Reply),
    /// The answer, but later.
    Delay(Duration),
    /// No answer: the connection is closed.
    CloseConnection,
    /// Close does what is asked, but its answer is lost: the connection is closed.
    LoseAnswer,
    /// No answer for as long as the client waits, and nothing is done.
    NoAnswer,
    /// The answer, evaluated at once, is sent when the hold is released. See [`super::CloseSimulator::hold`].
    Hold(HeldAnswer),
}

/// An answer given by a test.
#[derive(Debug, Clone)]
pub struct Reply(pub(super) Answer);

impl Fault {
    /// An answer without a body.
    pub fn status(status: u16) -> Self {
        Self::Answer(Reply(Answer {
            status,
            headers: Vec::new(),
            body: Body::Empty,
        }))
    }

    /// An answer whose body is no JSON, as of a proxy before Close.
    pub fn text(status: u16, body: &str) -> Self {
        Self::Answer(Reply(Answer {
            status,
            headers: Vec::new(),
            body: Body::Text(body.to_owned()),
        }))
    }

    /// A 429 of Close's ingress, which is HTML, with these headers.
    pub fn throttled_before(headers: &[(&'static str, &str)]) -> Self {
        let owned = |(name, value): &(&'static str, &str)| (*name, (*value).to_owned());
        Self::Answer(Reply(Answer {
            status: 429,
            headers: headers.iter().map(owned).collect(),
            body: Body::Text(TOO_MANY_REQUESTS.to_owned()),
        }))
    }

    /// A 401, as Close has answered once to a key that it took seconds later.
    pub fn unauthorized() -> Self {
        Self::Answer(Reply(Refusal::Unauthorized.into()))
    }

    /// An answer with a JSON body.
    pub fn json(status: u16, body: Value) -> Self {
        Self::Answer(Reply(Answer::json(status, body)))
    }

    /// A 429 that asks to wait for `reset`.
    pub fn throttled(reset: Duration, body: ThrottleBody) -> Self {
        Self::Answer(Reply(rate_limit::throttled(reset, body)))
    }
}

/// A fault that waits for its requests.
#[derive(Debug)]
pub(super) struct Planned {
    matching: RequestMatch,
    fault: Fault,
}

impl Planned {
    /// Plans a fault.
    pub(super) fn new(matching: RequestMatch, fault: Fault) -> Self {
        Self { matching, fault }
    }
}

/// The fault for a request, if one is planned; the first plan that has its turn wins.
pub(super) fn take(plans: &mut Vec<Planned>, request: &LoggedRequest) -> Option<Fault> {
    let mut fault = None;
    for plan in plans.iter_mut() {
        if !plan.matching.describes(request) {
            continue;
        }
        if 0 < plan.matching.after {
            plan.matching.after -= 1;
        } else if fault.is_none() && 0 < plan.matching.times {
            plan.matching.times -= 1;
            fault = Some(plan.fault.clone());
        }
    }
    plans.retain(|plan| 0 < plan.matching.times);
    fault
}

/// A test's hand on an answer that is held back; dropping it lets the answer go.
#[derive(Debug)]
pub struct Hold {
    released: watch::Sender<bool>,
    reached: watch::Receiver<bool>,
}

/// The server's side of a [`Hold`].
#[derive(Debug, Clone)]
pub struct HeldAnswer {
    released: watch::Receiver<bool>,
    reached: watch::Sender<bool>,
}

impl Hold {
    /// The two sides of a hold.
    pub(super) fn new() -> (Self, Fault) {
        let (release, released) = watch::channel(false);
        let (reach, reached) = watch::channel(false);
        let fault = Fault::Hold(HeldAnswer {
            released,
            reached: reach,
        });
        let hold = Self {
            released: release,
            reached,
        };
        (hold, fault)
    }

    /// Waits until the answer is being held.
    ///
    /// # Errors
    ///
    /// If no such request comes within `limit`.
    pub async fn reached(&mut self, limit: Duration) -> anyhow::Result<()> {
        timeout(limit, self.reached.wait_for(|reached| *reached))
            .await
            .context("no request came to be held")?
            .context("the fault was forgotten")?;
        Ok(())
    }

    /// Lets the answer go.
    pub fn release(self) {
        self.released.send_replace(true);
    }
}

impl HeldAnswer {
    /// Reports that the answer is held, and returns when it may go.
    pub(super) async fn wait(mut self) {
        self.reached.send_replace(true);
        // An error means that the test dropped its hold, which releases the answer as well.
        let _ = self.released.wait_for(|released| *released).await;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn request(path: &str) -> LoggedRequest {
        LoggedRequest {
            method: "GET".to_owned(),
            path: path.to_owned(),
            query: HashMap::new(),
            body: String::new(),
            key_id: None,
            status: None,
        }
    }

    #[test]
    fn a_fault_skips_and_repeats_as_told() {
        let matching = RequestMatch::to("/lead/*").after(1).times(2);
        let mut plans = vec![Planned::new(matching, Fault::status(500))];
        let paths = ["/lead/1/", "/me/", "/lead/2/", "/lead/", "/lead/3/"];
        let hit = paths.map(|path| take(&mut plans, &request(path)).is_some());
        assert_eq!(hit, [false, false, true, true, false]);
        assert!(plans.is_empty());
    }
}
