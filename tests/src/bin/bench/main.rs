//! Benches of polling, dispatch and callbacks: the release binaries against the local stack, with a bound for each figure.

mod callbacks;
mod dispatch;
mod drain;
mod ground;
mod peak;
mod rate;
mod report;
mod tally;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

/// Measures polling, dispatch and callbacks; exits 1 if a bound is broken.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
enum Bench {
    /// A backlog of leads, through search.
    Drain(drain::Leads),
    /// A backlog of entries in Close's event log.
    Log(drain::Entries),
    /// A poll under Close's rate limit.
    Rate(rate::Options),
    /// A backlog of instances that are due, and how their polls spread afterwards.
    Dispatch(dispatch::Options),
    /// Good receivers of callbacks among others that are slow, silent or refuse.
    Callbacks(callbacks::Options),
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let report = match Bench::parse() {
        Bench::Drain(leads) => leads.run().await?,
        Bench::Log(entries) => entries.run().await?,
        Bench::Rate(options) => options.run().await?,
        Bench::Dispatch(options) => options.run().await?,
        Bench::Callbacks(options) => options.run().await?,
    };
    report.print()
}
