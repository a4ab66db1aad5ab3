//! The HTTP side: a request is logged, meets the faults planned for it, and is answered.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep;

use super::{auth, routes};
use crate::close::data::ids;
use crate::close::data::time::stamp;
use crate::close::faults::fault::CloseFault;
use crate::close::faults::planned;
use crate::close::wire::answer::{self, Answer};
use crate::close::wire::connection::{Connection, CuttableListener};
use crate::close::wire::request_log::LoggedRequest;
use crate::close::world::Shared;

/// Larger than any request that Close would take.
const MAX_BODY: usize = 16 << 20;
/// Names the method of a request whose parameters are in its body.
const METHOD_OVERRIDE: &str = "x-http-method-override";
/// What every path begins with.
const BASE: &str = "/api/v1";

/// Serves until the returned sender says `true`.
pub(crate) fn spawn(shared: Arc<Shared>, listener: TcpListener) -> watch::Sender<bool> {
    let (stop, mut stopped) = watch::channel(false);
    let service = Router::new()
        .fallback(handle)
        .with_state(shared)
        .into_make_service_with_connect_info::<Connection>();
    tokio::spawn(async move {
        axum::serve(CuttableListener(listener), service)
            .with_graceful_shutdown(async move {
                // An error means that the simulator is gone, which stops the server as well.
                let _ = stopped.wait_for(|stop| *stop).await;
            })
            .await
    });
    stop
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
) -> Response {
    let (request, key) = match read(request).await {
        Ok(read) => read,
        Err(error) => return (StatusCode::BAD_REQUEST, error).into_response(),
    };
    let (position, fault) = admit(&shared, request.clone());
    let answer = match fault {
        Some(CloseFault::CloseConnection) => {
            connection.cut();
            shared.notify();
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        Some(CloseFault::LoseAnswer) => {
            evaluate(&shared, &request, key.as_deref());
            connection.cut();
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        Some(CloseFault::NoAnswer) => std::future::pending().await,
        Some(CloseFault::Answer(reply)) => reply.0,
        Some(CloseFault::Delay(delay)) => {
            sleep(delay).await;
            evaluate(&shared, &request, key.as_deref())
        }
        Some(CloseFault::Hold(held)) => {
            let answer = evaluate(&shared, &request, key.as_deref());
            held.wait().await;
            answer
        }
        None => evaluate(&shared, &request, key.as_deref()),
    };
    finish(&shared, position, answer)
}

/// The request as it is logged, and the API key that it bears.
async fn read(request: Request) -> Result<(LoggedRequest, Option<String>), String> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY)
        .await
        .map_err(|error| error.to_string())?;
    let mut query = Query::<HashMap<String, String>>::try_from_uri(&parts.uri)
        .map_err(|error| error.to_string())?;
    let mut method = parts.method.to_string();
    if let Some(instead) = parts.headers.get(METHOD_OVERRIDE) {
        query.0.extend(overriding_parameters(&body)?);
        instead.to_str().unwrap_or_default().clone_into(&mut method);
    }
    let path = parts.uri.path();
    let key = auth::presented_key(&parts.headers);
    let request = LoggedRequest {
        method,
        path: path.strip_prefix(BASE).unwrap_or(path).to_owned(),
        query: query.0,
        body: String::from_utf8_lossy(&body).into_owned(),
        key_id: key.as_deref().map(ids::api_key),
        status: None,
    };
    Ok((request, key))
}

/// The parameters of a request that is too long for its URL.
fn overriding_parameters(body: &[u8]) -> Result<HashMap<String, String>, String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let parameters = body["_params"].as_object().ok_or("_params is missing")?;
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let parameters = parameters.iter();
    let written = parameters.map(|(name, value)| match value {
        Value::Array(values) => {
            let values: Vec<_> = values.iter().map(text).collect();
            (name.clone(), values.join(","))
        }
        value => (name.clone(), text(value)),
    });
    Ok(written.collect())
}

/// Logs a request and takes the fault that waits for it.
fn admit(shared: &Shared, request: LoggedRequest) -> (usize, Option<CloseFault>) {
    let mut world = shared.lock();
    let fault = planned::take(&mut world.faults, &request);
    world.requests.push(request);
    (world.requests.len() - 1, fault)
}

fn evaluate(shared: &Shared, request: &LoggedRequest, key: Option<&str>) -> Answer {
    let answer = routes::respond(&mut shared.lock(), request, key);
    shared.notify();
    answer
}

/// Logs the answer's status and turns it into a response.
fn finish(shared: &Shared, position: usize, answer: Answer) -> Response {
    let mut world = shared.lock();
    world.requests[position].status = Some(answer.status);
    let date = stamp::http_date(world.clock.now());
    drop(world);
    shared.notify();

    let mut headers = HeaderMap::new();
    for (name, value) in answer.headers.into_iter().chain([("date", date)]) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let (content_type, body) = match answer.body {
        answer::Body::Json(body) => (Some("application/json"), Body::from(body.to_string())),
        answer::Body::Text(body) => (Some("text/html"), Body::from(body)),
        answer::Body::Empty => (None, Body::empty()),
    };
    let content_type = content_type.map(HeaderValue::from_static);
    headers.extend(content_type.map(|value| (header::CONTENT_TYPE, value)));
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, headers, body).into_response()
}

#[cfg(test)]
mod tests;
