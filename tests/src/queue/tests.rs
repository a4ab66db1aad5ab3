//! Waiting for messages, by a time that is moved.

use super::*;
use crate::template::RedriveSpec;

const SOON: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_mins(1);

/// A queue that is called so, with AWS's defaults.
pub(crate) fn spec(logical_id: &str) -> QueueSpec {
    let name = format!("local-{logical_id}");
    QueueSpec {
        logical_id: logical_id.to_owned(),
        url: format!("https://sqs.us-east-1.amazonaws.com/000000000000/{name}"),
        arn: format!("arn:aws:sqs:us-east-1:000000000000:{name}"),
        name,
        visibility_timeout: Duration::from_secs(30),
        delay: Duration::ZERO,
        maximum_bytes: 1024 * 1024,
        receive_wait: Duration::ZERO,
        retention: Duration::from_hours(96),
        redrive: None,
    }
}

pub(crate) fn queue(logical_id: &str) -> Arc<Queue> {
    Arc::new(Queue::new(spec(logical_id), usize::MAX))
}

async fn receive(queue: &Queue) -> Vec<String> {
    let received = queue.receive(10, Duration::ZERO, None).await;
    let received = received.expect("nothing is over a limit").into_iter();
    received
        .map(|received| received.message.body.clone())
        .collect()
}

#[tokio::test]
async fn a_receiver_that_waits_gets_what_is_sent() -> Result<()> {
    let queue = queue("Letters");
    let waiting = queue.receive(10, SOON, None);
    let (received, ()) = tokio::join!(waiting, async {
        tokio::task::yield_now().await;
        queue.send(Message::new("x")).expect("it is sound");
    });
    assert_eq!(received.map(|received| received.len()), Ok(1));
    Ok(())
}

#[tokio::test]
async fn a_receiver_that_waits_gets_what_time_makes_ready() -> Result<()> {
    let queue = queue("Letters");
    let sent = queue.try_send(Message::new("x"), Some(MINUTE));
    assert_eq!(sent, Ok(()));
    assert_eq!(receive(&queue).await, [""; 0]);
    let waiting = queue.receive(10, SOON, None);
    let (received, ()) = tokio::join!(waiting, async {
        tokio::task::yield_now().await;
        queue.advance(MINUTE);
    });
    assert_eq!(received.map(|received| received.len()), Ok(1));
    // And again when the time in flight is over.
    queue.advance(queue.spec.visibility_timeout);
    assert_eq!(receive(&queue).await, ["x"]);
    Ok(())
}

#[tokio::test]
async fn what_was_received_too_often_goes_to_the_dead_letter_queue() -> Result<()> {
    let dead_letters = queue("Dead");
    let redrive = Some(RedriveSpec {
        dead_letters: dead_letters.spec.arn.clone(),
        maximum_receives: 1,
    });
    let spec = QueueSpec {
        redrive,
        ..spec("Letters")
    };
    let queue = Queue::new(spec, usize::MAX);
    queue.set_dead_letters(&dead_letters);
    queue.send(Message::new("x"))?;
    assert_eq!(receive(&queue).await, ["x"]);
    queue.advance(MINUTE);
    assert_eq!(receive(&queue).await, [""; 0]);
    assert_eq!(queue.depth(), Depth::default());
    assert_eq!(dead_letters.messages().snapshot()[0].body, "x");
    let received = dead_letters.receive(1, Duration::ZERO, None).await;
    let received = received.expect("nothing is over a limit");
    let source = ("DeadLetterQueueSourceArn", queue.spec.arn.clone());
    assert!(received[0].attributes.contains(&source), "{received:?}");
    Ok(())
}

#[tokio::test]
async fn tests_can_wait_for_a_depth_and_change_what_is_held() -> Result<()> {
    let queue = queue("Letters");
    let waiting = queue.wait_for(SOON, |depth| depth.ready == 1);
    let (depth, ()) = tokio::join!(waiting, async {
        tokio::task::yield_now().await;
        queue.send(Message::new("x")).expect("it is sound");
    });
    assert_eq!(depth?.in_flight, 0);
    queue.edit(|message| message.body.push('y'));
    let held = queue.contents();
    assert_eq!(
        (held[0].message.body.as_str(), held[0].place),
        ("xy", Place::Ready)
    );
    assert_eq!(queue.messages().snapshot()[0].body, "x", "as it was sent");
    let error = queue
        .wait_for(Duration::ZERO, |depth| depth.ready == 2)
        .await;
    let error = error.expect_err("there is one");
    assert!(error.to_string().contains("ready: 1"), "{error}");
    Ok(())
}
