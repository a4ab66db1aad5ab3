//! Writes down what is seen of the run from outside, for `.ci/draw_dashboard.py`.

use std::convert::Infallible;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use local_stack::stack::LocalStack;
use serde_json::{Value, json};
use tokio::time::interval;

use crate::options::TICK;

/// Writes each line that functions write, with the function it is of, and each value that AWS would measure. Ends only with
/// an error.
pub(crate) async fn record(stack: &LocalStack, path: &Path) -> Result<Infallible> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()));
    let mut file = file?;
    let mut lines = stack.output().subscribe();
    let mut measured = stack.measured().subscribe();
    // SQS measures once a minute, as the template's schedule ticks.
    let mut ticks = interval(TICK);
    loop {
        let record = tokio::select! {
            Some(line) = lines.recv() => {
                let Ok(text) = serde_json::from_str::<Value>(&line.text) else { continue };
                json!({"function": line.function, "line": text})
            }
            Some(datapoint) = measured.recv() => json!({"line": datapoint.to_json()}),
            _ = ticks.tick() => {
                stack.look_at_queues();
                continue;
            }
        };
        writeln!(file, "{record}")?;
    }
}
