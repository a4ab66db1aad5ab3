//! API Gateway: the HTTP API of the template on loopback, in payload format 2.0.

pub(crate) mod percent;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod route;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::FromRequest as _;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use tokio::net::TcpListener;

use self::route::Routes;
use crate::aws::cloudwatch::Meter;
use crate::aws::lambda::function::Function;
use crate::aws::lambda::invocation::Invocation;
use crate::plumbing::http::{Connection, Server, bind};

/// API Gateway takes bodies of up to 10 MB, and Lambda events of up to 6 MB.
const MAXIMUM_BODY: usize = 10 * 1024 * 1024;
const MAXIMUM_EVENT: usize = 6 * 1024 * 1024;
/// The longest that API Gateway waits for a function.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The stack's front door.
#[derive(Debug)]
pub(crate) struct Gateway {
    server: Server,
}

/// What each request needs.
#[derive(Debug)]
struct Front {
    routes: Routes,
    meter: Meter,
}

/// A port that is taken before the functions start, so that their environment can name it.
#[derive(Debug)]
pub(crate) struct Entrance(TcpListener);

impl Entrance {
    pub(crate) async fn bind(address: SocketAddr) -> Result<Self> {
        bind(address).await.map(Self)
    }

    pub(crate) fn url(&self) -> Result<String> {
        Ok(format!("http://{}", self.0.local_addr()?))
    }
}

impl Gateway {
    /// Opens the front door to the routes of `functions`.
    pub(crate) fn start(
        entrance: Entrance,
        functions: &[Arc<Function>],
        meter: Meter,
    ) -> Result<Self> {
        let front = Front {
            routes: Routes::new(functions)?,
            meter,
        };
        let router = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::max(MAXIMUM_BODY))
            .with_state(Arc::new(front));
        let server = Server::start(entrance.0, router)?;
        Ok(Self { server })
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }
}

async fn answer(
    State(front): State<Arc<Front>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
) -> Response {
    let response = find_answer(&front.routes, &connection, request).await;
    let status = response.status();
    let is = |counted: bool| f64::from(u8::from(counted));
    front.meter.note("Count", 1.0);
    front.meter.note("4xx", is(status.is_client_error()));
    front.meter.note("5xx", is(status.is_server_error()));
    response
}

async fn find_answer(routes: &Routes, connection: &Connection, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(found) = routes.find(&parts.method, parts.uri.path()) else {
        return message(StatusCode::NOT_FOUND, "Not Found");
    };
    let too_large = || message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    let Ok(body) = Bytes::from_request(Request::from_parts(parts.clone(), body), &()).await else {
        return too_large();
    };
    let event = request::event(&found, &parts, &body, connection.peer());
    let payload = event.to_string();
    if MAXIMUM_EVENT < payload.len() {
        return too_large();
    }
    let invocation = Invocation {
        payload,
        trace: None,
    };
    let answer = match tokio::time::timeout(TIMEOUT, found.function.run(invocation)).await {
        Ok(Ok(answer)) => response::from_function(&answer),
        Ok(Err(_)) => None,
        Err(_) => return message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
    };
    answer.unwrap_or_else(|| message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"))
}

/// An answer of API Gateway's own.
fn message(status: StatusCode, message: &str) -> Response {
    let json = [(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    )];
    (status, json, json!({"message": message}).to_string()).into_response()
}

#[cfg(test)]
mod tests;
