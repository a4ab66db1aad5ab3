//! docs/operate.md has all metrics, with their units.

use std::collections::{BTreeMap, BTreeSet};

use crate::functions::{POLLER, WEBHOOK};
use crate::metric_lines::lines;
use crate::world::World;

const OPERATE: &str = include_str!("../../../docs/operate.md");
const METRICS: &str = include_str!("../../../shared/src/function/metrics.rs");

/// The unit of each metric in the table: `` | `Name` | Unit | … ``.
fn documented() -> BTreeMap<&'static str, &'static str> {
    let rows = OPERATE.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
        let (unit, _) = rest.split_once(" | ")?;
        matches!(unit, "Count" | "Percent" | "Seconds").then_some((name, unit))
    });
    rows.collect()
}

#[test]
fn each_metric_is_documented_and_no_other() {
    let (_, rest) = METRICS.split_once("pub enum Metric {").unwrap();
    let (body, _) = rest.split_once("\n}").unwrap();
    let names = body
        .lines()
        .filter_map(|line| line.trim().strip_suffix(','));
    let documented: BTreeSet<_> = documented().into_keys().collect();
    assert_eq!(documented, names.collect());
}

#[tokio::test]
async fn units_are_as_documented() {
    let world = World::start().await;
    let url = world.known_instance(20_931, None).await;
    let body = r#"{"model":"lead","event":"delete","data":{"id":"lead_1"}}"#;
    world.deliver(&url, &[], body).await;
    let id = world.polling(&["leads"]).await;
    world.poll(id).await;
    world.stack.tick("PollerFunction").await.unwrap();

    let documented = documented();
    for line in lines(&world, POLLER).iter().chain(&lines(&world, WEBHOOK)) {
        for (name, (unit, _)) in &line.values {
            assert_eq!(
                documented.get(name.as_str()),
                Some(&unit.as_str()),
                "{name}"
            );
        }
    }
    world.finish().await;
}
