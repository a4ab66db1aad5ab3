//! Feeds mutated inputs to every parser of foreign text: `cargo run --bin fuzz -- --for 60s`.
//!
//! A [`case`] depends on the run's seed and its number alone, so any can be played again. A child process plays them one
//! after another ([`player`]) and notes which it is at; when an input ends that process, or holds it up, the parent
//! ([`watcher`]) writes the input down and starts another behind it. [`targets`] are the parsers, with what must be true of
//! what they return; [`seeds`] are good inputs, and [`mutate`] spoils them.

mod case;
mod mutate;
mod options;
mod player;
mod seeds;
mod spans;
mod targets;
mod watcher;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use options::Options;

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    match &options.note {
        Some(note) => player::play(&options, note),
        None => watcher::watch(&options),
    }
}
