//! Shows what happens, and remembers what has been heard of.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Result;
use local_stack::aws::eventbridge::event::Event;
use local_stack::aws::lambda::function::Line;
use shared::json::path;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until};

use crate::receiver::Outcome;
use crate::screen::Screen;

/// The channels: one that is silent is a failure.
const CHANNELS: [&str; 2] = ["polling", "webhook"];

/// Where what happens comes from.
pub(crate) struct Sources {
    pub(crate) events: UnboundedReceiver<Arc<Event>>,
    pub(crate) lines: UnboundedReceiver<Arc<Line>>,
    /// `None` if callbacks go elsewhere.
    pub(crate) callbacks: Option<UnboundedReceiver<Outcome>>,
}

/// The channels that there were events of, and callbacks.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    events: BTreeSet<String>,
    callbacks: BTreeSet<String>,
}

impl Heard {
    /// What was silent. Callbacks count only where they come here.
    pub(crate) fn silent(&self, has_callbacks: bool) -> Vec<String> {
        let missing = |heard: &BTreeSet<String>, what: &str| {
            let silent = CHANNELS.iter().filter(|channel| !heard.contains(**channel));
            silent
                .map(|channel| format!("{what} by {channel}"))
                .collect()
        };
        let mut silent: Vec<_> = missing(&self.events, "events");
        if has_callbacks {
            silent.extend(missing(&self.callbacks, "callbacks"));
        }
        silent
    }
}

/// Shows what happens until `end` or Ctrl-C.
pub(crate) async fn watch(
    mut sources: Sources,
    screen: &Screen,
    end: Option<Instant>,
) -> Result<Heard> {
    let mut heard = Heard::default();
    loop {
        let callback = next(sources.callbacks.as_mut());
        tokio::select! {
            // An event before its callback.
            biased;
            Some(event) = sources.events.recv() => show(&event, screen, &mut heard)?,
            Some(line) = sources.lines.recv() => screen.trouble(&line.function, &line.text)?,
            Some(outcome) = callback => show_callback(outcome, screen, &mut heard)?,
            () = wait_until(end) => return Ok(heard),
            result = tokio::signal::ctrl_c() => {
                result?;
                return Ok(heard);
            }
        }
    }
}

fn show(event: &Event, screen: &Screen, heard: &mut Heard) -> Result<()> {
    if event.source == "closeio.instances" {
        return screen.notice(event);
    }
    if event.source != "closeio" {
        return Ok(());
    }
    heard.events.extend(path::text_at(&event.detail, "channel"));
    screen.event(event)
}

fn show_callback(outcome: Outcome, screen: &Screen, heard: &mut Heard) -> Result<()> {
    match outcome {
        Ok(notification) => {
            heard.callbacks.insert(notification.channel.to_owned());
            screen.callback(&notification)
        }
        Err(error) => screen.trouble("callback", &format!("{error:#}")),
    }
}

async fn next(callbacks: Option<&mut UnboundedReceiver<Outcome>>) -> Option<Outcome> {
    match callbacks {
        Some(callbacks) => callbacks.recv().await,
        None => std::future::pending().await,
    }
}

async fn wait_until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_silent_is_named() {
        let mut heard = Heard::default();
        heard.events.extend(CHANNELS.map(str::to_owned));
        heard.callbacks.insert("webhook".to_owned());
        assert_eq!(heard.silent(true), ["callbacks by polling"]);
        assert_eq!(heard.silent(false), [""; 0]);
        heard.events.remove("polling");
        assert_eq!(heard.silent(false), ["events by polling"]);
    }
}
