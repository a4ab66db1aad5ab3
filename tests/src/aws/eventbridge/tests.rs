//! `PutEvents` over HTTP: the limits, the refusals, the faults and the rules.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::*;
use crate::aws::iam::tests::signed;
use crate::aws::lambda::asynchronous::RETRY_DELAYS;
use crate::aws::sqs::queue::Queue;
use crate::aws::sqs::queue::message::Message;
use crate::aws::sqs::queue::tests::queue;
use crate::control::fault::Failure;
use crate::template::specs::bus::TargetSpec;

const SOON: Duration = Duration::from_secs(5);
const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:local-Letters";

struct Harness {
    bus: Bus,
    queue: Arc<Queue>,
    http: reqwest::Client,
}

impl Harness {
    async fn start() -> Result<Self> {
        let buses = vec![BusSpec {
            logical_id: "EventBus".to_owned(),
            name: "main".to_owned(),
        }];
        let archives = vec![ArchiveSpec {
            logical_id: "Archive".to_owned(),
            bus: "main".to_owned(),
            pattern: json!({"source": ["closeio"]}),
        }];
        let asynchronous = Asynchronous {
            retry_delays: RETRY_DELAYS,
        };
        let queue = queue("Letters");
        Ok(Self {
            bus: Bus::start(
                buses,
                archives,
                asynchronous,
                Arc::new(Access::of_the_account()),
                usize::MAX,
            )
            .await?,
            queue,
            http: reqwest::Client::builder().no_proxy().build()?,
        })
    }

    fn set_rule(&self, pattern: &Value) -> Result<()> {
        let rule = RuleSpec {
            logical_id: "Rule".to_owned(),
            arn: "arn:aws:events:us-east-1:000000000000:rule/rule".to_owned(),
            bus: "main".to_owned(),
            pattern: pattern.clone(),
            targets: vec![TargetSpec {
                id: "Letters".to_owned(),
                arn: QUEUE.to_owned(),
                maximum_retries: 0,
                maximum_age: SOON,
                dead_letters: None,
                input: None,
            }],
        };
        let targets = Targets {
            queues: [(QUEUE.to_owned(), self.queue.clone())].into(),
            ..Targets::default()
        };
        self.bus.set_rules(vec![rule], Arc::new(targets))
    }

    async fn put(&self, entries: &[Value]) -> Result<(u16, Value)> {
        let body = json!({"Entries": entries});
        let request = self.http.post(self.bus.url()).body(body.to_string());
        let response = request
            .header("x-amz-target", "AWSEvents.PutEvents")
            .header("authorization", signed("events"))
            .send()
            .await?;
        Ok((response.status().as_u16(), response.json().await?))
    }
}

fn entry(detail: &str) -> Value {
    json!({"Source": "closeio", "DetailType": "lead.created", "Detail": detail, "EventBusName": "main"})
}

fn entry_with(field: &str, value: impl Into<Value>) -> Value {
    let mut entry = entry("{}");
    entry[field] = value.into();
    entry
}

#[tokio::test]
async fn an_entry_becomes_an_event_with_its_detail_unchanged() -> Result<()> {
    let harness = Harness::start().await?;
    let detail = r#"{ "b": 1.50, "a": 12345678901234567, "ü": "\u00e9" }"#;
    let mut entry = entry(detail);
    entry["Time"] = 1_781_870_805.242_f64.into();
    entry["Resources"] = json!(["arn:x"]);
    let (status, answer) = harness.put(&[entry]).await?;
    assert_eq!((status, &answer["FailedEntryCount"]), (200, &json!(0)));
    let events = harness.bus.events().snapshot();
    let event = events.first().context("no event")?;
    assert_eq!(answer["Entries"][0]["EventId"], event.id.as_str());
    assert_eq!(
        event.to_json()?,
        format!(
            r#"{{"version":"0","id":"{}","detail-type":"lead.created","source":"closeio","account":"000000000000","time":"2026-06-19T12:06:45Z","region":"us-east-1","resources":["arn:x"],"detail":{detail}}}"#,
            event.id
        )
    );
    Ok(())
}

