//! Applications at callback URLs of this machine.

use std::future::pending;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Router, serve};
use tokio::net::TcpListener;
use tokio::time::sleep;

use super::ledger::Ledger;
use super::manner::Manner;
use super::slot::Slot;

/// What a good application takes to answer. Without it the time of a delivery would be scheduling noise, and so its ratio.
const ANSWER: Duration = Duration::from_millis(50);
const SLOW_ANSWER: Duration = Duration::from_secs(3);

/// Starts the receivers, which note in the ledger what they take. Returns the URL below which each has its own.
pub(crate) async fn start(ledger: Arc<Ledger>) -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let router = Router::new().fallback(receive).with_state(ledger);
    // It ends with the process.
    tokio::spawn(async move { serve(listener, router).await });
    Ok(url)
}

async fn receive(State(ledger): State<Arc<Ledger>>, headers: HeaderMap) -> StatusCode {
    let id = headers.get("webhook-id");
    let Some(slot) = id.and_then(|id| Slot::read(id.to_str().ok()?)) else {
        return StatusCode::BAD_REQUEST;
    };
    match Manner::of(slot) {
        Manner::Good => sleep(ANSWER).await,
        Manner::Silent => pending().await,
        Manner::Slow => sleep(SLOW_ANSWER).await,
        Manner::Refusing if slot.turn() % 2 == 1 => return StatusCode::INTERNAL_SERVER_ERROR,
        Manner::Refusing => {}
    }
    ledger.delivered(slot);
    StatusCode::OK
}
