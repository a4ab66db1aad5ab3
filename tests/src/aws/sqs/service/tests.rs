//! The queues over HTTP: what is taken, what is refused, and faults.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::aws::iam::credential::ACCOUNT_KEY;
use crate::aws::iam::tests::signed;
use crate::aws::sqs::queue::tests::{queue, spec};
use crate::template::specs::queue::{QueueSpec, RedriveSpec};

async fn start(queue: &Arc<Queue>) -> Result<Sqs> {
    let access = Arc::new(Access::of_the_account());
    Sqs::start([queue.clone()].into_iter(), access, usize::MAX).await
}

struct Harness {
    sqs: Sqs,
    queue: Arc<Queue>,
    http: reqwest::Client,
}

impl Harness {
    async fn start() -> Result<Self> {
        let queue = queue("Letters");
        Ok(Self {
            sqs: start(&queue).await?,
            queue,
            http: reqwest::Client::builder().no_proxy().build()?,
        })
    }

    /// Asks for an operation on the queue. Gives the answer, or the error's code.
    async fn call(&self, operation: &str, mut members: Value) -> Result<Value> {
        if members.get("QueueUrl").is_none() {
            members["QueueUrl"] = self.queue.spec.url.clone().into();
        }
        let request = self.http.post(self.sqs.url());
        let request = request.header("x-amz-target", format!("AmazonSQS.{operation}"));
        let request = request.header("authorization", signed("sqs"));
        let response = request.body(members.to_string()).send().await?;
        let code = response.headers().get("x-amzn-query-error");
        let code = code
            .map(|code| code.to_str().map(str::to_owned))
            .transpose()?;
        let (status, body) = (response.status(), response.json::<Value>().await?);
        assert_eq!(status.is_success(), body.get("__type").is_none(), "{body}");
        Ok(code.map_or(body, Value::String))
    }

    async fn receive(&self) -> Result<Value> {
        let all = json!({
            "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"],
            "MessageSystemAttributeNames": ["All"],
        });
        let mut answer = self.call("ReceiveMessage", all).await?;
        Ok(answer["Messages"].take())
    }
}

