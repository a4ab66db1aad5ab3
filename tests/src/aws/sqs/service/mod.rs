//! SQS: the queues of the template by the AWS JSON protocol, as strict as AWS.
//!
//! A request is read (`request`), then carried out on its queue (`operations`, `receive`), alone or entry by entry (`batch`).

pub(crate) mod attributes;
pub(crate) mod batch;
pub(crate) mod operations;
pub(crate) mod receive;
pub(crate) mod request;
pub(crate) mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::Value;

use self::request::{Members, Request};
use crate::aws::iam::Access;
use crate::aws::iam::denial::Denial;
use crate::aws::iam::need::Need;
use crate::aws::json_protocol::{Dialect, target};
use crate::aws::sqs::queue::Queue;
use crate::aws::sqs::queue::rejection::Rejection;
use crate::control::fault::{Calls, Failure, Fault, Plan, invocation};
use crate::control::hold::Hold;
use crate::control::journal::Journal;
use crate::plumbing::http::{ANY_PORT, Connection, Server, bind};

const DIALECT: Dialect = Dialect {
    content_type: "application/x-amz-json-1.0",
    throttled: "com.amazonaws.sqs#RequestThrottled",
    internal: "com.amazon.coral.service#InternalFailure",
    refused: "com.amazon.coral.service#",
};

/// The stack's SQS.
#[derive(Debug)]
pub struct Sqs {
    shared: Arc<Shared>,
    server: Server,
}

#[derive(Debug)]
struct Shared {
    /// By URL.
    queues: BTreeMap<String, Arc<Queue>>,
    calls: Journal<QueueCall>,
    unexpected: Journal<String>,
    plan: Plan,
    access: Arc<Access>,
    refusals: Mutex<Vec<RefusedEntries>>,
}

/// One call that reached the queues, whatever became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueCall {
    /// The operation, such as `SendMessageBatch`.
    pub operation: String,
    /// The queue by its key in the template; one unknown there by what the caller calls it.
    pub queue: String,
    /// What was asked for, without the queue.
    pub members: Value,
}

/// What is done for each entry of a batch.
type Work<'a> = &'a dyn Fn(&Queue, Members) -> Result<Value, Rejection>;

/// Entries of the next batch that a test wants refused.
#[derive(Debug)]
struct RefusedEntries {
    operation: String,
    positions: Vec<usize>,
    code: String,
}

impl Sqs {
    /// Starts the service. It keeps about `keep` calls.
    pub(crate) async fn start(
        queues: impl Iterator<Item = Arc<Queue>>,
        access: Arc<Access>,
        keep: usize,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            queues: queues
                .map(|queue| (queue.spec.url.clone(), queue))
                .collect(),
            calls: Journal::new(keep),
            unexpected: Journal::new(keep),
            plan: Plan::default(),
            access,
            refusals: Mutex::default(),
        });
        let router = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::disable())
            .with_state(shared.clone());
        let server = Server::start(bind(ANY_PORT).await?, router)?;
        Ok(Self { shared, server })
    }

    /// The endpoint that the functions are given.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The calls up to now, refused ones too.
    pub fn calls(&self) -> &Journal<QueueCall> {
        &self.shared.calls
    }

    /// How many calls of an operation were about a queue.
    pub fn count(&self, operation: &str, logical_id: &str) -> usize {
        let calls = self.shared.calls.snapshot();
        let counts =
            |call: &&Arc<QueueCall>| call.operation == operation && call.queue == logical_id;
        calls.iter().filter(counts).count()
    }

    /// Requests for what this does not offer.
    pub fn unexpected(&self) -> &Journal<String> {
        &self.shared.unexpected
    }

    /// Lets calls fail.
    pub fn fail(&self, fault: Fault) {
        self.shared.plan.fail(fault);
    }

    /// Carries out the next of `calls` and holds its answer back.
    pub fn hold(&self, calls: Calls) -> Hold {
        self.shared.plan.hold(calls)
    }

    /// Refuses the entries at `positions` of the next batch of an operation, with an error code.
    pub fn refuse_positions(&self, operation: &str, positions: &[usize], code: &str) {
        self.shared.refusals().push(RefusedEntries {
            operation: operation.to_owned(),
            positions: positions.to_vec(),
            code: code.to_owned(),
        });
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(("AmazonSQS", operation)) = target(&headers) else {
        shared.unexpected.push(format!("{:?}", target(&headers)));
        return unknown_operation();
    };
    let request = match Request::read(&body, &shared.queues) {
        Ok(request) => request,
        Err(rejection) => return error(&rejection),
    };
    let name = request.queue_name();
    shared.calls.push(QueueCall {
        operation: operation.to_owned(),
        queue: name.clone(),
        members: Value::Object(request.members.clone()),
    });
    let needs: Vec<_> = need(operation, &request).into_iter().collect();
    if let Err(refusal) = shared.access.authorize("sqs", &headers, &needs) {
        return refused(&refusal);
    }
    let subjects = [name];
    let fault = shared
        .plan
        .fault(operation, &subjects, invocation(&headers));
    if let Some(fault) = fault.as_ref().filter(|fault| !fault.performed) {
        return failure(&fault.failure, &connection).await;
    }
    let trace = headers.get("x-amzn-trace-id");
    let trace = trace.and_then(|trace| trace.to_str().ok());
    let Some(result) = shared.perform(operation, request, trace).await else {
        shared.unexpected.push(operation.to_owned());
        return unknown_operation();
    };
    shared.plan.pass(operation, &subjects).await;
    match (fault, result) {
        (Some(fault), _) => failure(&fault.failure, &connection).await,
        (None, Ok(answer)) => {
            let [queue] = &subjects;
            shared
                .access
                .note_done(&headers, queue, sent(operation, &answer));
            DIALECT.answer(answer.to_string())
        }
        (None, Err(rejection)) => error(&rejection),
    }
}

