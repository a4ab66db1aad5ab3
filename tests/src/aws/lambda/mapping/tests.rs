//! A queue that feeds the echoing function of the other tests, and one that can hold its invocations.

use serde_json::Value;

use super::*;
use crate::aws::cloudwatch::Datapoint;
use crate::aws::lambda::function::tests::{Script, spec as function_spec, start_measured};
use crate::aws::sqs::queue::message::Message;
use crate::aws::sqs::queue::state::Depth;
use crate::aws::sqs::queue::tests::queue;
use crate::control::journal::Journal;
use crate::template::specs::function::FunctionSpec;

const SOON: Duration = Duration::from_secs(10);
/// Less than the time in flight.
const WINDOW: Duration = Duration::from_secs(20);

struct Harness {
    queue: Arc<Queue>,
    /// Feeds the same function.
    other: Arc<Queue>,
    function: Arc<Function>,
    measured: Arc<Journal<Datapoint>>,
    mappings: Mappings,
    _script: Script,
}

impl Harness {
    fn start(change: impl FnOnce(&mut MappingSpec)) -> Result<Self> {
        Self::start_function(function_spec(), change)
    }

    fn start_function(
        function: FunctionSpec,
        change: impl FnOnce(&mut MappingSpec),
    ) -> Result<Self> {
        let script = Script::new()?;
        let (queue, other) = (queue("Letters"), queue("Others"));
        let mut mapping = MappingSpec {
            name: "Letters".to_owned(),
            queue: queue.spec.arn.clone(),
            batch_size: 10,
            batching_window: Duration::ZERO,
            reports_failures: true,
            maximum_concurrency: None,
        };
        change(&mut mapping);
        let of_other = MappingSpec {
            queue: other.spec.arn.clone(),
            ..mapping.clone()
        };
        let spec = FunctionSpec {
            mappings: vec![mapping, of_other],
            ..function
        };
        let measured = Arc::new(Journal::new(usize::MAX));
        let function = start_measured(&script.0, spec, &measured);
        let queues = [&queue, &other].map(|queue| (queue.spec.arn.clone(), queue.clone()));
        let targets = Targets {
            queues: queues.into(),
            ..Targets::default()
        };
        Ok(Self {
            mappings: Mappings::start(std::slice::from_ref(&function), &targets)?,
            queue,
            other,
            function,
            measured,
            _script: script,
        })
    }

    /// Sends messages that arrive together.
    fn send(&self, bodies: &[&str]) -> Result<()> {
        self.mappings.set_enabled(false);
        for body in bodies {
            self.queue.send(Message::new(*body))?;
        }
        self.mappings.set_enabled(true);
        Ok(())
    }

    /// The bodies of each batch that the function has been given.
    fn batches(&self) -> Vec<Vec<String>> {
        let lines = self.function.output();
        let events = lines.iter().filter_map(|line| {
            let event: Value = serde_json::from_str(line.strip_prefix("asked to ")?).ok()?;
            let records = event["Records"].as_array()?.iter();
            let bodies =
                records.map(|record| record["body"].as_str().unwrap_or_default().to_owned());
            Some(bodies.collect())
        });
        events.collect()
    }
}

#[tokio::test]
async fn what_the_function_has_handled_is_deleted() -> Result<()> {
    let harness = Harness::start(|_| {})?;
    harness.send(&["a", "b"])?;
    let is_empty = |depth| depth == Depth::default();
    harness.queue.wait_for(SOON, is_empty).await?;
    assert_eq!(harness.batches(), [["a", "b"]]);
    Ok(())
}

#[tokio::test]
async fn what_the_function_reports_as_failed_stays_and_comes_again() -> Result<()> {
    let harness = Harness::start(|_| {})?;
    harness.send(&["a", "fail", "c"])?;
    let one_left = |depth: Depth| depth.in_flight == 1 && depth.ready == 0;
    harness.queue.wait_for(SOON, one_left).await?;
    assert_eq!(harness.queue.contents()[0].message.body, "fail");
    harness.queue.advance(harness.queue.spec.visibility_timeout);
    let again = |line: &str| line.contains(r#""ApproximateReceiveCount":"2""#);
    harness.function.wait_for_output(SOON, again).await
}

#[tokio::test]
async fn a_batch_whose_invocation_fails_stays_whole() -> Result<()> {
    let harness = Harness::start(|_| {})?;
    harness.send(&["a", "throw"])?;
    let asked = |line: &str| line.contains("throw");
    harness.function.wait_for_output(SOON, asked).await?;
    harness.queue.advance(harness.queue.spec.visibility_timeout);
    let again = |line: &str| line.contains(r#""ApproximateReceiveCount":"2""#);
    harness.function.wait_for_output(SOON, again).await?;
    assert_eq!(harness.batches()[1], ["a", "throw"]);
    Ok(())
}

#[tokio::test]
async fn without_reports_every_answer_is_a_success() -> Result<()> {
    let harness = Harness::start(|mapping| mapping.reports_failures = false)?;
    harness.send(&["a", "fail"])?;
    let is_empty = |depth| depth == Depth::default();
    harness.queue.wait_for(SOON, is_empty).await?;
    Ok(())
}

#[tokio::test]
async fn batches_have_a_size_and_the_window_fills_them() -> Result<()> {
    let harness = Harness::start(|mapping| mapping.batch_size = 2)?;
    harness.send(&["a", "b", "c"])?;
    harness
        .queue
        .wait_for(SOON, |depth| depth == Depth::default())
        .await?;
    let mut sizes: Vec<_> = harness.batches().iter().map(Vec::len).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 2]);

    let harness = Harness::start(|mapping| {
        mapping.batch_size = 20;
        mapping.batching_window = WINDOW;
    })?;
    harness.send(&["a"; 12])?;
    harness
        .queue
        .wait_for(SOON, |depth| depth.in_flight == 12)
        .await?;
    assert_eq!(harness.batches().len(), 0, "the window is open");
    harness.queue.advance(WINDOW);
    let asked = |line: &str| line.contains("Records");
    harness.function.wait_for_output(SOON, asked).await?;
    assert_eq!(harness.batches()[0].len(), 12);
    Ok(())
}

