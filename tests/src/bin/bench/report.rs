//! What a bench prints: figures, and the bounds that some of them have.

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;

/// The figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    lines: Vec<String>,
    is_any_broken: bool,
}

impl Report {
    /// A figure without a bound.
    pub(crate) fn figure(&mut self, name: &str, value: impl Display) {
        self.lines.push(format!("{name:<28} {value:>10}"));
    }

    /// A figure that is to be no larger.
    pub(crate) fn at_most(&mut self, name: &str, value: f64, most: f64) {
        let value_shown = format!("{value:.3}");
        self.check(name, value_shown, &format!("at most {most}"), value <= most);
    }

    /// A count that is to be just this.
    pub(crate) fn exactly(&mut self, name: &str, count: usize, wanted: usize) {
        self.check(name, count, &format!("of {wanted}"), count == wanted);
    }

    /// Prints all. Success, if every bound holds.
    pub(crate) fn print(&self) -> Result<ExitCode> {
        for line in &self.lines {
            say(line)?;
        }
        Ok(if self.is_any_broken {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }

    fn check(&mut self, name: &str, value: impl Display, bound: &str, holds: bool) {
        let verdict = if holds { "" } else { ", BROKEN" };
        self.lines
            .push(format!("{name:<28} {value:>10}   {bound}{verdict}"));
        self.is_any_broken |= !holds;
    }
}

/// A line about how it goes.
pub(crate) fn say(text: impl Display) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}
