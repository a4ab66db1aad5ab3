//! What stands at the callback URL of the instances: it takes their notifications, verifies them and hands them on.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
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
    pub(crate) raw: Value,
}

/// What came of a request: a notification, or why it was refused.
pub(crate) type Outcome = Result<Notification>;

/// Serves until the program ends. Returns the URL, and what comes there.
pub(crate) async fn start() -> Result<(String, UnboundedReceiver<Outcome>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}{PATH}", listener.local_addr()?);
    let (sender, receiver) = mpsc::unbounded_channel();
    let router = Router::new().route(PATH, post(take)).with_state(sender);
    tokio::spawn(async move {
        // Serving never ends by itself; accept errors are retried inside.
        let _ = axum::serve(listener, router).await;
    });
    Ok((url, receiver))
}

async fn take(
    State(sender): State<UnboundedSender<Outcome>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let outcome = read(&headers, &body);
    let status = match outcome {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::UNAUTHORIZED,
    };
    // Nobody listens any more when the program is about to end.
    let _ = sender.send(outcome);
    status
}

fn read(headers: &HeaderMap, body: &[u8]) -> Outcome {
    let verified = verify(SIGNATURE_KEY, headers, body, now().as_second());
    if let Err(problem) = verified {
        bail!("a callback could not be verified: {problem}");
    }
    let body: Value = serde_json::from_slice(body).context("a callback is not JSON")?;
    let message = &body["message"];
    let (event, raw) = (&message["events"][0], &message["raw"]);
    let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let (resource, event_type) = (text("objectType"), text("eventType"));
    // Only what was polled has a time of the poll, and its records by resource.
    let is_polled = raw.get("pollDate").is_some();
    let record = if is_polled { &raw[&resource][0] } else { raw };
    Ok(Notification {
        channel: if is_polled { "polling" } else { "webhook" },
        kind: format!("{resource}.{}", event_type.to_lowercase()),
        object_id: text("objectId"),
        date: text("date"),
        raw: record.clone(),
    })
}
