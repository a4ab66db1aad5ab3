//! Answers held back until a test lets them go.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::watch;

/// How long a test waits for the held call to come.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Armed,
    Reached,
    Released,
}

/// A test's end: the call is let go by [`Hold::release`] or when this is dropped.
#[derive(Debug)]
pub struct Hold {
    state: watch::Sender<State>,
}

/// The service's end.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    state: watch::Sender<State>,
}

/// A hold and the gate that it keeps shut.
pub(crate) fn hold() -> (Hold, Gate) {
    let state = watch::Sender::new(State::Armed);
    let gate = Gate {
        state: state.clone(),
    };
    (Hold { state }, gate)
}

impl Hold {
    /// Waits until the call has been carried out and its answer is being held.
    ///
    /// # Errors
    /// If no such call comes within 30 s.
    pub async fn reached(&self) -> Result<()> {
        let mut state = self.state.subscribe();
        let reached = state.wait_for(|state| *state != State::Armed);
        tokio::time::timeout(PATIENCE, reached)
            .await
            .context("the call to hold did not come")??;
        Ok(())
    }

    /// Lets the answer go.
    pub fn release(self) {
        drop(self);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.state.send_replace(State::Released);
    }
}

impl Gate {
    /// Waits until the test lets go.
    pub(crate) async fn pass(&self) {
        self.state.send_if_modified(|state| {
            let armed = *state == State::Armed;
            if armed {
                *state = State::Reached;
            }
            armed
        });
        let mut state = self.state.subscribe();
        // The gate owns a sender, so the channel cannot be closed.
        let _ = state.wait_for(|state| *state == State::Released).await;
    }
}
