//! EventBridge: `PutEvents`, as strict as AWS, and the rules and archives of the template.
//!
//! A call is checked as a whole (`request`), then entry by entry ([`entry`]). What is accepted becomes an event in the
//! journal, goes to the targets of the rules that match it (`rules`, `delivery`), and is kept for replays (`archive`).

pub(crate) mod archive;
pub(crate) mod delivery;
mod detail;
pub mod entry;
pub mod event;
pub mod pattern;
pub(crate) mod request;
pub(crate) mod rules;
pub mod schedule;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde_json::json;

use self::archive::Archive;
use self::entry::{EntryError, PutEventsEntry};
use self::event::Event;
use self::rules::Rules;
use crate::aws::iam::Access;
use crate::aws::iam::need::Need;
use crate::aws::json_protocol::{Dialect, target};
use crate::aws::lambda::asynchronous::Asynchronous;
use crate::aws::lambda::targets::Targets;
use crate::control::fault::{Calls, Failure, Fault, Plan, invocation};
use crate::control::hold::Hold;
use crate::control::journal::Journal;
use crate::plumbing::background::Background;
use crate::plumbing::http::{ANY_PORT, Connection, Server, bind};
use crate::plumbing::ids::arn;
use crate::plumbing::sync::lock;
use crate::template::specs::bus::{ArchiveSpec, BusSpec, RuleSpec, bus_name};

const OPERATION: &str = "PutEvents";

const DIALECT: Dialect = Dialect {
    content_type: "application/x-amz-json-1.1",
    throttled: "ThrottlingException",
    internal: "InternalFailure",
    refused: "",
};

/// The stack's EventBridge.
#[derive(Debug)]
pub struct Bus {
    shared: Arc<Shared>,
    server: Server,
}

#[derive(Debug)]
struct Shared {
    buses: Vec<BusSpec>,
    rules: Mutex<Arc<Rules>>,
    archives: Vec<Archive>,
    asynchronous: Asynchronous,
    background: Background,
    events: Journal<Event>,
    calls: Journal<PutCall>,
    unexpected: Journal<String>,
    plan: Plan,
    access: Arc<Access>,
    refusals: Mutex<Vec<RefusalRule>>,
    call_refusals: Mutex<Vec<CallRule>>,
    maximum_bytes: AtomicUsize,
}

/// One call that reached `PutEvents`, whatever became of it.
#[derive(Debug, Clone)]
pub struct PutCall {
    /// The body as it came.
    pub body: String,
    /// The entries, if the body could be read.
    pub entries: Vec<PutEventsEntry>,
}

/// Whether to refuse the entry at a position.
type Refuses = dyn Fn(usize, &PutEventsEntry) -> bool + Send;

/// Entries that a test wants refused.
struct RefusalRule {
    code: String,
    refuses: Box<Refuses>,
    once: bool,
}

/// Calls that a test wants refused as a whole, by their entries.
struct CallRule {
    failure: Failure,
    refuses: Box<dyn Fn(&PutEventsEntry) -> bool + Send>,
}

