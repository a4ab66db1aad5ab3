//! A queue that feeds the echoing function of the other tests, and one that can hold its invocations.

use serde_json::Value;

use super::*;
use crate::function::tests::{Script, spec as function_spec, start};
use crate::queue::message::Message;
use crate::queue::state::Depth;
use crate::queue::tests::queue;
use crate::template::FunctionSpec;

const SOON: Duration = Duration::from_secs(10);
/// Less than the time in flight.
const WINDOW: Duration = Duration::from_secs(20);

struct Harness {
    queue: Arc<Queue>,
    function: Arc<Function>,
    mappings: Mappings,
    _script: Script,
}

impl Harness {
    fn start(change: impl FnOnce(&mut MappingSpec)) -> Result<Self> {
        let (script, queue) = (Script::new()?, queue("Letters"));
        let mut mapping = MappingSpec {
            name: "Letters".to_owned(),
            queue: queue.spec.arn.clone(),
            batch_size: 10,
            batching_window: Duration::ZERO,
            reports_failures: true,
            maximum_concurrency: None,
        };
        change(&mut mapping);
        let spec = FunctionSpec {
            mappings: vec![mapping],
            ..function_spec()
        };
        let function = start(&script.0, spec);
        let targets = Targets {
            queues: [(queue.spec.arn.clone(), queue.clone())].into(),
            ..Targets::default()
        };
        Ok(Self {
            mappings: Mappings::start(std::slice::from_ref(&function), &targets)?,
            queue,
            function,
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
