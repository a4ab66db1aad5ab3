//! Whichever call of a request fails, and however, Close and the stored instance agree when the request was sent again.
//!
//! The calls are those that a recording of the request shows, so that a call that is new is failed, too.

mod call;
mod scenario;
mod state;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, ensure};
use reqwest::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;

use crate::world::Answer;
use call::{Failing, Site};
use scenario::{OTHER_KEY, Request, SECOND_KEY, Scenario, Stage};

/// What no answer costs, 2.4 s or 3 s, is waited for side by side.
const WORLDS: usize = 24;

/// A request, one of whose calls fails.
type Case = (Arc<Scenario>, Failing);

/// The cases that are still to be played.
type Cases = Mutex<VecDeque<Case>>;

/// Every request about a subscription.
fn scenarios() -> Vec<Scenario> {
    let off = json!({"event.webhook.subscribe": false});
    let off_elsewhere = json!({"event.webhook.subscribe": false, "username": OTHER_KEY});
    let same_organization = json!({"username": SECOND_KEY, "event.objects": "contact"});
    vec![
        Scenario::Create(json!({})),
        Scenario::Create(scenario::polling()),
        Scenario::Subscribe { disabled: false },
        Scenario::Subscribe { disabled: true },
        Scenario::Change(off),
        Scenario::Change(json!({"event.objects": "contact"})),
        Scenario::Change(json!({"username": OTHER_KEY})),
        Scenario::Change(same_organization),
        Scenario::Change(off_elsewhere),
        Scenario::enable(true),
        Scenario::enable(false),
        Scenario::Enable {
            enabled: true,
            lost: true,
        },
        Scenario::Rename,
        Scenario::Remove,
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn close_and_what_is_stored_agree_whichever_call_fails() {
    let mut cases = Vec::new();
    let stage = Stage::start().await;
    for scenario in scenarios().into_iter().map(Arc::new) {
        let calls = record(&stage, &scenario).await;
        let failing = calls.into_iter().flat_map(Failing::each);
        cases.extend(failing.map(|failing| (Arc::clone(&scenario), failing)));
    }
    stage.world.finish().await;

    // Those that wait for long begin first, so that none is waited for at the end.
    cases.sort_by_key(|(_, failing)| !failing.takes_long());
    let cases = Arc::new(Mutex::new(VecDeque::from(cases)));
    let mut worlds = JoinSet::new();
    for _ in 0..WORLDS {
        worlds.spawn(play_all(Arc::clone(&cases)));
    }
    let failures = worlds.join_all().await.concat();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Sends a scenario's request with nothing that fails, and returns the calls that it made.
async fn record(stage: &Stage, scenario: &Scenario) -> Vec<Site> {
    let request = scenario.prepare(stage).await;
    let (answer, calls) = call::record(stage, &request).await;
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "{scenario:?}: {}",
        answer.body
    );
    state::expect_agreement(stage, &request).await.unwrap();
    state::remove_all(stage).await;
    calls
}

/// Plays cases in a world of its own until there are no more. Returns what was wrong.
async fn play_all(cases: Arc<Cases>) -> Vec<String> {
    let stage = Stage::start().await;
    let mut failures = Vec::new();
    while let Some((scenario, failing)) = next(&cases) {
        let request = scenario.prepare(&stage).await;
        if let Err(failure) = play(&stage, &request, &failing).await {
            failures.push(format!("{scenario:?}, {failing}: {failure:#}"));
        }
        state::remove_all(&stage).await;
    }
    stage.world.finish().await;
    failures
}

fn next(cases: &Cases) -> Option<Case> {
    cases.lock().unwrap().pop_front()
}

async fn play(stage: &Stage, request: &Request, failing: &Failing) -> Result<()> {
    let first = failing.break_down(stage, request).await?;
    let shown = format!("{} {}", first.status, first.body);
    ensure!(is_expected(failing, first.status), "{shown}");
    if let Err(difference) = state::compare(stage).await {
        let is_said = failing.is_killed() || says_so(&first) || state::is_shown(stage).await;
        ensure!(is_said, "nobody says that {difference}: {shown}");
    }

    let second = request.send(stage).await;
    let shown = format!("{shown}; then {} {}", second.status, second.body);
    let is_gone = request.removes() && second.status == StatusCode::NOT_FOUND;
    ensure!(second.status == StatusCode::OK || is_gone, "{shown}");
    let agreement = state::expect_agreement(stage, request).await;
    agreement.context(shown)
}

/// Whether a request may be answered so when the call fails. What Close rejects is a 400.
fn is_expected(failing: &Failing, status: StatusCode) -> bool {
    match status {
        StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE => true,
        StatusCode::BAD_REQUEST => failing.is_rejected(),
        StatusCode::INTERNAL_SERVER_ERROR => failing.is_killed(),
        _ => false,
    }
}

/// Whether an answer says that something may be left to do.
fn says_so(answer: &Answer) -> bool {
    let message = answer.body["message"].as_str().unwrap_or_default();
    let says = |text| message.contains(text);
    let is_unknown = answer.body["webhook"]["status"] == "unknown";
    is_unknown || says("may differ") || says("may be left")
}

/// A call that the recording does not see would not be failed.
#[tokio::test]
async fn every_call_of_a_change_is_seen() {
    let stage = Stage::start().await;
    let calls = record(
        &stage,
        &Scenario::Change(json!({"event.objects": "contact"})),
    )
    .await;
    let calls: Vec<_> = calls.iter().map(Site::to_string).collect();
    let expected = [
        "GetItem InstancesTable",
        "UpdateItem InstancesTable",
        "GetItem InstancesTable, after 1",
        "GetItem InstancesTable, after 2",
        "PUT /webhook/*",
        "GET /webhook/",
    ];
    assert_eq!(calls, expected);
    stage.world.finish().await;
}
