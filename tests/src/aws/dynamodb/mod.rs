//! DynamoDB: an embedded emulator behind a thin layer that counts calls, makes them fail, and refuses what meets a
//! transaction.

pub(crate) mod conflict;
pub(crate) mod dialect;
pub(crate) mod needs;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use aws_sdk_dynamodb::Client;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use dynoxide::Database;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use self::conflict::{Conflict, HeldItems, Transactions};
use self::dialect::DIALECT;
use crate::aws::iam::Access;
use crate::aws::json_protocol::target;
use crate::aws::sdk;
use crate::control::fault::{Calls, Failure, Fault, Plan, invocation};
use crate::control::hold::Hold;
use crate::control::journal::Journal;
use crate::plumbing::http::{ANY_PORT, Connection, Server, bind};
use crate::template::specs::table::TableSpec;

/// DynamoDB takes bodies of up to 16 MB.
const MAXIMUM_BODY: usize = 16 * 1024 * 1024;

/// The stack's DynamoDB.
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    client: Client,
    server: Server,
    emulator: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    /// Where the emulator itself listens.
    emulator: String,
    http: reqwest::Client,
    calls: Journal<TableCall>,
    plan: Plan,
    /// The writes that are to meet a transaction.
    meetings: Plan,
    transactions: Transactions,
    met: Journal<TableCall>,
    access: Arc<Access>,
    /// Keys in the template by table name.
    logical_ids: BTreeMap<String, String>,
}

/// One call that reached the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableCall {
    /// The operation, such as `TransactWriteItems`.
    pub operation: String,
    /// The tables it names, by their keys in the template; those unknown there by name.
    pub tables: Vec<String>,
    /// The index that a query goes by, if it goes by one.
    pub index: Option<String>,
    /// The same for all attempts at one call.
    pub invocation: Option<String>,
}

impl Store {
    /// Starts the store with its tables in place. It keeps a record of about `keep` calls.
    pub(crate) async fn start(
        tables: &[TableSpec],
        access: Arc<Access>,
        keep: usize,
    ) -> Result<Self> {
        let database = Database::memory().context("cannot open the database")?;
        for table in tables {
            create_table(&database, table)
                .with_context(|| format!("cannot create table {}", table.logical_id))?;
        }
        let listener = bind(ANY_PORT).await?;
        let address = listener.local_addr()?;
        let emulator = tokio::spawn(dynoxide::server::serve_on(listener, database));
        let logical_id = |table: &TableSpec| (table.name.clone(), table.logical_id.clone());
        let url = format!("http://{address}");
        let client = Client::new(&sdk::config(&url)?);
        let shared = Arc::new(Shared {
            emulator: url,
            http: reqwest::Client::builder().no_proxy().build()?,
            calls: Journal::new(keep),
            plan: Plan::default(),
            meetings: Plan::default(),
            transactions: Transactions::of(tables),
            met: Journal::new(keep),
            access,
            logical_ids: tables.iter().map(logical_id).collect(),
        });
        let router = Router::new()
            .fallback(relay)
            .layer(DefaultBodyLimit::max(MAXIMUM_BODY))
            .with_state(shared.clone());
        let server = Server::start(bind(ANY_PORT).await?, router)?;
        Ok(Self {
            shared,
            client,
            server,
            emulator,
        })
    }

    /// The endpoint that the functions are given.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// A client of the emulator itself: its calls are neither counted nor failed.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The name of a table, by its key in the template.
    ///
    /// # Errors
    /// If the template has no such table.
    pub fn table(&self, logical_id: &str) -> Result<String> {
        let mut tables = self.shared.logical_ids.iter();
        tables
            .find(|(_, id)| *id == logical_id)
            .map(|(name, _)| name.clone())
            .with_context(|| format!("the template has no table {logical_id}"))
    }

    /// The calls up to now.
    pub fn calls(&self) -> &Journal<TableCall> {
        &self.shared.calls
    }

    /// How many calls of an operation touched a table.
    pub fn count(&self, operation: &str, logical_id: &str) -> usize {
        let calls = self.shared.calls.snapshot();
        let counts = |call: &&Arc<TableCall>| {
            call.operation == operation && call.tables.iter().any(|table| table == logical_id)
        };
        calls.iter().filter(counts).count()
    }

    /// Lets calls fail.
    ///
    /// # Panics
    /// If the fault names a table that the template has not.
    pub fn fail(&self, fault: Fault) {
        self.check(&fault.calls);
        self.shared.plan.fail(fault);
    }

    /// Forgets every fault. Returns whether each has hit as many calls as it was meant for.
    pub fn clear_faults(&self) -> bool {
        self.shared.plan.clear()
    }

    /// Answers the next `count` writes among `calls` as if a transaction held their items.
    ///
    /// # Panics
    /// If `calls` names a table that the template has not.
    pub fn meet_transaction(&self, calls: Calls, count: usize) {
        self.check(&calls);
        // Which failure is of no account: the answer is DynamoDB's own to the operation.
        let fault = Fault::new(Failure::Internal, calls);
        self.shared.meetings.fail(fault.times(count));
    }

