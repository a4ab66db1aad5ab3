//! Retries and the record of what was given up.

use std::collections::BTreeMap;

use anyhow::Result;

use super::*;
use crate::aws::lambda::function::tests::{Script, spec, start};
use crate::aws::sqs::queue::tests::queue;
use crate::template::specs::function::{AsyncSpec, FunctionSpec};

const SOON: Duration = Duration::from_secs(10);
const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:local-Dead";

/// Invokes a function that is retried once, and looks at the record that it leaves.
async fn check(
    payload: &str,
    maximum_age: Duration,
    throttles: usize,
    runs: usize,
    condition: Option<&str>,
) -> Result<()> {
    let script = Script::new()?;
    let asynchronous = AsyncSpec {
        maximum_retries: 1,
        maximum_age,
        on_failure: Some(QUEUE.to_owned()),
    };
    let function = start(
        &script.0,
        FunctionSpec {
            asynchronous,
            concurrency: Some(1),
            ..spec()
        },
    );
    let (dead, functions) = (queue("Dead"), BTreeMap::new());
    let queues = [(QUEUE.to_owned(), dead.clone())].into();
    let targets = Targets { functions, queues };
    let asynchronous = Asynchronous {
        retry_delays: [Duration::ZERO; 2],
    };
    let invocation = Invocation {
        payload: payload.to_owned(),
        trace: None,
    };
    // With its one place taken, an event can only wait.
    let busy = if runs == 0 {
        function.admit().await
    } else {
        None
    };
    // What is throttled waits, and that is no attempt.
    function.throttle(throttles);
    asynchronous.invoke(&function, &targets, invocation).await;
    drop(busy);
    let line = format!("asked to {payload}");
    if 0 < runs {
        function.wait_for_output(SOON, |text| text == line).await?;
    }
    let records = dead.messages().snapshot();
    let record = records
        .first()
        .map(|message| serde_json::from_str::<Value>(&message.body));
    let record = record.transpose()?;
    assert_eq!(
        record
            .as_ref()
            .and_then(|record| record["requestContext"]["condition"].as_str()),
        condition
    );
    if let Some(record) = record {
        assert_eq!(record["requestContext"]["approximateInvokeCount"], runs);
        assert_eq!(record["requestPayload"].to_string(), payload);
    }
    Ok(())
}

#[tokio::test]
async fn success_leaves_no_record() -> Result<()> {
    check("1", SOON, 0, 1, None).await
}

#[tokio::test]
async fn a_throttled_event_is_tried_again() -> Result<()> {
    check("1", SOON, 1, 1, None).await?;
    check(r#""fail""#, SOON, 1, 2, Some("RetriesExhausted")).await
}

#[tokio::test]
async fn one_that_is_throttled_for_too_long_is_recorded() -> Result<()> {
    check(
        "1",
        Duration::from_millis(100),
        1,
        0,
        Some("EventAgeExceeded"),
    )
    .await
}

#[tokio::test]
async fn failure_is_tried_again_and_then_recorded() -> Result<()> {
    check(r#""fail""#, SOON, 0, 2, Some("RetriesExhausted")).await
}

#[tokio::test]
async fn an_event_that_waited_too_long_is_recorded() -> Result<()> {
    check("1", Duration::ZERO, 0, 0, Some("EventAgeExceeded")).await
}
