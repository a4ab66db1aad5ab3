//! From a request to its answer.

use std::convert::Infallible;

use lambda_http::http::{HeaderName, StatusCode, header};
use lambda_http::{Body, Request, RequestExt, Response};
use serde::Serialize;
use shared::function::clock::Clock;
use shared::function::metrics::Measures;
use shared::text::shortened::shortened;

use crate::app::App;
use crate::http::authorization::Credentials;
use crate::http::call::Call;
use crate::http::error::HandlerError;
use crate::http::gateway::Utf8Response;
use crate::http::reply::Reply;
use crate::http::route::{self, Route};
use crate::instances::{backfill, change, create, delete, enabled, list, read, token};
use crate::webhook::receive::receive;
use crate::webhook::report::Tally;

/// A log line says so many characters of why a request was not done: anybody may send one that is wrong in many ways.
const MAX_LOGGED: usize = 1_000;

/// Answers a request. Every answer carries `Elements-Request-Id`, which is also in the log.
///
/// # Errors
/// Never: a failure is an answer too.
pub async fn handle(app: &App, request: Request) -> Result<Utf8Response, Infallible> {
    let request_id = request
        .lambda_context_ref()
        .map(|context| context.request_id.clone())
        .unwrap_or_default();
    let clock = Clock::start();
    let mut measures = Measures::default();
    let answer = match Box::pin(answer(app, &request, clock, &mut measures)).await {
        Ok(reply) => respond(reply.status, &request_id, &reply.body, reply.headers),
        Err(error) => {
            log(&error);
            respond(
                error.status(),
                &request_id,
                &error.body(&request_id),
                Vec::new(),
            )
        }
    };
    app.metrics.write(measures, clock.now());
    Ok(Utf8Response(answer))
}

async fn answer(
    app: &App,
    request: &Request,
    clock: Clock,
    measures: &mut Measures,
) -> Result<Reply, HandlerError> {
    let path = request.raw_http_path();
    let route = route::find(request.method(), path).ok_or(HandlerError::UnknownRoute)?;
    let call = &Call::of(request, app.config.public_url.as_deref(), clock);
    let credentials = &Credentials::from_headers(request.headers());
    let body = match route {
        Route::Receive { encoded_id } => {
            // API Gateway has decoded its parameters; the path may not be.
            let parameters = request.path_parameters();
            let encoded_id = parameters.first("encodedId").unwrap_or(encoded_id);
            let mut tally = Tally::default();
            let answer = receive(app, call, encoded_id, &mut tally).await;
            *measures = tally.measures(answer.as_ref().err());
            answer?
        }
        Route::ListInstances => return list::list(app, call, credentials).await,
        Route::CreateInstance => create::create(app, call, credentials).await?,
        Route::ReadInstance { id } => read::read(app, call, credentials, id).await?,
        Route::ReplaceInstance { id } => change::replace(app, call, credentials, id).await?,
        Route::ChangeInstance { id } => change::patch(app, call, credentials, id).await?,
        Route::DeleteInstance { id } => delete::delete(app, call, credentials, id).await?,
        Route::EnableInstance { id } => enabled::enable(app, call, credentials, id).await?,
        Route::DisableInstance { id } => enabled::disable(app, call, credentials, id).await?,
        Route::ReplaceToken { id } => token::replace(app, call, credentials, id).await?,
        Route::BackfillInstance { id } => {
            return backfill::backfill(app, call, credentials, id).await;
        }
    };
    Ok(body.into())
}

fn respond(
    status: StatusCode,
    request_id: &str,
    body: &impl Serialize,
    headers: Vec<(HeaderName, String)>,
) -> Response<Body> {
    let body = serde_json::to_string(body).unwrap_or_default();
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .header("elements-request-id", request_id);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    // A request id that is no header value would be Lambda's fault; the answer matters more.
    response.body(Body::Text(body)).unwrap_or_default()
}

fn log(failure: &HandlerError) {
    let status = failure.status().as_u16();
    let error = shortened(&failure.to_string(), MAX_LOGGED);
    if failure.status().is_server_error() {
        let cause = failure.cause().map(|cause| shortened(&cause, MAX_LOGGED));
        tracing::error!(status, error, cause, "request failed");
    } else {
        tracing::info!(status, error, "request refused");
    }
}
