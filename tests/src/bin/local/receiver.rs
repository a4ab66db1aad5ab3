//! What stands at the callback URL of the instances: it takes their notifications, verifies them and hands them on.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::value::RawValue;
use shared::json::path;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::provision::{SIGNATURE_KEY, now};
use crate::signature::verify;

/// Like a path that an application of anybody's would have.
const PATH: &str = "/events";

/// A verified notification.
#[derive(Debug)]
pub(crate) struct Notification {
    pub(crate) channel: &'static str,
    /// What has changed and how, such as `contacts.updated`.
    pub(crate) kind: String,
    pub(crate) object_id: String,
    pub(crate) date: String,
    /// The record that was polled, or what Close sent.
    pub(crate) raw: Box<RawValue>,
}

/// What came of a request: a notification, or why it was refused.
pub(crate) type Outcome = Result<Notification>;

/// What stands at the callback URL.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    sender: UnboundedSender<Outcome>,
    is_down: Arc<AtomicBool>,
}

impl Receiver {
    /// While it is down, it answers 503 to everything.
    pub(crate) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::Relaxed);
    }
}

/// Serves until the program ends. Returns the URL, itself, and what comes there.
pub(crate) async fn start() -> Result<(String, Receiver, UnboundedReceiver<Outcome>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}{PATH}", listener.local_addr()?);
    let (sender, outcomes) = mpsc::unbounded_channel();
    let is_down = Arc::default();
    let receiver = Receiver { sender, is_down };
    let router = Router::new().route(PATH, post(take));
    let router = router.with_state(receiver.clone());
    tokio::spawn(async move {
        // Serving never ends by itself; accept errors are retried inside.
        let _ = axum::serve(listener, router).await;
    });
    Ok((url, receiver, outcomes))
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if receiver.is_down.load(Ordering::Relaxed) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let outcome = read(&headers, &body);
    let status = match outcome {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::UNAUTHORIZED,
    };
    // Nobody listens any more when the program is about to end.
    let _ = receiver.sender.send(outcome);
    status
}

fn read(headers: &HeaderMap, body: &[u8]) -> Outcome {
    let verified = verify(SIGNATURE_KEY, headers, body, now().as_second());
    if let Err(problem) = verified {
        bail!("a callback could not be verified: {problem}");
    }
    let body = shared::json::text(body)?;
    let body = shared::json::raw(body).context("a callback is not JSON")?;
    let event = path::at(&body, "message.events[0]").context("a callback has no event")?;
    let raw = path::at(&body, "message.raw").context("a callback has no raw")?;
    let text = |key: &str| path::text_at(event, key).unwrap_or_default();
    let (resource, event_type) = (text("objectType"), text("eventType"));
    // Only what was polled has a time of the poll, and its records by resource.
    let is_polled = path::at(raw, "pollDate").is_some();
    let record = is_polled
        .then(|| path::at(raw, &format!("{resource}[0]")))
        .flatten();
    Ok(Notification {
        channel: if is_polled { "polling" } else { "webhook" },
        kind: format!("{resource}.{}", event_type.to_lowercase()),
        object_id: text("objectId"),
        date: text("date"),
        raw: record.unwrap_or(raw).to_owned(),
    })
}
