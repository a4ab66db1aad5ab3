//! From a request to its answer.

use std::convert::Infallible;
use std::time::Duration;

use aws_types::SdkConfig;
use jiff::Timestamp;
use lambda_http::aws_lambda_events::query_map::QueryMap;
use lambda_http::http::{HeaderMap, HeaderName, StatusCode, header};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt, Response};
use serde::Serialize;
use shared::clock::Clock;
use shared::close::client::CloseClient;
use shared::close::error::CloseError;
use shared::event_bus::EventBus;
use shared::instance_table::InstanceTable;
use shared::metrics::{Measures, Metrics, Service};
use shared::shortened::shortened;
use shared::watermark_table::WatermarkTable;

use crate::authorization::Credentials;
use crate::config::Config;
use crate::error::HandlerError;
use crate::gateway::Answer;
use crate::instance_cache::InstanceCache;
use crate::instances::{backfill, change, create, delete, enabled, list, read, token};
use crate::ledger_table::LedgerTable;
use crate::receive::receive;
use crate::reply::Reply;
use crate::report::Tally;
use crate::route::{self, Route};

/// Close makes a subscription in well under a second, and the whole answer must come within the function's 10 s.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// A log line says so many characters of why a request was not done: anybody may send one that is wrong in many ways.
const MAX_LOGGED: usize = 1_000;

/// What the function works with, set up once.
#[derive(Debug)]
pub struct App {
    /// The settings.
    pub config: Config,
    /// The Instances table.
    pub instances: InstanceTable,
    /// What was read of it lately.
    pub cache: InstanceCache,
    /// The Watermarks table.
    pub watermarks: WatermarkTable,
    /// The Ledger table.
    pub ledger: LedgerTable,
    /// The bus.
    pub bus: EventBus,
    /// Close.
    pub close: CloseClient,
    /// What is measured.
    pub metrics: Metrics,
}

/// A request as the handlers see it.
#[derive(Debug)]
pub struct Call<'a> {
    /// Lower-case names.
    pub headers: &'a HeaderMap,
    /// Decoded.
    pub query: QueryMap,
    /// The bytes that the client sent.
    pub body: &'a [u8],
    /// What webhook URLs begin with.
    pub public_url: String,
    /// The time, and the time left.
    pub clock: Clock,
    /// When Lambda ends the invocation.
    pub deadline: Timestamp,
    /// X-Ray's header, so that what is published bears the trace of the request.
    pub trace_header: Option<&'a str>,
}

impl App {
    /// Sets up the adapters; no call is made.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(config: Config, aws: &SdkConfig) -> Result<Self, CloseError> {
        Ok(Self {
            close: CloseClient::new(CLOSE_TIMEOUT, config.policy.clone())?,
            instances: InstanceTable::new(aws, config.instances_table.clone()),
            cache: InstanceCache::default(),
            watermarks: WatermarkTable::new(aws, config.watermarks_table.clone()),
            ledger: LedgerTable::new(aws, config.ledger_table.clone()),
            bus: EventBus::new(aws, config.event_bus_name.clone(), config.event_max_bytes),
            metrics: Metrics::new(config.metrics_namespace.clone(), Service::Webhook),
            config,
        })
    }
}

/// Answers a request. Every answer carries `Elements-Request-Id`, which is also in the log.
///
/// # Errors
/// Never: a failure is an answer too.
pub async fn handle(app: &App, request: Request) -> Result<Answer, Infallible> {
    let request_id = request
        .lambda_context_ref()
        .map(|context| context.request_id.clone())
        .unwrap_or_default();
    let clock = Clock::start();
    let mut measures = Measures::default();
    let answer = match answer(app, &request, clock, &mut measures).await {
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
    Ok(Answer(answer))
}

async fn answer(
    app: &App,
    request: &Request,
    clock: Clock,
    measures: &mut Measures,
) -> Result<Reply, HandlerError> {
    let path = request.raw_http_path();
    let route = route::find(request.method(), path).ok_or(HandlerError::UnknownRoute)?;
    let call = &Call::of(app, request, clock);
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

impl<'a> Call<'a> {
    fn of(app: &App, request: &'a Request, clock: Clock) -> Self {
        let context = request.lambda_context_ref();
        let deadline = context.and_then(|context| i64::try_from(context.deadline).ok());
        Self {
            headers: request.headers(),
            query: request.query_string_parameters(),
            body: request.body().as_ref(),
            public_url: app
                .config
                .public_url
                .clone()
                .unwrap_or_else(|| own_url(request)),
            deadline: deadline
                .and_then(|millis| Timestamp::from_millisecond(millis).ok())
                .unwrap_or(clock.started()),
            trace_header: context.and_then(|context| context.xray_trace_id.as_deref()),
            clock,
        }
    }
}

/// The API's own address, by which the client came.
fn own_url(request: &Request) -> String {
    let context = request.request_context_ref();
    let domain_name = context.and_then(|context| match context {
        RequestContext::ApiGatewayV2(context) => context.domain_name.as_deref(),
        _ => None,
    });
    format!("https://{}", domain_name.unwrap_or_default())
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
