//! What is measured of a batch of notifications.

use jiff::Timestamp;
use shared::instance_id::InstanceId;
use shared::metrics::{Measures, Metric};

use super::app::Fate;
use super::message::Message;

/// The metrics of an instance's notifications, or of messages that are nobody's. What is kept is measured when it comes again.
pub fn measures(id: Option<InstanceId>, fates: &[(&Message, Fate)], now: Timestamp) -> Measures {
    let count = |fate: Fate| fates.iter().filter(|(_, found)| *found == fate).count();
    let mut measures = Measures::of_instance(id);
    measures.count(Metric::CallbacksDelivered, count(Fate::Delivered));
    measures.count(Metric::CallbacksPutOff, count(Fate::Again));
    measures.count(Metric::CallbacksGivenUp, count(Fate::Dead));
    if let Some(lag) = lag(fates, now) {
        measures.set(Metric::CallbackLagSeconds, lag);
    }
    measures
}

/// How long ago the event was queued that has waited longest of those that are delivered.
fn lag(fates: &[(&Message, Fate)], now: Timestamp) -> Option<u64> {
    let delivered = fates.iter().filter(|(_, fate)| *fate == Fate::Delivered);
    let queued_at = delivered.map(|(message, _)| message.queued_at).min()?;
    u64::try_from(now.duration_since(queued_at).as_secs()).ok()
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use shared::metrics::{Measures, Metric};

    use super::measures;
    use crate::callback::app::Fate;
    use crate::callback::message::Message;

    const NOW: Timestamp = Timestamp::constant(1_781_870_400, 0);

    fn queued(seconds: i64) -> Message {
        Message {
            id: "m1".to_owned(),
            receipt_handle: "r1".to_owned(),
            body: String::new(),
            queued_at: NOW - SignedDuration::from_secs(seconds),
            retry: None,
        }
    }

    #[test]
    fn the_lag_is_that_of_what_was_delivered_and_longest_queued() {
        let messages = [10, 70, 500, 900, 40].map(queued);
        let fates = [
            Fate::Delivered,
            Fate::Delivered,
            Fate::Again,
            Fate::Dead,
            Fate::Kept,
        ];
        let fates: Vec<_> = messages.iter().zip(fates).collect();
        let id = 20_931.try_into().unwrap();
        let mut expected = Measures::of_instance(Some(id));
        expected.count(Metric::CallbacksDelivered, 2);
        expected.count(Metric::CallbacksPutOff, 1);
        expected.count(Metric::CallbacksGivenUp, 1);
        expected.set(Metric::CallbackLagSeconds, 70);
        assert_eq!(measures(Some(id), &fates, NOW), expected);
    }

    #[test]
    fn what_comes_again_is_not_measured() {
        let message = queued(10);
        let found = measures(None, &[(&message, Fate::Kept)], NOW);
        assert_eq!(found, Measures::default());
    }
}
