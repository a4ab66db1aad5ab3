//! What is measured of a batch of notifications, and of a tick.

use jiff::Timestamp;
use shared::function::metrics::{Measures, Metric};
use shared::instance::id::InstanceId;

use super::disposition::{Disposition, Ended, Handled};
use super::release::Released;

/// The metrics of each instance's notifications, and of messages that are nobody's. What is kept is measured when it comes
/// again.
pub fn of_batch(handled: &Handled<'_>, now: Timestamp) -> impl Iterator<Item = Measures> {
    let instances = handled.instances.iter();
    let instances = instances.map(move |(id, ended)| measures(Some(*id), ended, now));
    instances.chain([measures(None, &handled.nobodys, now)])
}

/// The metrics of a tick. What is overdue is known only where the table was read.
pub fn of_tick(released: &Released, is_complete: bool) -> Measures {
    let mut measures = Measures::default();
    measures.count(Metric::CallbacksReleased, released.released);
    if is_complete {
        measures.set(Metric::CallbackOverdueSeconds, released.overdue);
    }
    measures
}

fn measures(id: Option<InstanceId>, ended: &[Ended<'_>], now: Timestamp) -> Measures {
    let count = |disposition: Disposition| {
        ended
            .iter()
            .filter(|ended| ended.disposition == disposition)
            .count()
    };
    let mut measures = Measures::of_instance(id);
    measures.count(Metric::CallbacksDelivered, count(Disposition::Delivered));
    measures.count(Metric::CallbacksPutOff, count(Disposition::Again));
    measures.count(Metric::CallbacksDiverted, count(Disposition::Diverted));
    measures.count(Metric::CallbacksGivenUp, count(Disposition::Dead));
    if let Some(lag) = lag(ended, now) {
        measures.set(Metric::CallbackLagSeconds, lag);
    }
    measures
}

/// How long ago the event was published that has waited longest of those that are delivered.
fn lag(ended: &[Ended<'_>], now: Timestamp) -> Option<u64> {
    let delivered = ended
        .iter()
        .filter(|ended| ended.disposition == Disposition::Delivered);
    let published = delivered.filter_map(|ended| ended.published).min()?;
    u64::try_from(now.duration_since(published).as_secs()).ok()
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use shared::function::metrics::{Measures, Metric};

    use super::{measures, of_tick};
    use crate::callback::disposition::{Disposition, Ended};
    use crate::callback::message::Message;
    use crate::callback::release::Released;

    const NOW: Timestamp = Timestamp::constant(1_781_870_400, 0);

    fn message() -> Message {
        Message {
            id: "m1".to_owned(),
            body: String::new(),
            is_retry: false,
            attempts: 0,
            first_failure: None,
            hops: 0,
        }
    }

    fn ended(message: &Message, seconds: i64, disposition: Disposition) -> Ended<'_> {
        Ended {
            message,
            published: Some(NOW - SignedDuration::from_secs(seconds)),
            disposition,
        }
    }

    #[test]
    fn the_lag_is_that_of_what_was_delivered_and_published_first() {
        let message = message();
        let ended = [
            (10, Disposition::Delivered),
            (70, Disposition::Delivered),
            (500, Disposition::Again),
            (600, Disposition::Diverted),
            (900, Disposition::Dead),
            (40, Disposition::Kept),
        ]
        .map(|(seconds, disposition)| ended(&message, seconds, disposition));
        let id = 20_931.try_into().unwrap();
        let mut expected = Measures::of_instance(Some(id));
        expected.count(Metric::CallbacksDelivered, 2);
        expected.count(Metric::CallbacksPutOff, 1);
        expected.count(Metric::CallbacksDiverted, 1);
        expected.count(Metric::CallbacksGivenUp, 1);
        expected.set(Metric::CallbackLagSeconds, 70);
        assert_eq!(measures(Some(id), &ended, NOW), expected);
    }

    #[test]
    fn what_comes_again_is_not_measured() {
        let message = message();
        let found = measures(None, &[ended(&message, 10, Disposition::Kept)], NOW);
        assert_eq!(found, Measures::default());
    }

    #[test]
    fn a_tick_that_could_not_read_the_table_does_not_say_what_is_overdue() {
        let released = Released {
            released: 2,
            failed: 1,
            overdue: 70,
        };
        let mut expected = Measures::default();
        expected.count(Metric::CallbacksReleased, 2);
        assert_eq!(of_tick(&released, false), expected);
        expected.set(Metric::CallbackOverdueSeconds, 70);
        assert_eq!(of_tick(&released, true), expected);
    }
}
