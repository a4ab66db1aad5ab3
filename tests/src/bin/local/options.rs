//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use jiff::SignedDuration;
use secrecy::SecretString;

/// The schedule's tick, unless it is kept as the template has it.
pub(crate) const TICK: Duration = Duration::from_secs(2);

/// Runs closeio-events on this machine, with a simulated Close, and prints each event as it reaches the bus.
#[derive(Debug, Parser)]
#[command(name = "cargo local", version)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are flags of a command line"
)]
pub(crate) struct Options {
    /// End after this long, counted from ready, such as `20s` or `5m`; exit 1 if a channel was silent, or its callbacks.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(crate) run_for: Option<Duration>,
    /// Print the events as EventBridge delivers them, one JSON a line, and nothing else on stdout.
    #[arg(long)]
    pub(crate) events_json: bool,
    /// Where the HTTP API listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    pub(crate) listen: SocketAddr,
    /// Keep the template's schedule: poll when an instance is due, not as soon as something changes.
    #[arg(long)]
    pub(crate) real_time: bool,
    /// Post callbacks to this URL instead of showing them.
    #[arg(long, value_name = "URL")]
    pub(crate) callback: Option<String>,
    /// Post no callbacks: they stay in their queue.
    #[arg(long, conflicts_with = "callback")]
    pub(crate) no_callbacks: bool,
    /// Poll a real account at this base URL instead of the simulator, with the key in `CLOSE_API_KEY`.
    #[arg(long, value_name = "URL", requires = "close_api_key")]
    pub(crate) close: Option<String>,
    /// The API key for --close.
    #[arg(long, env = "CLOSE_API_KEY", hide = true, hide_env_values = true)]
    pub(crate) close_api_key: Option<SecretString>,
    /// Run the simulated Close and nothing else, with data that does not change; print where it is, as one line of JSON.
    #[arg(long, conflicts_with = "close")]
    pub(crate) close_alone: bool,
    /// Write to this file all that functions write and AWS would measure, one JSON a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Have things go wrong, one after another, for some five minutes: the subscription, Close, the callback URL, EventBridge, Lambda.
    #[arg(long, conflicts_with_all = ["close", "callback"])]
    pub(crate) trouble: bool,
    /// Seed of the simulated changes.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration: SignedDuration = text.parse().map_err(|error| format!("{error}"))?;
    Duration::try_from(duration).map_err(|_| "expected a time that is not negative".to_owned())
}
