//! Visibility, redelivery and limits, second by second.

use super::*;

const VISIBILITY: Duration = Duration::from_secs(30);
const RETENTION: Duration = Duration::from_hours(96);

/// A queue with messages that were sent at 0.
fn state(count: usize) -> State {
    let mut state = State::new(RETENTION);
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
        Err(RejectionKind::InvalidParameterValue)
    );
}

#[test]
fn a_delayed_message_comes_when_its_delay_is_over() {
    let mut state = State::new(RETENTION);
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
    let not_in_flight = Err(RejectionKind::MessageNotInflight);
    assert_eq!(change(&mut state, 20, 60), not_in_flight);
    state.delete(receipt);
    assert_eq!(
        change(&mut state, 20, 60),
        Err(RejectionKind::InvalidParameterValue)
    );
}

#[test]
fn twelve_hours_are_counted_from_when_the_message_was_received() {
    let mut state = state(1);
    let receipt = receive(&mut state, 0, 1)[0];
    let change = |state: &mut State, now| {
        let changed = state.change_visibility(now, receipt, MAXIMUM_VISIBILITY);
        changed.map_err(|rejection| rejection.kind)
    };
    assert_eq!(
        change(&mut state, 1),
        Err(RejectionKind::InvalidParameterValue)
    );
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

    let mut dead_letters = State::new(RETENTION);
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

#[test]
fn the_limit_of_messages_in_flight_can_be_lower() {
    let mut state = state(3);
    state.send(0, Arc::new(Message::new("late")), VISIBILITY);
    state.limit_in_flight(2);
    let receipts = receive(&mut state, 0, 10);
    assert_eq!(
        state.depth(0),
        depth(1, 1, 2),
        "what is delayed does not count"
    );
    assert!(state.receive(0, 10, VISIBILITY, None).over_limit);
    let back = state.change_visibility(0, receipts[0], Duration::ZERO);
    assert_eq!(back, Ok(()));
    assert_eq!(receive(&mut state, 0, 10).len(), 1);
    assert_eq!(
        receive(&mut state, seconds(30), 10).len(),
        2,
        "time is over"
    );
}

#[test]
fn a_message_is_deleted_when_it_is_too_old_wherever_it_is() {
    let mut state = State::new(Duration::from_mins(1));
    for (body, delay) in [("ready", 0), ("received", 0), ("delayed", 900)] {
        let message = Arc::new(Message::new(body));
        state.send(0, message, Duration::from_secs(delay));
    }
    state.send(
        seconds(1),
        Arc::new(Message::new("younger")),
        Duration::ZERO,
    );
    assert_eq!(receive(&mut state, seconds(59), 1).len(), 1);
    assert_eq!(state.expired(seconds(60) - 1), 0);
    assert_eq!(state.depth(seconds(60)), depth(1, 0, 0));
    assert_eq!(state.expired(seconds(60)), 3);
    let taken = state.receive(seconds(60), 10, VISIBILITY, None);
    assert_eq!(bodies(&taken), ["younger"]);
    assert_eq!(state.expired(seconds(61)), 4);
}

#[test]
fn a_given_up_message_is_as_old_as_before_but_not_for_the_metric() {
    let (mut letters, mut dead_letters) = (state(1), State::new(RETENTION));
    receive(&mut letters, 0, 1);
    let day = seconds(24 * 3_600);
    let taken = letters.receive(day, 1, VISIBILITY, Some(1));
    let dead = taken.dead.into_iter().next().expect("one is dead");
    dead_letters.bury(day, dead, "arn:of-the-other");
    assert_eq!(dead_letters.oldest(day), Some(day));
    assert_eq!(dead_letters.expired(4 * day - 1), 0);
    assert_eq!(dead_letters.expired(4 * day), 1);
}

#[test]
fn the_oldest_message_may_be_delayed_and_has_not_been_received_three_times() {
    let mut state = State::new(RETENTION);
    state.send(seconds(1), Arc::new(Message::new("x")), Duration::ZERO);
    state.send(
        seconds(2),
        Arc::new(Message::new("late")),
        Duration::from_mins(15),
    );
    for (number, oldest) in [(1, 1), (2, 1), (3, 2)] {
        let now = seconds(30 * number);
        assert_eq!(receive(&mut state, now, 10).len(), 1);
        assert_eq!(state.oldest(now), Some(seconds(oldest)), "{number}");
    }
}

#[test]
fn messages_of_a_noisy_group_come_after_the_others() {
    let mut state = State::new(RETENTION);
    for number in 0..100 {
        let message = Message::new(number.to_string()).in_group("noisy");
        state.send(0, Arc::new(message), Duration::ZERO);
    }
    assert_eq!(receive(&mut state, 0, 30).len(), 30);
    for message in [
        Message::new("of none"),
        Message::new("quiet").in_group("quiet"),
    ] {
        state.send(1, Arc::new(message), Duration::ZERO);
    }
    let taken = state.receive(1, 4, VISIBILITY, None);
    assert_eq!(bodies(&taken), ["of none", "quiet", "30", "31"]);
    // What was first received is back, and is the noisy group's last.
    state.send(
        seconds(30),
        Arc::new(Message::new("new").in_group("new")),
        Duration::ZERO,
    );
    let taken = state.receive(seconds(30), 1, VISIBILITY, None);
    assert_eq!(
        bodies(&taken),
        ["32"],
        "none is noisy with so few in flight"
    );
}

#[test]
fn a_group_that_a_test_edits_is_another_group() {
    let mut state = State::new(RETENTION);
    for number in 0..60 {
        let message = Message::new(number.to_string()).in_group("one");
        state.send(0, Arc::new(message), Duration::ZERO);
    }
    receive(&mut state, 0, 30);
    state.edit(|message| {
        if message.body == "59" {
            message.group = None;
        }
    });
    let taken = state.receive(0, 2, VISIBILITY, None);
    assert_eq!(bodies(&taken), ["59", "30"]);
}

#[test]
fn a_large_queue_of_many_groups_is_handed_out_whole() {
    let mut state = State::new(RETENTION);
    for number in 0..30_000 {
        let group = format!("group-{}", number % 1_000);
        let message = Message::new("x").in_group(group);
        state.send(0, Arc::new(message), Duration::ZERO);
    }
    for _ in 0..3_000 {
        assert_eq!(receive(&mut state, 0, 10).len(), 10);
    }
    assert_eq!(state.depth(seconds(30)), depth(30_000, 0, 0));
}
