//! Whether Close lets an instance poll.

use serde::{Deserialize, Serialize};

/// Polls in a row that Close must refuse before only a probe is sent.
pub const MAX_REFUSALS: u32 = 100;

/// How Close has answered an instance's polls lately. What passes by itself, as an outage does, plays no part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Polls in a row of which Close refused everything.
    pub refusals: u32,
    /// What was refused in the last poll and why: `contacts: Unauthorized`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Health {
    /// Whether nothing was refused in the last poll.
    pub fn is_valid(&self) -> bool {
        self.reason.is_none()
    }

    /// Whether polling has been given up but for a probe now and then.
    pub fn is_suspended(&self) -> bool {
        MAX_REFUSALS <= self.refusals
    }
}
