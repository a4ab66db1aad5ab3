//! What is measured of notifications, by instance.

use std::collections::BTreeMap;

use serde_json::json;

use super::receiver::Reply;
use super::{DEAD_LETTERS, FIRST, RETRIES, Stage};
use crate::functions::CALLBACK;
use crate::metric_lines::{Line, lines, of_aws};
use crate::metrics::alarm::names;
use crate::metrics::is_reached;
use crate::world::PATIENCE;

impl Stage {
    /// Waits for a line that measures `metric` of an instance.
    async fn measured(&self, id: u64, metric: &str) {
        let (id, metric) = (format!("\"instanceId\":{id},"), format!("\"{metric}\":1"));
        let function = self.world.stack.function(CALLBACK).unwrap();
        let wanted = |line: &str| line.contains(&id) && line.contains(&metric);
        function.wait_for_output(PATIENCE, wanted).await.unwrap();
    }

    pub(super) fn lines(&self) -> Vec<Line> {
        lines(&self.world, CALLBACK)
    }

    /// The sums of what was measured of an instance, but for its lag.
    fn sums(&self, id: u64) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for line in lines(&self.world, CALLBACK) {
            if line.instance != Some(id) {
                continue;
            }
            for (name, (_, value)) in line.values {
                if name != "CallbackLagSeconds" {
                    *sums.entry(name).or_default() += value;
                }
            }
        }
        sums
    }
}

#[tokio::test]
async fn each_notification_is_counted_with_its_instance() {
    let stage = Stage::start().await;
    stage.receiver.reply("/gone", [Reply::status(410)]);
    stage
        .receiver
        .reply("/down", [Reply::status(500), Reply::status(200)]);
    let [up, gone, down] = [
        stage.instance("/up", json!({})).await,
        stage.instance("/gone", json!({})).await,
        stage.instance("/down", json!({})).await,
    ];
    for called in [&up, &gone, &down] {
        stage.publish(called, "1").await;
    }
    stage.measured(up.id, "CallbacksDelivered").await;
    stage.measured(gone.id, "CallbacksGivenUp").await;
    stage.measured(down.id, "CallbacksPutOff").await;
    stage.drained(FIRST).await;
    stage.make_due().await;
    stage.measured(down.id, "CallbacksDelivered").await;

    let sums = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), 1.0)).collect();
    assert_eq!(stage.sums(up.id), sums(&["CallbacksDelivered"]));
    assert_eq!(stage.sums(gone.id), sums(&["CallbacksGivenUp"]));
    let both = ["CallbacksDelivered", "CallbacksPutOff"];
    assert_eq!(stage.sums(down.id), sums(&both));
    let lines = lines(&stage.world, CALLBACK);
    for line in &lines {
        let is_delivered = line.value("CallbacksDelivered").is_some();
        let lag = line.values.get("CallbackLagSeconds");
        assert_eq!(
            lag.map(|(unit, _)| unit.as_str()),
            is_delivered.then_some("Seconds")
        );
        assert_eq!(line.namespace, "closeio-events/local");
        assert_eq!(line.dimensions["Service"], "callback-fn");
        assert_eq!(line.dimensions["Channel"], "callback");
    }
    assert!(lines[0].value("ColdStart").is_some(), "{lines:?}");
    stage.drained(RETRIES).await;
    stage.finish().await;
}

#[tokio::test]
async fn one_dead_receiver_is_seen_and_sets_off_no_alarm() {
    let stage = Stage::start().await;
    stage.receiver.reply("/dead", [Reply::status(500)]);
    let dead = stage.instance("/dead", json!({})).await;
    stage.publish(&dead, "1").await;
    stage.measured(dead.id, "CallbacksPutOff").await;
    // The attempts after 64, 512, 4,096 and 32,768 s, and the last.
    for attempts in 2..=6 {
        stage.make_due().await;
        stage.receiver.wait_for("/dead", attempts).await;
    }
    stage.message(DEAD_LETTERS, 1).await;
    stage.drained(RETRIES).await;

    let mut lines = of_aws(&stage.world);
    lines.extend(stage.lines());
    let alarms = names();
    let callback = alarms.iter().filter(|name| name.starts_with("Callback"));
    let reached: Vec<_> = callback.filter(|name| is_reached(name, &lines)).collect();
    assert_eq!(reached, Vec::<&String>::new());
    stage.finish().await;
}
