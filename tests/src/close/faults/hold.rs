//! Answers held back until a test lets them go.

use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;
use tokio::time::timeout;

/// A test's hand on an answer that is held back; dropping it lets the answer go.
#[derive(Debug)]
pub struct AnswerHold {
    released: watch::Sender<bool>,
    reached: watch::Receiver<bool>,
}

/// The server's side of an [`AnswerHold`].
#[derive(Debug, Clone)]
pub struct HeldAnswer {
    released: watch::Receiver<bool>,
    reached: watch::Sender<bool>,
}

impl AnswerHold {
    /// The two sides of a hold.
    pub(crate) fn new() -> (Self, HeldAnswer) {
        let (release, released) = watch::channel(false);
        let (reach, reached) = watch::channel(false);
        let answer = HeldAnswer {
            released,
            reached: reach,
        };
        let hold = Self {
            released: release,
            reached,
        };
        (hold, answer)
    }

    /// Waits until the answer is being held.
    ///
    /// # Errors
    ///
    /// If no such request comes within `limit`.
    pub async fn reached(&mut self, limit: Duration) -> anyhow::Result<()> {
        timeout(limit, self.reached.wait_for(|reached| *reached))
            .await
            .context("no request came to be held")?
            .context("the fault was forgotten")?;
        Ok(())
    }

    /// Lets the answer go.
    pub fn release(self) {
        self.released.send_replace(true);
    }
}

impl HeldAnswer {
    /// Reports that the answer is held, and returns when it may go.
    pub(crate) async fn wait(mut self) {
        self.reached.send_replace(true);
        // An error means that the test dropped its hold, which releases the answer as well.
        let _ = self.released.wait_for(|released| *released).await;
    }
}