#[tokio::test]
async fn a_message_is_sent_received_given_back_and_deleted() -> Result<()> {
    let harness = Harness::start().await?;
    let attributes = json!({
        "attempt": {"DataType": "Number", "StringValue": "1"},
        "bytes": {"DataType": "Binary", "BinaryValue": "AQI="},
    });
    let system = json!({"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-x"}});
    let sent = json!({
        "MessageBody": "body", "MessageAttributes": attributes, "MessageSystemAttributes": system,
    });
    let sent = harness.call("SendMessage", sent).await?;
    let message = harness.receive().await?[0].take();
    for key in ["MessageId", "MD5OfMessageAttributes"] {
        assert_eq!(message[key], sent[key], "{key}");
    }
    assert_eq!(message["MD5OfBody"], "841a2d689ad86bd1611447453c22c6fc");
    assert_eq!(message["MessageAttributes"], attributes);
    assert_eq!(message["Attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(message["Attributes"]["AWSTraceHeader"], "Root=1-x");

    let handle = &message["ReceiptHandle"];
    let back = json!({"ReceiptHandle": handle, "VisibilityTimeout": 0});
    harness.call("ChangeMessageVisibility", back).await?;
    let again = harness.receive().await?[0].take();
    assert_eq!(again["Attributes"]["ApproximateReceiveCount"], "2");
    let delete = json!({"ReceiptHandle": again["ReceiptHandle"]});
    assert_eq!(harness.call("DeleteMessage", delete).await?, json!({}));
    assert_eq!(harness.queue.depth().in_flight, 0);
    assert_eq!(harness.sqs.count("ReceiveMessage", "Letters"), 2);
    Ok(())
}

#[tokio::test]
async fn a_message_keeps_the_trace_header_of_its_request() -> Result<()> {
    let harness = Harness::start().await?;
    let (of_request, own) = ("Root=1-0-1;Lineage=0a1b2c3d:3", "Root=1-0-2");
    let system = json!({"AWSTraceHeader": {"DataType": "String", "StringValue": own}});
    let entries = json!([
        {"Id": "a", "MessageBody": "one"},
        {"Id": "b", "MessageBody": "two", "MessageSystemAttributes": system},
    ]);
    let request = harness.http.post(harness.sqs.url());
    let request = request.header("x-amz-target", "AmazonSQS.SendMessageBatch");
    let request = request.header("authorization", signed("sqs"));
    let request = request.header("x-amzn-trace-id", of_request);
    let body = json!({"QueueUrl": harness.queue.spec.url, "Entries": entries});
    let response = request.body(body.to_string()).send().await?;
    response.error_for_status()?;
    let messages = harness.queue.messages().snapshot();
    let traces = messages.iter().map(|message| message.trace.as_deref());
    assert_eq!(traces.collect::<Vec<_>>(), [Some(of_request), Some(own)]);
    assert_eq!((messages[0].hops(), messages[1].hops()), (3, 0));
    Ok(())
}

#[tokio::test]
async fn a_message_may_have_a_group_alone_and_in_a_batch() -> Result<()> {
    let harness = Harness::start().await?;
    let alone = json!({"MessageBody": "one", "MessageGroupId": "org_1"});
    harness.call("SendMessage", alone).await?;
    let batch = json!({"Entries": [
        {"Id": "a", "MessageBody": "two", "MessageGroupId": "org_2"},
        {"Id": "b", "MessageBody": "three", "MessageGroupId": "a b"},
        {"Id": "c", "MessageBody": "four"},
    ]});
    let answer = harness.call("SendMessageBatch", batch).await?;
    assert_eq!(answer["Failed"][0]["Code"], "InvalidParameterValue");
    let messages = harness.receive().await?;
    let group = |index: usize| &messages[index]["Attributes"]["MessageGroupId"];
    let groups = [group(0), group(1), group(2)];
    assert_eq!(groups, [&json!("org_1"), &json!("org_2"), &Value::Null]);
    Ok(())
}

#[tokio::test]
async fn over_the_limit_in_flight_there_is_an_error_or_nothing() -> Result<()> {
    let harness = Harness::start().await?;
    harness.queue.limit_in_flight(1);
    for body in ["x", "y"] {
        harness
            .call("SendMessage", json!({"MessageBody": body}))
            .await?;
    }
    assert_eq!(harness.receive().await?.as_array().map(Vec::len), Some(1));
    let answer = harness.call("ReceiveMessage", json!({})).await?;
    assert_eq!(answer, "OverLimit;Sender");
    let waiting = json!({"WaitTimeSeconds": 1});
    let answer = harness.call("ReceiveMessage", waiting).await?;
    assert_eq!(answer["Messages"], json!([]));
    Ok(())
}

#[tokio::test]
async fn a_receiver_is_told_what_it_asks_for() -> Result<()> {
    let harness = Harness::start().await?;
    let attribute = json!({"DataType": "String", "StringValue": "x"});
    let sent = json!({
        "MessageBody": "body",
        "MessageAttributes": {"a.one": attribute, "a.two": attribute, "b": attribute},
    });
    harness.call("SendMessage", sent).await?;
    for (wanted, expect) in [
        (json!({}), ""),
        (json!({"MessageAttributeNames": ["a.*"]}), "a.one a.two"),
        (json!({"MessageAttributeNames": ["b", "c"]}), "b"),
        (json!({"MessageAttributeNames": [".*"]}), "a.one a.two b"),
    ] {
        let answer = harness.call("ReceiveMessage", wanted).await?;
        let message = &answer["Messages"][0];
        let names = message["MessageAttributes"].as_object();
        let names: Vec<_> = names
            .into_iter()
            .flat_map(|all| all.keys())
            .cloned()
            .collect();
        assert_eq!(names.join(" "), expect);
        assert_eq!(message.get("Attributes"), None);
        harness.queue.advance(Duration::from_secs(30));
    }
    Ok(())
}

#[tokio::test]
async fn what_aws_refuses_is_refused_with_its_code() -> Result<()> {
    let harness = Harness::start().await?;
    let invalid = "InvalidParameterValue;Sender";
    let malformed = "MalformedInput;Sender";
    let megabyte = "x".repeat(1024 * 1024 + 1);
    for (operation, members, expect) in [
        (
            "SendMessage",
            json!({"QueueUrl": "https://x", "MessageBody": "x"}),
            "AWS.SimpleQueueService.NonExistentQueue;Sender",
        ),
        (
            "SendMessage",
            json!({"QueueUrl": null}),
            "MissingParameter;Sender",
        ),
        ("SendMessage", json!({}), "MissingParameter;Sender"),
        ("SendMessage", json!({"MessageBody": megabyte}), invalid),
        (
            "SendMessage",
            json!({"MessageBody": "\u{0}"}),
            "InvalidMessageContents;Sender",
        ),
        (
            "SendMessage",
            json!({"MessageBody": "x", "DelaySeconds": 901}),
            invalid,
        ),
        (
            "SendMessage",
            json!({"MessageBody": "x", "DelaySeconds": -1}),
            invalid,
        ),
        (
            "SendMessage",
            json!({"MessageBody": "x", "DelaySeconds": "1"}),
            malformed,
        ),
        (
            "SendMessage",
            json!({"MessageBody": "x", "Colour": "red"}),
            malformed,
        ),
        (
            "SendMessage",
            json!({"MessageBody": "x", "MessageAttributes": {"a": {"DataType": "String"}}}),
            invalid,
        ),
        (
            "ReceiveMessage",
            json!({"MaxNumberOfMessages": 11}),
            invalid,
        ),
        ("ReceiveMessage", json!({"MaxNumberOfMessages": 0}), invalid),
        ("ReceiveMessage", json!({"WaitTimeSeconds": 21}), invalid),
        (
            "ReceiveMessage",
            json!({"VisibilityTimeout": 43_201}),
            invalid,
        ),
        ("DeleteMessage", json!({}), "MissingParameter;Sender"),
        (
            "DeleteMessage",
            json!({"ReceiptHandle": "x"}),
            "ReceiptHandleIsInvalid;Sender",
        ),
        (
            "ChangeMessageVisibility",
            json!({"ReceiptHandle": "x", "VisibilityTimeout": 43_201}),
            invalid,
        ),
        (
            "GetQueueAttributes",
            json!({"AttributeNames": ["Colour"]}),
            "InvalidAttributeName;Sender",
        ),
    ] {
        let answer = harness.call(operation, members.clone()).await?;
        assert_eq!(answer, expect, "{operation} {:.80}", members.to_string());
    }
    assert_eq!(
        harness.queue.depth(),
        crate::aws::sqs::queue::state::Depth::default()
    );
    Ok(())
}

#[tokio::test]
async fn a_batch_has_a_result_for_each_entry() -> Result<()> {
    let harness = Harness::start().await?;
    let entries = json!({"Entries": [
        {"Id": "a", "MessageBody": "one"},
        {"Id": "b", "MessageBody": ""},
        {"Id": "c", "MessageBody": "three", "DelaySeconds": 900},
    ]});
    harness
        .sqs
        .refuse_positions("DeleteMessageBatch", &[0], "InternalError");
    let answer = harness.call("SendMessageBatch", entries).await?;
    assert_eq!(answer["Successful"][0]["Id"], "a");
    assert_eq!(answer["Successful"][1]["Id"], "c");
    assert_eq!(answer["Failed"][0]["Code"], "MissingParameter");
    assert_eq!(harness.queue.depth().delayed, 1);

    let handle = harness.receive().await?[0]["ReceiptHandle"].take();
    let entries = json!({"Entries": [
        {"Id": "a", "ReceiptHandle": handle, "VisibilityTimeout": 600},
        {"Id": "b", "ReceiptHandle": "x", "VisibilityTimeout": 600},
    ]});
    let answer = harness
        .call("ChangeMessageVisibilityBatch", entries)
        .await?;
    assert_eq!(answer["Successful"], json!([{"Id": "a"}]));
    assert_eq!(answer["Failed"][0]["Code"], "ReceiptHandleIsInvalid");

    let entries = json!({"Entries": [{"Id": "a", "ReceiptHandle": handle}]});
    let answer = harness.call("DeleteMessageBatch", entries.clone()).await?;
    assert_eq!(answer["Failed"][0]["Code"], "InternalError");
    let answer = harness.call("DeleteMessageBatch", entries).await?;
    assert_eq!(answer, json!({"Successful": [{"Id": "a"}], "Failed": []}));
    Ok(())
}

#[tokio::test]
async fn batches_that_aws_refuses_are_refused_whole() -> Result<()> {
    let harness = Harness::start().await?;
    let entry = |id: &str, body: &str| json!({"Id": id, "MessageBody": body});
    let half = "x".repeat(1024 * 1024 / 2 + 1);
    let many: Vec<_> = (0..11).map(|id| entry(&id.to_string(), "x")).collect();
    for (entries, expect) in [
        (json!([]), "EmptyBatchRequest"),
        (many.into(), "TooManyEntriesInBatchRequest"),
        (
            json!([entry("a", "x"), entry("a", "y")]),
            "BatchEntryIdsNotDistinct",
        ),
        (json!([entry("a b", "x")]), "InvalidBatchEntryId"),
        (
            json!([entry("a", &half), entry("b", &half)]),
            "BatchRequestTooLong",
        ),
    ] {
        let answer = harness
            .call("SendMessageBatch", json!({"Entries": entries}))
            .await?;
        assert_eq!(answer, format!("AWS.SimpleQueueService.{expect};Sender"));
    }
    assert_eq!(
        harness.queue.depth(),
        crate::aws::sqs::queue::state::Depth::default()
    );
    Ok(())
}

#[tokio::test]
async fn the_attributes_of_a_queue_can_be_asked_for() -> Result<()> {
    let redrive = Some(RedriveSpec {
        dead_letters: "arn:dead".to_owned(),
        maximum_receives: 5,
    });
    let letters = Arc::new(Queue::new(
        QueueSpec {
            redrive,
            ..spec("Letters")
        },
        usize::MAX,
    ));
    let harness = Harness {
        sqs: start(&letters).await?,
        queue: letters,
        ..Harness::start().await?
    };
    harness
        .call("SendMessage", json!({"MessageBody": "x"}))
        .await?;
    let names = json!({"AttributeNames": ["ApproximateNumberOfMessages", "RedrivePolicy"]});
    let answer = harness.call("GetQueueAttributes", names).await?;
    assert_eq!(
        answer["Attributes"],
        json!({
            "ApproximateNumberOfMessages": "1",
            "RedrivePolicy": r#"{"deadLetterTargetArn":"arn:dead","maxReceiveCount":5}"#,
        })
    );
    let all = json!({"AttributeNames": ["All"]});
    let answer = harness.call("GetQueueAttributes", all).await?;
    assert_eq!(answer["Attributes"]["VisibilityTimeout"], "30");
    Ok(())
}

#[tokio::test]
async fn calls_fail_and_wait_when_a_test_wants_it() -> Result<()> {
    let harness = Harness::start().await?;
    let sends = || Calls::of("SendMessage").queue("Letters");
    harness.sqs.fail(Fault::new(Failure::Throttled, sends()));
    harness
        .sqs
        .fail(Fault::new(Failure::Internal, sends()).after_performing());
    let message = json!({"MessageBody": "x"});
    let answer = harness.call("SendMessage", message.clone()).await?;
    assert_eq!(answer, "RequestThrottled;Sender");
    assert_eq!(harness.queue.depth().ready, 0);
    let answer = harness.call("SendMessage", message.clone()).await?;
    assert_eq!(answer, "InternalFailure;Receiver");
    assert_eq!(harness.queue.depth().ready, 1);

    let hold = harness.sqs.hold(sends());
    let (answer, reached) = tokio::join!(harness.call("SendMessage", message), async {
        hold.reached().await?;
        assert_eq!(harness.queue.depth().ready, 2);
        hold.release();
        Ok::<_, anyhow::Error>(())
    });
    reached?;
    assert!(answer?.is_object());
    Ok(())
}

#[tokio::test]
async fn what_is_not_offered_is_remembered() -> Result<()> {
    let harness = Harness::start().await?;
    harness.call("PurgeQueue", json!({})).await?;
    let unexpected = harness.sqs.unexpected().snapshot();
    assert_eq!(*unexpected[0], "PurgeQueue");
    Ok(())
}

#[tokio::test]
async fn a_stranger_is_refused() -> Result<()> {
    let harness = Harness::start().await?;
    let body = json!({"QueueUrl": harness.queue.spec.url, "MessageBody": "body"});
    for (authorization, code) in [
        (
            signed("sqs").replace(ACCOUNT_KEY, "ASIANobody"),
            "InvalidClientTokenId;Sender",
        ),
        (String::new(), "AccessDenied;Sender"),
    ] {
        let request = harness.http.post(harness.sqs.url());
        let request = request.header("x-amz-target", "AmazonSQS.SendMessage");
        let request = request.header("authorization", authorization);
        let response = request.body(body.to_string()).send().await?;
        assert_eq!(response.status(), 403);
        assert_eq!(response.headers()["x-amzn-query-error"], code);
    }
    assert_eq!(harness.queue.depth().ready, 0);
    Ok(())
}