#[tokio::test]
async fn no_more_invocations_than_allowed_go_on_at_once() -> Result<()> {
    let harness = Harness::start(|mapping| {
        mapping.batch_size = 1;
        mapping.maximum_concurrency = Some(2);
    })?;
    harness.send(&["hang 0", "hang 1", "hang 2", "hang 3", "hang 4"])?;
    for body in ["hang 0", "hang 1"] {
        let asked = |line: &str| line.contains(body);
        harness.function.wait_for_output(SOON, asked).await?;
    }
    let expect = Depth {
        ready: 3,
        delayed: 0,
        in_flight: 2,
    };
    assert_eq!(harness.queue.depth(), expect);
    assert_eq!(harness.batches().len(), 2);
    Ok(())
}

#[tokio::test]
async fn the_function_is_told_the_group_of_a_message() -> Result<()> {
    let harness = Harness::start(|_| {})?;
    harness.queue.send(Message::new("a").in_group("org_1"))?;
    let told = |line: &str| line.contains(r#""MessageGroupId":"org_1""#);
    harness.function.wait_for_output(SOON, told).await
}

#[tokio::test]
async fn one_mapping_can_be_disabled_alone() -> Result<()> {
    let harness = Harness::start(|_| {})?;
    harness.mappings.set_enabled_of("Letters", false)?;
    harness.queue.send(Message::new("a"))?;
    harness.other.send(Message::new("b"))?;
    let is_empty = |depth| depth == Depth::default();
    harness.other.wait_for(SOON, is_empty).await?;
    assert_eq!(harness.batches(), [["b"]]);
    assert_eq!(harness.queue.depth().ready, 1);
    harness.mappings.set_enabled_of("Letters", true)?;
    harness.queue.wait_for(SOON, is_empty).await?;
    assert_eq!(harness.batches(), [["b"], ["a"]]);
    assert!(harness.mappings.set_enabled_of("Dead", false).is_err());
    Ok(())
}

#[tokio::test]
async fn what_is_over_the_limit_in_flight_waits_in_the_queue() -> Result<()> {
    let harness = Harness::start(|mapping| mapping.batch_size = 1)?;
    harness.queue.limit_in_flight(2);
    harness.send(&["fail", "fail", "c"])?;
    let full = |depth: Depth| depth.in_flight == 2;
    harness.queue.wait_for(SOON, full).await?;
    assert_eq!(harness.queue.depth().ready, 1);
    harness.queue.advance(harness.queue.spec.visibility_timeout);
    let asked = |line: &str| line.contains(r#""body":"c""#);
    harness.function.wait_for_output(SOON, asked).await
}

#[tokio::test]
async fn a_message_of_too_long_a_chain_is_given_up_and_counted() -> Result<()> {
    let harness = Harness::start(|_| {})?;
    handle_chains(&harness).await?;
    assert_eq!(harness.batches(), [["b"]]);
    assert_eq!(harness.other.contents()[0].message.body, "a");
    let measured = harness.measured.snapshot();
    let dropped = measured.iter().map(|datapoint| datapoint.metric);
    let dropped = dropped.filter(|metric| *metric == "RecursiveInvocationsDropped");
    assert_eq!(dropped.count(), 1);
    Ok(())
}

#[tokio::test]
async fn a_function_that_may_loop_gets_messages_of_any_chain() -> Result<()> {
    let function = FunctionSpec {
        allows_loops: true,
        ..function_spec()
    };
    let harness = Harness::start_function(function, |_| {})?;
    handle_chains(&harness).await?;
    assert_eq!(harness.batches(), [["a", "b"]]);
    assert_eq!(harness.other.depth(), Depth::default());
    Ok(())
}

/// Has a message handled after as many invocations as Lambda lets pass, and one after more.
async fn handle_chains(harness: &Harness) -> Result<()> {
    harness.queue.set_dead_letters(&harness.other);
    harness.mappings.set_enabled(false);
    for (body, hops) in [("a", MAXIMUM_HOPS), ("b", MAXIMUM_HOPS - 1)] {
        // As a function's own message is after so many invocations.
        let trace = Some(lineage::after(hops, "arn:of-a-function"));
        let message = Message::new(body);
        harness.queue.send(Message { trace, ..message })?;
    }
    harness.mappings.set_enabled_of("Letters", true)?;
    let is_empty = |depth| depth == Depth::default();
    harness.queue.wait_for(SOON, is_empty).await?;
    Ok(())
}
