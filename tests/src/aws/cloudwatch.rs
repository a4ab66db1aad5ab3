//! What AWS measures by itself where the stack plays AWS's part: of functions, of the API and of queues.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::sqs::queue::Queue;
use crate::control::journal::Journal;
use crate::plumbing::clock;

/// One value of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Datapoint {
    /// `AWS/Lambda`, `AWS/ApiGateway` or `AWS/SQS`.
    pub namespace: &'static str,
    /// The metric's name.
    pub metric: &'static str,
    /// The one dimension, by which AWS tells resources apart, and its value.
    pub dimension: (&'static str, String),
    /// The value, in AWS's unit.
    pub value: f64,
    /// When.
    pub at: Timestamp,
}

/// What is measured of one resource, and where it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    namespace: &'static str,
    dimension: (&'static str, String),
    measured: Arc<Journal<Datapoint>>,
}

impl Datapoint {
    /// In CloudWatch's embedded metric format, as functions write what they measure.
    pub fn to_json(&self) -> Value {
        let (name, value) = &self.dimension;
        let directive = json!({
            "Namespace": self.namespace,
            "Dimensions": [[name]],
            "Metrics": [{"Name": self.metric}],
        });
        let metadata =
            json!({"Timestamp": self.at.as_millisecond(), "CloudWatchMetrics": [directive]});
        let fields = [
            ("_aws".to_owned(), metadata),
            ((*name).to_owned(), value.as_str().into()),
            (self.metric.to_owned(), self.value.into()),
        ];
        Value::Object(fields.into_iter().collect())
    }
}

impl Meter {
    /// Of a function, by its name.
    pub(crate) fn of_function(name: &str, measured: &Arc<Journal<Datapoint>>) -> Self {
        Self::new("AWS/Lambda", "FunctionName", name, measured)
    }

    /// Of the HTTP API, by its id.
    pub(crate) fn of_api(id: &str, measured: &Arc<Journal<Datapoint>>) -> Self {
        Self::new("AWS/ApiGateway", "ApiId", id, measured)
    }

    /// Of a queue, by its name.
    pub(crate) fn of_queue(name: &str, measured: &Arc<Journal<Datapoint>>) -> Self {
        Self::new("AWS/SQS", "QueueName", name, measured)
    }

    fn new(
        namespace: &'static str,
        dimension: &'static str,
        value: &str,
        measured: &Arc<Journal<Datapoint>>,
    ) -> Self {
        Self {
            namespace,
            dimension: (dimension, value.to_owned()),
            measured: measured.clone(),
        }
    }

    /// Notes a value.
    pub(crate) fn note(&self, metric: &'static str, value: f64) {
        self.measured.push(Datapoint {
            namespace: self.namespace,
            metric,
            dimension: self.dimension.clone(),
            value,
            at: clock::now(),
        });
    }
}

/// Notes what SQS measures of a queue once a minute.
pub(crate) fn look_at(queue: &Queue, measured: &Arc<Journal<Datapoint>>) {
    let meter = Meter::of_queue(&queue.spec.name, measured);
    let depth = queue.depth();
    for (metric, count) in [
        ("ApproximateNumberOfMessagesVisible", depth.ready),
        ("ApproximateNumberOfMessagesDelayed", depth.delayed),
        ("ApproximateNumberOfMessagesNotVisible", depth.in_flight),
    ] {
        meter.note(metric, f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    }
    let age = queue.oldest_age().unwrap_or_default();
    meter.note("ApproximateAgeOfOldestMessage", age.as_secs_f64().floor());
    meter.note("NumberOfMessagesSent", f64::from(queue.take_sent()));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::aws::sqs::queue::message::Message;
    use crate::aws::sqs::queue::tests::queue;

    #[tokio::test]
    async fn a_queue_is_measured_also_where_nobody_receives_from_it() -> anyhow::Result<()> {
        let (queue, measured) = (queue("Letters"), Arc::new(Journal::new(usize::MAX)));
        let delay = Duration::from_mins(15);
        queue.try_send(Message::new("first"), Some(delay))?;
        queue.advance(Duration::from_mins(1));
        for body in ["second", "third"] {
            queue.send(Message::new(body))?;
        }
        queue.receive(1, Duration::ZERO, None).await?;
        look_at(&queue, &measured);
        let measured = measured.snapshot();
        let values: Vec<_> = measured
            .iter()
            .map(|datapoint| (datapoint.metric, datapoint.value))
            .collect();
        let expect = [
            ("ApproximateNumberOfMessagesVisible", 1.0),
            ("ApproximateNumberOfMessagesDelayed", 1.0),
            ("ApproximateNumberOfMessagesNotVisible", 1.0),
        ];
        assert_eq!(values[..3], expect);
        let (metric, age) = values[3];
        assert_eq!(metric, "ApproximateAgeOfOldestMessage");
        assert!(60.0 <= age, "what is delayed is the oldest, {age}");
        Ok(())
    }

    #[tokio::test]
    async fn what_is_sent_is_measured_once_and_what_is_given_up_is_not() -> anyhow::Result<()> {
        let [from, to] = ["Letters", "Dead"].map(queue);
        let measured = Arc::new(Journal::new(usize::MAX));
        from.set_dead_letters(&to);
        for body in ["first", "second"] {
            from.send(Message::new(body))?;
        }
        for received in from.receive(1, Duration::ZERO, None).await? {
            from.give_up(&received.handle)?;
        }
        for queue in [&from, &to, &from] {
            look_at(queue, &measured);
        }
        let sent = measured.snapshot();
        let sent = sent.iter();
        let sent = sent.filter(|datapoint| datapoint.metric == "NumberOfMessagesSent");
        let sent: Vec<_> = sent.map(|datapoint| datapoint.value).collect();
        assert_eq!((sent, to.depth().ready), (vec![2.0, 0.0, 0.0], 1));
        Ok(())
    }

    #[test]
    fn a_datapoint_is_a_line_as_functions_write_them() {
        let datapoint = Datapoint {
            namespace: "AWS/Lambda",
            metric: "Errors",
            dimension: ("FunctionName", "local-PollerFunction".to_owned()),
            value: 1.0,
            at: Timestamp::from_millisecond(1_781_870_805_242).unwrap(),
        };
        insta::assert_snapshot!(datapoint.to_json(), @r#"{"_aws":{"Timestamp":1781870805242,"CloudWatchMetrics":[{"Namespace":"AWS/Lambda","Dimensions":[["FunctionName"]],"Metrics":[{"Name":"Errors"}]}]},"FunctionName":"local-PollerFunction","Errors":1.0}"#);
    }
}
