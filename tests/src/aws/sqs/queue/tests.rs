//! Waiting for messages, by a time that is moved.

use super::message::Attribute;
use super::state::Depth;
use super::*;
use crate::template::specs::queue::RedriveSpec;

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
    let (queue, dead_letters) = with_dead_letters();
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

/// Two queues, of which the second takes what the first has handed out once.
fn with_dead_letters() -> (Queue, Arc<Queue>) {
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
    (queue, dead_letters)
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

#[tokio::test]
async fn over_the_limit_who_waits_gets_nothing_and_others_an_error() -> Result<()> {
    let queue = queue("Letters");
    queue.limit_in_flight(1);
    for body in ["x", "y"] {
        queue.send(Message::new(body))?;
    }
    let first = queue.receive(10, Duration::ZERO, None).await?;
    assert_eq!(first.len(), 1);
    let refused = queue.receive(10, Duration::ZERO, None).await;
    let refused = refused.map_err(|rejection| rejection.kind.code());
    assert_eq!(refused.expect_err("it is over the limit"), "OverLimit");
    let waited = queue.receive(10, Duration::from_millis(1), None).await?;
    assert_eq!(waited.len(), 0);
    let waiting = queue.receive(10, SOON, None);
    let (received, deleted) = tokio::join!(waiting, async {
        tokio::task::yield_now().await;
        queue.delete(&first[0].handle)
    });
    deleted?;
    assert_eq!(received?[0].message.body, "y");
    Ok(())
}

#[tokio::test]
async fn what_is_too_old_is_counted_and_gone() -> Result<()> {
    let queue = queue("Letters");
    queue.send(Message::new("x"))?;
    queue.advance(queue.spec.retention);
    assert_eq!(receive(&queue).await, [""; 0]);
    assert_eq!((queue.depth(), queue.expired()), (Depth::default(), 1));
    assert_eq!(queue.oldest_age(), None);
    Ok(())
}

#[tokio::test]
async fn what_was_given_up_keeps_body_attributes_group_and_age() -> Result<()> {
    let (queue, dead_letters) = with_dead_letters();
    let message = Message::new("x").with("attempt", Attribute::number(1));
    let message = message.in_group("group");
    queue.send(message.clone())?;
    queue.advance(Duration::from_hours(95));
    assert_eq!(receive(&queue).await, ["x"]);
    queue.advance(MINUTE);
    assert_eq!(receive(&queue).await, [""; 0]);
    assert_eq!(*dead_letters.contents()[0].message, message);
    let age = dead_letters.oldest_age().expect("there is one");
    assert!(age < MINUTE, "it has just come, {age:?}");
    // The dead-letter queue's own time has not been moved until now.
    dead_letters.advance(Duration::from_hours(1));
    assert_eq!(dead_letters.expired(), 1);
    Ok(())
}

#[tokio::test]
async fn messages_that_are_moved_are_new_ones() -> Result<()> {
    let (queue, dead_letters) = with_dead_letters();
    let message = Message::new("x").with("attempt", Attribute::number(1));
    dead_letters.send(message.clone())?;
    dead_letters.try_send(Message::new("late"), Some(MINUTE))?;
    assert_eq!(dead_letters.move_to(&queue)?, 1);
    assert_eq!(dead_letters.depth().delayed, 1, "it is not visible");
    let moved = queue.receive(1, Duration::ZERO, None).await?.remove(0);
    assert_ne!(moved.message.id, message.id);
    let id = message.id.clone();
    assert_eq!(
        Message {
            id,
            ..Message::clone(&moved.message)
        },
        message
    );
    assert!(
        moved
            .attributes
            .contains(&("ApproximateReceiveCount", "1".to_owned()))
    );
    Ok(())
}