/// How many messages were sent.
fn sent(operation: &str, answer: &Value) -> usize {
    match operation {
        "SendMessage" => 1,
        "SendMessageBatch" => answer["Successful"].as_array().map_or(0, Vec::len),
        _ => 0,
    }
}

/// A batch takes the permission of what it is a batch of. Of a queue that is not there nothing can be asked.
fn need(operation: &str, request: &Request) -> Option<Need> {
    let queue = request.queue.as_ref().ok()?;
    let action = operation.strip_suffix("Batch").unwrap_or(operation);
    Some(Need::new(format!("sqs:{action}"), queue.spec.arn.clone()))
}

impl Shared {
    /// Carries the operation out; `None` if there is none that is called so.
    async fn perform(
        &self,
        operation: &str,
        request: Request,
        trace: Option<&str>,
    ) -> Option<Result<Value, Rejection>> {
        let Request { queue, members } = request;
        let queue = match queue {
            Ok(queue) => queue,
            Err(unknown) => return Some(Err(request::no_such_queue(&unknown))),
        };
        let queue = &queue;
        let is_refused = self.refused(operation);
        let batch = |work: Work| batch::run(queue, members.clone(), &is_refused, work);
        let send = |queue: &Queue, members| operations::send(queue, members, trace);
        Some(match operation {
            "SendMessage" => send(queue, members),
            "SendMessageBatch" => batch::check_size(&members).and_then(|()| batch(&send)),
            "ReceiveMessage" => receive::receive(queue, members).await,
            "DeleteMessage" => operations::delete(queue, members),
            "DeleteMessageBatch" => batch(&operations::delete),
            "ChangeMessageVisibility" => operations::change_visibility(queue, members),
            "ChangeMessageVisibilityBatch" => batch(&operations::change_visibility),
            "GetQueueAttributes" => attributes::read(queue, members),
            _ => return None,
        })
    }

    /// The code with which a test wants an entry refused, by position.
    fn refused(&self, operation: &str) -> BTreeMap<usize, String> {
        let mut refusals = self.refusals();
        let found = refusals
            .iter()
            .position(|refusal| refusal.operation == operation);
        let Some(found) = found else {
            return BTreeMap::new();
        };
        let RefusedEntries {
            positions, code, ..
        } = refusals.remove(found);
        let codes = positions
            .into_iter()
            .map(|position| (position, code.clone()));
        codes.collect()
    }

    fn refusals(&self) -> MutexGuard<'_, Vec<RefusedEntries>> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown_operation() -> Response {
    let shape = "com.amazon.coral.service#UnknownOperationException";
    DIALECT.error(StatusCode::BAD_REQUEST, shape, "")
}

/// An error with its code in the header that SDKs read it from.
fn error(rejection: &Rejection) -> Response {
    let status = StatusCode::BAD_REQUEST;
    let kind = rejection.kind;
    let mut response = DIALECT.error(status, &kind.shape(), &rejection.message);
    let code = format!("{};Sender", kind.code());
    if let Ok(code) = HeaderValue::from_str(&code) {
        response.headers_mut().insert("x-amzn-query-error", code);
    }
    response
}

fn refused(refusal: &Denial) -> Response {
    let mut response = DIALECT.refusal(refusal);
    *response.status_mut() = StatusCode::FORBIDDEN;
    let code = format!("{};Sender", refusal.query_code());
    if let Ok(code) = HeaderValue::from_str(&code) {
        response.headers_mut().insert("x-amzn-query-error", code);
    }
    response
}

async fn failure(failure: &Failure, connection: &Connection) -> Response {
    let mut response = DIALECT.failure(failure, connection).await;
    let code = match failure {
        Failure::Throttled => "RequestThrottled;Sender",
        Failure::Internal => "InternalFailure;Receiver",
        Failure::Disconnected
        | Failure::NoAnswer
        | Failure::Error { .. }
        | Failure::Bare { .. } => return response,
    };
    let code = HeaderValue::from_static(code);
    response.headers_mut().insert("x-amzn-query-error", code);
    response
}

#[cfg(test)]
mod tests;
