//! The Lambda Runtime API, for one process.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot, watch};

use super::invocation::{FunctionError, Invocation};
use crate::plumbing::clock;
use crate::plumbing::http::{ANY_PORT, Server, bind};
use crate::plumbing::ids::trace_header;

/// Lambda takes answers of up to 6 MB.
const MAXIMUM_ANSWER: usize = 6 * 1024 * 1024;

type InvocationResult = Result<String, FunctionError>;

/// The server, and the way to hand it an invocation.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    server: Server,
    shared: Arc<Shared>,
    jobs: mpsc::UnboundedSender<Job>,
}

#[derive(Debug)]
struct Shared {
    function_arn: String,
    jobs: AsyncMutex<mpsc::UnboundedReceiver<Job>>,
    current: Mutex<Option<(String, oneshot::Sender<InvocationResult>)>>,
    /// How the start went, once known.
    init: watch::Sender<Option<Result<(), FunctionError>>>,
}

/// One invocation on its way to the process.
#[derive(Debug)]
pub(crate) struct Job {
    id: String,
    payload: String,
    trace: String,
    deadline_ms: i64,
    taken: Arc<OnceLock<()>>,
    answer: oneshot::Sender<InvocationResult>,
}

impl Job {
    /// A job, the place of its answer, and a mark that is set when the process has taken it.
    pub(crate) fn new(
        id: &str,
        invocation: &Invocation,
        deadline_ms: i64,
    ) -> (Self, oneshot::Receiver<InvocationResult>, Arc<OnceLock<()>>) {
        let (answer, receiver) = oneshot::channel();
        let taken = Arc::new(OnceLock::new());
        let trace = invocation.trace.clone();
        let job = Self {
            id: id.to_owned(),
            payload: invocation.payload.clone(),
            trace: trace.unwrap_or_else(|| trace_header(clock::now().as_second())),
            deadline_ms,
            taken: taken.clone(),
            answer,
        };
        (job, receiver, taken)
    }
}

impl RuntimeApi {
    pub(crate) async fn start(function_arn: &str) -> Result<Self> {
        let (jobs, receiver) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            function_arn: function_arn.to_owned(),
            jobs: AsyncMutex::new(receiver),
            current: Mutex::default(),
            init: watch::Sender::new(None),
        });
        let runtime = Router::new()
            .route("/invocation/next", get(next))
            .route("/invocation/{id}/response", post(response))
            .route("/invocation/{id}/error", post(error))
            .route("/init/error", post(init_error))
            .layer(DefaultBodyLimit::disable())
            .with_state(shared.clone());
        let router = Router::new().nest("/2018-06-01/runtime", runtime);
        let server = Server::start(bind(ANY_PORT).await?, router)?;
        Ok(Self {
            server,
            shared,
            jobs,
        })
    }

    /// What `AWS_LAMBDA_RUNTIME_API` holds.
    pub(crate) fn authority(&self) -> String {
        self.server.authority()
    }

    pub(crate) async fn ready(&self) -> Result<(), FunctionError> {
        let mut init = self.shared.init.subscribe();
        // The sender lives in `shared`, so the channel cannot be closed.
        let outcome = init.wait_for(Option::is_some).await;
        outcome
            .ok()
            .and_then(|outcome| outcome.clone())
            .unwrap_or(Ok(()))
    }

    pub(crate) fn submit(&self, job: Job) {
        // The receiver lives in `shared`, so sending cannot fail.
        let _ = self.jobs.send(job);
    }
}

impl Shared {
    fn start_ended(&self, outcome: Result<(), FunctionError>) {
        self.init.send_if_modified(|init| {
            let first = init.is_none();
            init.get_or_insert(outcome);
            first
        });
    }

    /// Passes the answer on if it is the running invocation's.
    fn finish(&self, id: &str, answer: InvocationResult) -> Response {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match current.take_if(|(running, _)| running == id) {
            Some((_, sender)) => {
                // Nobody waits any more if the invocation has timed out.
                let _ = sender.send(answer);
                accepted()
            }
            None => (
                StatusCode::BAD_REQUEST,
                r#"{"errorType":"InvalidRequestID"}"#,
            )
                .into_response(),
        }
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
    shared.start_ended(Ok(()));
    let Some(job) = shared.jobs.lock().await.recv().await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    // A mark that is already set would be that of another job.
    let _ = job.taken.set(());
    let headers = [
        ("lambda-runtime-aws-request-id", job.id.clone()),
        ("lambda-runtime-deadline-ms", job.deadline_ms.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            shared.function_arn.clone(),
        ),
        ("lambda-runtime-trace-id", job.trace),
        ("content-type", "application/json".to_owned()),
    ];
    let mut current = shared
        .current
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    *current = Some((job.id, job.answer));
    (headers, job.payload).into_response()
}

async fn response(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    if MAXIMUM_ANSWER < body.len() {
        let message = format!("Response payload size ({} bytes) exceeded 6 MB", body.len());
        let error = FunctionError::new("Function.ResponseSizeTooLarge", message);
        shared.finish(&id, Err(error));
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    shared.finish(&id, Ok(String::from_utf8_lossy(&body).into_owned()))
}

async fn error(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.finish(&id, Err(reported(&headers, &body)))
}

async fn init_error(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.start_ended(Err(reported(&headers, &body)));
    accepted()
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, r#"{"status":"OK"}"#).into_response()
}

/// The error that a function reports in the body, with the header as a second source of its type.
fn reported(headers: &HeaderMap, body: &[u8]) -> FunctionError {
    let report: Value = serde_json::from_slice(body).unwrap_or_default();
    let header = headers.get("lambda-runtime-function-error-type");
    let header = header.and_then(|value| value.to_str().ok());
    let error_type = report["errorType"].as_str().or(header);
    let message = report["errorMessage"].as_str();
    FunctionError::new(
        error_type.unwrap_or("Runtime.Unknown"),
        message.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned),
    )
}
