//! What happens to a request.

use std::time::Duration;

use serde_json::Value;

use super::hold::HeldAnswer;
use crate::close::settings::ThrottleBody;
use crate::close::wire::answer::{Answer, Body, Refusal};
use crate::close::wire::rate_limit;

/// What happens to a request.
#[derive(Debug, Clone)]
pub enum CloseFault {
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
    /// The answer, evaluated at once, is sent when the hold is released. See [`crate::close::CloseSimulator::hold`].
    Hold(HeldAnswer),
}

/// An answer given by a test.
#[derive(Debug, Clone)]
pub struct Reply(pub(crate) Answer);

/// What an ingress says in place of Close.
const TOO_MANY_REQUESTS: &str = "<html><head><title>429 Too Many Requests</title></head>\
    <body><center><h1>429 Too Many Requests</h1></center><hr><center>nginx</center></body></html>";

impl CloseFault {
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