impl std::fmt::Debug for CallRule {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("CallRule")
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for RefusalRule {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RefusalRule")
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

impl Bus {
    /// Starts the service, without rules: their targets need its address first. It keeps about `keep` events and calls.
    pub(crate) async fn start(
        buses: Vec<BusSpec>,
        archives: Vec<ArchiveSpec>,
        asynchronous: Asynchronous,
        access: Arc<Access>,
        keep: usize,
    ) -> Result<Self> {
        let archives = archives.into_iter();
        let archives = archives.map(|spec| Archive::new(spec, keep));
        let shared = Arc::new(Shared {
            buses,
            rules: Mutex::default(),
            archives: archives.collect::<Result<_>>()?,
            asynchronous,
            background: Background::default(),
            events: Journal::new(keep),
            calls: Journal::new(keep),
            unexpected: Journal::new(keep),
            plan: Plan::default(),
            access,
            refusals: Mutex::default(),
            call_refusals: Mutex::default(),
            maximum_bytes: AtomicUsize::new(request::MAXIMUM_BYTES),
        });
        let router = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::disable())
            .with_state(shared.clone());
        let server = Server::start(bind(ANY_PORT).await?, router)?;
        Ok(Self { shared, server })
    }

    /// Puts the template's rules in force.
    pub(crate) fn set_rules(&self, specs: Vec<RuleSpec>, targets: Arc<Targets>) -> Result<()> {
        *lock(&self.shared.rules) = Arc::new(Rules::new(specs, targets)?);
        Ok(())
    }

    /// The endpoint that the functions are given.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The events that the template's buses accepted, in order.
    pub fn events(&self) -> &Journal<Event> {
        &self.shared.events
    }

    /// Delivers what the archives have of a span once more, under a replay's name. Returns how many events that are. They
    /// are no new ones, so they are neither among [`Bus::events`] nor archived again.
    pub fn replay(&self, name: &str, span: Range<Timestamp>) -> usize {
        let archives = self.shared.archives.iter();
        let events: Vec<_> = archives.flat_map(|archive| archive.within(&span)).collect();
        for event in &events {
            let mut replayed = Event::clone(event);
            replayed.replay_name = Some(name.to_owned());
            let text = replayed.to_json().unwrap_or_default();
            self.shared.deliver(&replayed, &text);
        }
        events.len()
    }

    /// The calls up to now, refused ones too.
    pub fn calls(&self) -> &Journal<PutCall> {
        &self.shared.calls
    }

    /// Requests for anything but `PutEvents`.
    pub fn unexpected(&self) -> &Journal<String> {
        &self.shared.unexpected
    }

    /// Lets calls fail.
    pub fn fail(&self, fault: Fault) {
        self.shared.plan.fail(fault);
    }

    /// Refuses the entries at `positions` of the next call, with an error code.
    pub fn refuse_positions(&self, positions: &[usize], code: &str) {
        let positions = positions.to_vec();
        lock(&self.shared.refusals).push(RefusalRule {
            code: code.to_owned(),
            refuses: Box::new(move |position, _| positions.contains(&position)),
            once: true,
        });
    }

    /// Refuses, with an error code, every entry that `refuses` picks, until [`Bus::accept_all`].
    pub fn refuse(&self, code: &str, refuses: impl Fn(&PutEventsEntry) -> bool + Send + 'static) {
        lock(&self.shared.refusals).push(RefusalRule {
            code: code.to_owned(),
            refuses: Box::new(move |_, entry| refuses(entry)),
            once: false,
        });
    }

    /// Refuses as a whole every call with an entry that `refuses` picks, until [`Bus::accept_all`].
    pub fn refuse_calls(
        &self,
        failure: Failure,
        refuses: impl Fn(&PutEventsEntry) -> bool + Send + 'static,
    ) {
        lock(&self.shared.call_refusals).push(CallRule {
            failure,
            refuses: Box::new(refuses),
        });
    }

    /// Takes calls of at most so many bytes, as another region does.
    pub fn set_maximum_bytes(&self, bytes: usize) {
        self.shared.maximum_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Ends all refusals that a test asked for.
    pub fn accept_all(&self) {
        lock(&self.shared.refusals).clear();
        lock(&self.shared.call_refusals).clear();
    }

    /// Answers so much later from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.plan.set_latency(latency);
    }

    /// Accepts the next of `calls` and holds its answer back.
    pub fn hold(&self, calls: Calls) -> Hold {
        self.shared.plan.hold(calls)
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if target(&headers) != Some(("AWSEvents", OPERATION)) {
        let name = headers
            .get("x-amz-target")
            .and_then(|name| name.to_str().ok());
        shared.unexpected.push(name.unwrap_or_default().to_owned());
        return DIALECT.error(StatusCode::BAD_REQUEST, "UnknownOperationException", "");
    }
    let entries = request::read(&body);
    shared.calls.push(PutCall {
        body: String::from_utf8_lossy(&body).into_owned(),
        entries: entries.clone().unwrap_or_default(),
    });
    let needs = entries.as_deref().map(needs).unwrap_or_default();
    if let Err(refusal) = shared.access.authorize("events", &headers, &needs) {
        return DIALECT.refusal(&refusal);
    }
    let sources = entries.as_deref().map(sources).unwrap_or_default();
    let fault = shared.plan.fault(OPERATION, &sources, invocation(&headers));
    if let Some(fault) = fault.as_ref().filter(|fault| !fault.performed) {
        return DIALECT.failure(&fault.failure, &connection).await;
    }
    let maximum_bytes = shared.maximum_bytes.load(Ordering::Relaxed);
    let entries = match entries.and_then(|entries| request::check(entries, maximum_bytes)) {
        Ok(entries) => entries,
        Err(error) => return DIALECT.error(StatusCode::BAD_REQUEST, error.code, &error.message),
    };
    if let Some(failure) = shared.call_refusal_asked_for(&entries) {
        return DIALECT.failure(&failure, &connection).await;
    }
    let (accepted, response) = shared.put(&entries);
    shared.plan.pass(OPERATION, &sources).await;
    if let Some(fault) = fault {
        return DIALECT.failure(&fault.failure, &connection).await;
    }
    for source in accepted {
        shared.access.note_done(&headers, source, 1);
    }
    response
}

/// The permission for each bus that entries name. Without a name an entry is for the account's own.
fn needs(entries: &[PutEventsEntry]) -> Vec<Need> {
    let names = entries.iter().map(|entry| entry.event_bus_name.as_deref());
    let buses: BTreeSet<_> = names
        .map(|name| bus_name(name.unwrap_or("default")))
        .collect();
    let arns = buses
        .iter()
        .map(|bus| arn("events", &format!("event-bus/{bus}")));
    arns.map(|arn| Need::new("events:PutEvents", arn)).collect()
}

fn sources(entries: &[PutEventsEntry]) -> Vec<String> {
    let sources = entries.iter().filter_map(|entry| entry.source.clone());
    sources.collect()
}

impl Shared {
    /// The sources of the entries that are accepted, and the answer.
    fn put<'a>(&self, entries: &'a [PutEventsEntry]) -> (Vec<&'a str>, Response) {
        let asked = self.refusals_asked_for(entries);
        let results: Vec<_> = entries
            .iter()
            .zip(asked)
            .map(
                |(entry, asked)| match asked.map_or_else(|| entry::check(entry), Err) {
                    Ok(checked) => json!({"EventId": self.accept(Event::new(entry, checked))}),
                    Err(refusal) => {
                        json!({"ErrorCode": refusal.code, "ErrorMessage": refusal.message})
                    }
                },
            )
            .collect();
        let failed = results
            .iter()
            .filter(|result| result["ErrorCode"].is_string());
        let body = json!({"FailedEntryCount": failed.count(), "Entries": results});
        let accepted = entries.iter().zip(&results);
        let accepted = accepted.filter(|(_, result)| result["ErrorCode"].is_null());
        let sources = accepted.filter_map(|(entry, _)| entry.source.as_deref());
        (sources.collect(), DIALECT.answer(body.to_string()))
    }

    fn call_refusal_asked_for(&self, entries: &[PutEventsEntry]) -> Option<Failure> {
        let rules = lock(&self.call_refusals);
        let mut rules = rules.iter();
        let rule = rules.find(|rule| entries.iter().any(|entry| (rule.refuses)(entry)))?;
        Some(rule.failure.clone())
    }

    fn refusals_asked_for(&self, entries: &[PutEventsEntry]) -> Vec<Option<EntryError>> {
        let mut rules = lock(&self.refusals);
        let refusal = |position, entry: &PutEventsEntry| {
            let rule = rules.iter().find(|rule| (rule.refuses)(position, entry))?;
            Some(EntryError::new(
                &rule.code,
                "A refusal that a test asked for.",
            ))
        };
        let numbered = entries.iter().enumerate();
        let asked = numbered
            .map(|(position, entry)| refusal(position, entry))
            .collect();
        rules.retain(|rule| !rule.once);
        asked
    }

    /// Files and archives the event and sends it to the targets; an event for an unknown bus is dropped, as AWS drops it.
    fn accept(&self, event: Event) -> String {
        let id = event.id.clone();
        if self.buses.iter().any(|bus| bus.name == event.bus) {
            let event = Arc::new(event);
            self.events.push_shared(event.clone());
            // It is JSON for certain.
            let text = event.to_json().unwrap_or_default();
            for archive in &self.archives {
                archive.offer(&event, &text);
            }
            self.deliver(&event, &text);
        }
        id
    }

    fn deliver(&self, event: &Event, text: &str) {
        let rules = lock(&self.rules).clone();
        for matched in rules.matching(event, text) {
            let asynchronous = self.asynchronous.clone();
            self.background.spawn(matched.deliver(asynchronous));
        }
    }
}

#[cfg(test)]
mod tests;