#[tokio::test]
async fn bad_calls_are_refused_whole() -> Result<()> {
    let harness = Harness::start().await?;
    let megabyte = format!("{{\"a\":\"{}\"}}", "x".repeat(1024 * 1024 - 40));
    assert_eq!(harness.put(&[entry(&megabyte)]).await?.0, 200);
    for (entries, code) in [
        (vec![], "ValidationException"),
        (vec![entry("{}"); 11], "ValidationException"),
        (vec![entry(&megabyte), entry("{}")], "ValidationException"),
        (vec![entry_with("Colour", "red")], "SerializationException"),
        (vec![entry_with("TraceHeader", "")], "ValidationException"),
        (
            vec![entry_with("TraceHeader", "x".repeat(501))],
            "ValidationException",
        ),
    ] {
        let (status, answer) = harness.put(&entries).await?;
        assert_eq!((status, &answer["__type"]), (400, &json!(code)));
    }
    assert_eq!(harness.bus.events().snapshot().len(), 1);
    assert_eq!(harness.bus.calls().snapshot().len(), 7);
    Ok(())
}

#[tokio::test]
async fn bad_entries_are_refused_alone() -> Result<()> {
    let harness = Harness::start().await?;
    for (bad, code) in [
        (entry_with("Source", Value::Null), "InvalidArgument"),
        (entry_with("Source", ""), "InvalidArgument"),
        (entry_with("Time", 1e18), "InvalidArgument"),
        (entry_with("DetailType", ""), "InvalidArgument"),
        (entry_with("DetailType", "x".repeat(129)), "InvalidArgument"),
        (entry_with("Detail", ""), "InvalidArgument"),
        (
            entry_with("Source", "aws.close"),
            "NotAuthorizedForSourceException",
        ),
        (entry("[]"), "MalformedDetail"),
        (entry("{\"a\":9223372036854775808}"), "MalformedDetail"),
    ] {
        let (status, answer) = harness.put(&[entry("{}"), bad]).await?;
        assert_eq!((status, &answer["FailedEntryCount"]), (200, &json!(1)));
        assert!(answer["Entries"][0]["EventId"].is_string());
        assert_eq!(answer["Entries"][1]["ErrorCode"], code, "{answer}");
    }
    assert_eq!(harness.bus.events().snapshot().len(), 9);
    Ok(())
}

#[tokio::test]
async fn an_unknown_bus_is_accepted_and_dropped() -> Result<()> {
    let harness = Harness::start().await?;
    let (_, answer) = harness.put(&[entry_with("EventBusName", "other")]).await?;
    assert_eq!(answer["FailedEntryCount"], 0);
    let arn = "arn:aws:events:us-east-1:000000000000:event-bus/main";
    harness.put(&[entry_with("EventBusName", arn)]).await?;
    assert_eq!(harness.bus.events().snapshot().len(), 1);
    Ok(())
}

#[tokio::test]
async fn another_operation_is_refused_and_remembered() -> Result<()> {
    let harness = Harness::start().await?;
    let request = harness.http.post(harness.bus.url());
    let response = request
        .header("x-amz-target", "AWSEvents.PutRule")
        .send()
        .await?;
    assert_eq!(response.status(), 400);
    assert_eq!(*harness.bus.unexpected().snapshot()[0], "AWSEvents.PutRule");
    Ok(())
}