    /// The writes that have met a transaction. While the answer to a `TransactWriteItems` is held, its items are.
    pub fn met(&self) -> &Journal<TableCall> {
        &self.shared.met
    }

    /// Answers so much later from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.plan.set_latency(latency);
    }

    /// Carries out the next of `calls` and holds its answer back.
    ///
    /// # Panics
    /// If `calls` names a table that the template has not.
    pub fn hold(&self, calls: Calls) -> Hold {
        self.check(&calls);
        self.shared.plan.hold(calls)
    }

    fn check(&self, calls: &Calls) {
        if let Some(table) = calls.subject() {
            assert!(
                self.table(table).is_ok(),
                "the template has no table {table}"
            );
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.emulator.abort();
    }
}

fn create_table(database: &Database, table: &TableSpec) -> Result<()> {
    let request = serde_json::from_value(table.request.clone())?;
    database
        .create_table(request)
        .map_err(|error| anyhow!("{error}"))?;
    if let Some(attribute) = &table.ttl_attribute {
        let request = json!({
            "TableName": table.name,
            "TimeToLiveSpecification": {"AttributeName": attribute, "Enabled": true},
        });
        let request = serde_json::from_value(request)?;
        database
            .update_time_to_live(request)
            .map_err(|error| anyhow!("{error}"))?;
    }
    Ok(())
}

async fn relay(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let operation = target(&headers).map_or("", |(_, operation)| operation);
    let operation = operation.to_owned();
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let tables = shared.tables(&request);
    let call = TableCall {
        operation: operation.clone(),
        tables: tables.clone(),
        index: request["IndexName"].as_str().map(str::to_owned),
        invocation: invocation(&headers).map(str::to_owned),
    };
    shared.calls.push(call.clone());
    let needs = needs::of(&operation, &request);
    if let Err(refusal) = shared.access.authorize("dynamodb", &headers, &needs) {
        return DIALECT.refusal(&refusal);
    }
    let invocation = call.invocation.as_deref();
    let fault = shared.plan.fault(&operation, &tables, invocation);
    if let Some(fault) = fault.as_ref().filter(|fault| !fault.performed) {
        return DIALECT.failure(&fault.failure, &connection).await;
    }
    let Ok(_held) = shared.begin(&operation, &request, &tables) else {
        shared.met.push(call);
        return conflict::answer(&operation, &request);
    };
    let answer = shared.forward(headers.clone(), body).await;
    shared.plan.pass(&operation, &tables).await;
    if let Some(fault) = fault {
        return DIALECT.failure(&fault.failure, &connection).await;
    }
    match answer {
        Ok(answer) => {
            // What expires goes with something else, which counts.
            let is_put = operation == "PutItem" && request["Item"]["expiresAt"].is_null();
            if let [table] = tables.as_slice()
                && is_put
                && answer.status().is_success()
            {
                shared.access.note_done(&headers, table, 1);
            }
            answer
        }
        Err(error) => (StatusCode::BAD_GATEWAY, error).into_response(),
    }
}

impl Shared {
    /// The tables that a request names, wherever its operation puts them.
    fn tables(&self, request: &Value) -> Vec<String> {
        let mut names: Vec<&str> = request["TableName"].as_str().into_iter().collect();
        if let Some(items) = request["RequestItems"].as_object() {
            names.extend(items.keys().map(String::as_str));
        }
        let actions = request["TransactItems"].as_array().into_iter().flatten();
        names.extend(
            actions
                .filter_map(Value::as_object)
                .flat_map(|action| action.values())
                .filter_map(|action| action["TableName"].as_str()),
        );
        let logical_id = |name: &str| match self.logical_ids.get(name) {
            Some(id) => id.clone(),
            None => name.to_owned(),
        };
        let mut tables: Vec<_> = names.into_iter().map(logical_id).collect();
        tables.sort();
        tables.dedup();
        tables
    }

    /// Lets a call pass unless it meets a transaction, or is to meet one.
    fn begin(
        &self,
        operation: &str,
        request: &Value,
        tables: &[String],
    ) -> Result<HeldItems, Conflict> {
        let is_write = conflict::is_write(operation);
        if is_write && self.meetings.fault(operation, tables, None).is_some() {
            return Err(Conflict);
        }
        self.transactions.begin(operation, request)
    }

    async fn forward(&self, mut headers: HeaderMap, body: Bytes) -> Result<Response, String> {
        headers.remove(header::HOST);
        headers.remove(header::CONTENT_LENGTH);
        let request = self.http.post(&self.emulator).headers(headers).body(body);
        let response = request.send().await.map_err(|error| error.to_string())?;
        let (status, mut headers) = (response.status(), response.headers().clone());
        headers.remove(header::TRANSFER_ENCODING);
        let body = response.bytes().await.map_err(|error| error.to_string())?;
        Ok((status, headers, body).into_response())
    }
}

#[cfg(test)]
mod tests;
