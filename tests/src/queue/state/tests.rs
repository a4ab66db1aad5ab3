//! Visibility, redelivery and limits, second by second.

use super::*;

const VISIBILITY: Duration = Duration::from_secs(30);

/// A queue with messages that were sent at 0.
fn state(count: usize) -> State {
    let mut state = State::default();
    for number in 0..count {
        let message = Message::new(number.to_string());
        state.send(0, Arc::new(message), Duration::ZERO);
    }
    state
}

fn seconds(count: i64) -> i64 {
    count * 1_000
}

fn receive(state: &mut State, now: i64, count: usize) -> Vec<Receipt> {
    let taken = state.receive(now, count, VISIBILITY, None);
    taken.received.iter().map(|(receipt, _)| *receipt).collect()
}

fn bodies(taken: &Taken) -> Vec<&str> {
    let received = taken.received.iter();
    received
        .map(|(_, stored)| stored.message.body.as_str())
        .collect()
}

fn depth(ready: usize, delayed: usize, in_flight: usize) -> Depth {
    Depth {
        ready,
        delayed,
        in_flight,
    }
}

#[test]
fn a_received_message_comes_again_when_its_time_is_over() {
    let mut state = state(1);
    assert_eq!(receive(&mut state, 0, 10).len(), 1);
    assert_eq!(state.depth(0), depth(0, 0, 1));
    assert_eq!(receive(&mut state, seconds(30) - 1, 10), []);
    let again = state.receive(seconds(30), 10, VISIBILITY, None);
    let (_, stored) = &again.received[0];
    assert_eq!((stored.receives, stored.first_received_at), (2, Some(0)));
}

#[test]
fn a_deleted_message_does_not_come_again() {
    let mut state = state(2);
    let receipts = receive(&mut state, 0, 10);
    state.delete(receipts[0]);
    assert_eq!(state.depth(seconds(30)), depth(1, 0, 0));
    // Its time is over, but nobody has received it since.
    state.delete(receipts[1]);
    assert_eq!(state.depth(seconds(30)), Depth::default());
}

#[test]
fn the_receipt_of_an_earlier_time_is_good_for_nothing() {
    let mut state = state(1);
    let first = receive(&mut state, 0, 1);
    assert_eq!(receive(&mut state, seconds(30), 1).len(), 1);
    state.delete(first[0]);
    assert_eq!(state.depth(seconds(30)), depth(0, 0, 1));
    let change = state.change_visibility(seconds(30), first[0], Duration::ZERO);
    assert_eq!(
        change.map_err(|rejection| rejection.kind),
        Err(Kind::InvalidParameterValue)
    );
}

#[test]
fn a_delayed_message_comes_when_its_delay_is_over() {
    let mut state = State::default();
    let message = Arc::new(Message::new("late"));
    state.send(0, message, Duration::from_mins(15));
    assert_eq!(state.depth(0), depth(0, 1, 0));
    assert_eq!(state.next_due(), Some(seconds(900)));
    assert_eq!(receive(&mut state, seconds(900) - 1, 1), []);
    assert_eq!(receive(&mut state, seconds(900), 1).len(), 1);
}

#[test]
fn the_time_in_flight_can_be_changed_while_it_lasts() {
    let mut state = state(1);
    let receipt = receive(&mut state, 0, 1)[0];
    let change = |state: &mut State, now, span: u64| {
        let changed = state.change_visibility(seconds(now), receipt, Duration::from_secs(span));
        changed.map_err(|rejection| rejection.kind)
    };
    assert_eq!(change(&mut state, 10, 3_600), Ok(()));
    assert_eq!(state.depth(seconds(3_609)), depth(0, 0, 1));
    assert_eq!(change(&mut state, 20, 0), Ok(()));
    assert_eq!(state.depth(seconds(20)), depth(1, 0, 0));
    let not_in_flight = Err(Kind::MessageNotInflight);
    assert_eq!(change(&mut state, 20, 60), not_in_flight);
    state.delete(receipt);
    assert_eq!(change(&mut state, 20, 60), Err(Kind::InvalidParameterValue));
}

#[test]
fn twelve_hours_are_counted_from_when_the_message_was_received() {
    let mut state = state(1);
    let receipt = receive(&mut state, 0, 1)[0];
    let change = |state: &mut State, now| {
        let changed = state.change_visibility(now, receipt, MAXIMUM_VISIBILITY);
        changed.map_err(|rejection| rejection.kind)
    };
    assert_eq!(change(&mut state, 1), Err(Kind::InvalidParameterValue));
    assert_eq!(change(&mut state, 0), Ok(()));
}

#[test]
fn a_message_that_was_received_too_often_is_given_up() {
    let mut state = state(1);
    for now in [0, 30] {
        let taken = state.receive(seconds(now), 1, VISIBILITY, Some(2));
        assert_eq!((taken.received.len(), taken.dead.len()), (1, 0));
    }
    let taken = state.receive(seconds(60), 1, VISIBILITY, Some(2));
    assert_eq!((taken.received.len(), taken.dead.len()), (0, 1));
    assert_eq!(state.depth(seconds(60)), Depth::default());

    let mut dead_letters = State::default();
    let dead = taken.dead.into_iter().next().expect("one is dead");
    dead_letters.bury(seconds(60), dead, "arn:of-the-other");
    let taken = dead_letters.receive(seconds(60), 1, VISIBILITY, None);
    let (_, stored) = &taken.received[0];
    assert_eq!((stored.sent_at, stored.receives), (0, 1));
    assert_eq!(stored.given_up_by.as_deref(), Some("arn:of-the-other"));
}

#[test]
fn nothing_is_received_above_the_limit_of_messages_in_flight() {
    let mut state = state(MAXIMUM_IN_FLIGHT + 2);
    let receipts = receive(&mut state, 0, MAXIMUM_IN_FLIGHT);
    let taken = state.receive(0, 10, VISIBILITY, None);
    assert!(taken.over_limit && taken.received.is_empty());
    state.delete(receipts[0]);
    let taken = state.receive(0, 10, VISIBILITY, None);
    assert_eq!(bodies(&taken), [MAXIMUM_IN_FLIGHT.to_string()]);
    assert!(taken.over_limit);
}

#[test]
fn messages_come_in_the_order_in_which_they_became_ready() {
    let mut state = state(2);
    state.send(1, Arc::new(Message::new("last")), Duration::ZERO);
    let taken = state.receive(1, 10, VISIBILITY, None);
    assert_eq!(bodies(&taken), ["0", "1", "last"]);
}
