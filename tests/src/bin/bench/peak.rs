//! The memory of a function.

use anyhow::{Context as _, Result};
use local_stack::aws::lambda::function::Function;

/// The most that a process of the function ever had in memory, in MiB. Linux keeps it as `VmHWM`.
pub(crate) fn memory(function: &Function) -> Result<f64> {
    let peaks = function.process_ids().into_iter().map(of_process);
    let peaks = peaks.collect::<Result<Vec<_>>>()?;
    peaks
        .into_iter()
        .max_by(f64::total_cmp)
        .context("the function has no process")
}

fn of_process(id: u32) -> Result<f64> {
    let path = format!("/proc/{id}/status");
    let status = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kibibytes: f64 = kibibytes.context(path)?.trim().parse()?;
    Ok(kibibytes / 1024.0)
}
