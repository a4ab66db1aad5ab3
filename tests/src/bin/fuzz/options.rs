//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use jiff::SignedDuration;

/// Feeds mutated inputs to every parser of foreign text; exits 1 if one of them ends the process, holds it up, or breaks a
/// promise.
#[derive(Debug, Parser)]
#[command(name = "fuzz", version)]
pub(crate) struct Options {
    /// How long, such as `60s` or `8h`.
    #[arg(long = "for", value_name = "TIME", value_parser = duration, default_value = "60s")]
    pub(crate) run_for: Duration,
    /// Play the inputs of another run. Without it they are new ones.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// Begin with this input of the seed's.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, requires = "seed")]
    pub(crate) from: u64,
    /// End after so many inputs.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) count: Option<u64>,
    /// One parser alone.
    #[arg(long, value_name = "NAME")]
    pub(crate) target: Option<String>,
    /// Go wrong at the tenth input, to show that it is noticed.
    #[arg(long, value_name = "HOW", hide = true)]
    pub(crate) fault: Option<Fault>,
    /// Play, and note here which input is being played.
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) note: Option<PathBuf>,
}

/// How a parser may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// It panics.
    Panic,
    /// It overflows the stack.
    Overflow,
    /// It does not return.
    Hang,
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration: SignedDuration = text.parse().map_err(|error| format!("{error}"))?;
    Duration::try_from(duration).map_err(|_| "expected a time that is not negative".to_owned())
}
