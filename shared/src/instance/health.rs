//! Whether Close lets an instance poll.

use jiff::Timestamp;
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
    /// Until when everything that is polled had been read to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caught_up_at: Option<Timestamp>,
    /// Whether the instance is suspended and `instance.suspended` is still to be published.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub notice_due: bool,
}

impl Health {
    /// That of an instance that was changed: what Close refused before says nothing of it.
    #[must_use]
    pub fn renewed(&self) -> Self {
        Self {
            caught_up_at: self.caught_up_at,
            ..Self::default()
        }
    }

    /// Whether nothing was refused in the last poll.
    pub fn is_valid(&self) -> bool {
        self.reason.is_none()
    }

    /// Whether polling has been given up but for a probe now and then.
    pub fn is_suspended(&self) -> bool {
        MAX_REFUSALS <= self.refusals
    }
}