#[tokio::test]
async fn faults_come_when_asked_for() -> Result<()> {
    let harness = Harness::start().await?;
    let bus = &harness.bus;
    bus.fail(Fault::new(Failure::Throttled, Calls::any()));
    bus.fail(Fault::new(Failure::Internal, Calls::any()).after_performing());
    assert_eq!(
        harness.put(&[entry("{}")]).await?.1["__type"],
        "ThrottlingException"
    );
    assert_eq!(bus.events().snapshot().len(), 0);
    assert_eq!(harness.put(&[entry("{}")]).await?.0, 500);
    assert_eq!(bus.events().snapshot().len(), 1);
    bus.fail(Fault::new(Failure::Disconnected, Calls::any()));
    assert!(harness.put(&[entry("{}")]).await.is_err());
    bus.refuse_positions(&[1], "InternalFailure");
    bus.refuse("Poison", |entry| {
        entry
            .detail
            .as_ref()
            .is_some_and(|text| text.contains("bad"))
    });
    let (_, answer) = harness
        .put(&[entry("{}"), entry("{}"), entry(r#"{"bad":1}"#)])
        .await?;
    let codes: Vec<_> = (0..3)
        .map(|n| answer["Entries"][n]["ErrorCode"].clone())
        .collect();
    assert_eq!(
        codes,
        [json!(null), json!("InternalFailure"), json!("Poison")]
    );
    bus.accept_all();
    assert_eq!(
        harness.put(&[entry(r#"{"bad":1}"#)]).await?.1["FailedEntryCount"],
        0
    );
    Ok(())
}

#[tokio::test]
async fn a_call_is_refused_as_a_whole_for_one_entry_or_the_limit_of_another_region() -> Result<()> {
    let harness = Harness::start().await?;
    let bus = &harness.bus;
    let entry_of = |bytes: usize| entry(&format!("{{\"a\":\"{}\"}}", "x".repeat(bytes)));
    bus.set_maximum_bytes(256 * 1024);
    let halves = [entry_of(200 * 1024), entry_of(100 * 1024)];
    assert_eq!(harness.put(&halves[..1]).await?.0, 200);
    let (status, answer) = harness.put(&halves).await?;
    assert_eq!(
        (status, &answer["__type"]),
        (400, &json!("ValidationException"))
    );

    let code = "ValidationException".to_owned();
    let failure = Failure::Error { status: 400, code };
    bus.refuse_calls(failure, |entry| entry.bytes() < 100);
    let (status, answer) = harness.put(&[entry("{}"), halves[1].clone()]).await?;
    assert_eq!(
        (status, &answer["__type"]),
        (400, &json!("ValidationException"))
    );
    bus.accept_all();
    assert_eq!(harness.put(&[entry("{}"), halves[1].clone()]).await?.0, 200);
    assert_eq!(bus.events().snapshot().len(), 3);

    bus.fail(Fault::new(Failure::Bare { status: 413 }, Calls::any()));
    let request = harness.http.post(bus.url());
    let request = request.header("x-amz-target", "AWSEvents.PutEvents");
    let request = request.header("authorization", signed("events"));
    let response = request.body(json!({"Entries": [entry("{}")]}).to_string());
    let response = response.send().await?;
    assert_eq!(
        (response.status().as_u16(), response.text().await?),
        (413, String::new())
    );
    Ok(())
}

#[tokio::test]
async fn a_held_call_has_been_accepted() -> Result<()> {
    let harness = Harness::start().await?;
    let hold = harness.bus.hold(Calls::any().source("closeio"));
    let entries = [entry("{}")];
    let (put, reached) = tokio::join!(harness.put(&entries), async {
        hold.reached().await?;
        assert_eq!(harness.bus.events().snapshot().len(), 1);
        hold.release();
        Ok::<_, anyhow::Error>(())
    });
    reached?;
    assert_eq!(put?.0, 200);
    Ok(())
}

#[tokio::test]
async fn rules_deliver_what_matches_and_nothing_else() -> Result<()> {
    let harness = Harness::start().await?;
    let detail = r#"{"deep":[[{"kind":"x"}]],"callback":true,"n":5}"#;
    for (pattern, matches) in [
        (json!({"source": ["closeio"]}), true),
        (
            json!({"source": ["other", "closeio"], "detail-type": ["lead.created"]}),
            true,
        ),
        (
            json!({"source": ["closeio"], "detail-type": ["lead.deleted"]}),
            false,
        ),
        (json!({"detail": {"callback": [true]}}), true),
        (json!({"detail": {"callback": [false]}}), false),
        (json!({"detail-type": [{"prefix": "lead."}]}), true),
        (
            json!({"detail-type": [{"anything-but": ["lead.created"]}]}),
            false,
        ),
        (json!({"replay-name": [{"exists": false}]}), true),
        (
            json!({"detail": {"n": [{"numeric": [">", 4, "<=", 5]}]}}),
            true,
        ),
    ] {
        harness.set_rule(&pattern)?;
        harness.queue.messages().clear();
        // A second event that matches for certain shows that the first has had its chance.
        harness.put(&[entry(detail)]).await?;
        harness.set_rule(&json!({"source": ["closeio"]}))?;
        harness.put(&[entry(r#"{"last":1}"#)]).await?;
        let count = if matches { 2 } else { 1 };
        let letters = harness.queue.messages().wait_for_count(count, SOON).await?;
        assert_eq!(letters.len(), count, "{pattern}");
    }
    Ok(())
}

#[tokio::test]
async fn a_replayed_event_says_so() -> Result<()> {
    let harness = Harness::start().await?;
    harness.put(&[entry("{}")]).await?;
    harness
        .put(&[entry_with("Source", "closeio.poller")])
        .await?;
    let event = harness.bus.events().snapshot()[0].clone();
    let ever = || Timestamp::UNIX_EPOCH..Timestamp::MAX;
    harness.set_rule(&json!({"replay-name": [{"exists": false}]}))?;
    assert_eq!(harness.bus.replay("again", ever()), 1);
    harness.set_rule(&json!({"replay-name": ["again"]}))?;
    // It is not archived again.
    assert_eq!(harness.bus.replay("again", ever()), 1);
    let letters = harness.queue.messages().wait_for_count(1, SOON).await?;
    let letter: Value = serde_json::from_str(&letters[0].body)?;
    assert_eq!(
        (&letter["id"], &letter["replay-name"]),
        (&json!(event.id), &json!("again"))
    );
    assert_eq!(harness.bus.events().snapshot().len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_replay_has_what_is_dated_in_its_span_minute_by_minute() -> Result<()> {
    let harness = Harness::start().await?;
    harness.set_rule(&json!({"replay-name": ["again"]}))?;
    for second in [179, 60, 180, 59, 61] {
        harness.put(&[entry_with("Time", second)]).await?;
    }
    let moment = |second| Timestamp::from_second(second).expect("in range");
    assert_eq!(harness.bus.replay("again", moment(60)..moment(180)), 3);
    let letters = harness.queue.messages().wait_for_count(3, SOON).await?;
    let time = |letter: &Message| {
        let letter: Value = serde_json::from_str(&letter.body)?;
        Ok(letter["time"].as_str().unwrap_or_default().to_owned())
    };
    let times: Result<BTreeSet<_>> = letters.iter().map(|letter| time(letter)).collect();
    let expected = [
        "1970-01-01T00:01:00Z",
        "1970-01-01T00:01:01Z",
        "1970-01-01T00:02:59Z",
    ];
    assert_eq!(times?, expected.map(str::to_owned).into());
    Ok(())
}

#[tokio::test]
async fn patterns_that_aws_would_take_differently_are_refused() -> Result<()> {
    let harness = Harness::start().await?;
    for pattern in [
        json!({"$or": [{"source": ["a"]}]}),
        json!({"source": [{"regexp": "a.*"}]}),
        json!({"source": "closeio"}),
        json!({"source": []}),
        json!("source"),
    ] {
        assert!(harness.set_rule(&pattern).is_err(), "{pattern}");
    }
    Ok(())
}
