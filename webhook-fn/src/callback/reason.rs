//! Why a notification was not delivered.

use std::fmt;

/// A bounded set of words, for logs, for the messages of the queues and for whoever reads an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The message is no event of ours.
    NotAnEvent,
    /// There is no such instance.
    UnknownInstance,
    /// The instance has no callback URL any more, or wants no events.
    NoCallback,
    /// The instance's stored configuration cannot be understood.
    BadConfiguration,
    /// The callback URL has answered with 410.
    Gone,
    /// The callback URL takes nothing, and many of the instance's notifications wait. It was spared an attempt.
    CircuitOpen,
    /// The callback URL leads to an address that is not public, or is not https.
    AddressNotAllowed,
    /// The callback URL has answered with another status than 2xx.
    Status(u16),
    /// The callback URL has not answered in time.
    Timeout,
    /// There was no connection, or it broke.
    ConnectionFailed,
}

impl Reason {
    /// Whether the callback URL, or whoever answers there, is to blame.
    pub fn is_the_callbacks(self) -> bool {
        matches!(
            self,
            Self::Gone
                | Self::AddressNotAllowed
                | Self::Status(_)
                | Self::Timeout
                | Self::ConnectionFailed
        )
    }

    /// Whether neither the receiver nor the instance's owner is to blame, so that the operator must know.
    pub fn is_the_operators(self) -> bool {
        matches!(self, Self::NotAnEvent | Self::BadConfiguration)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "Status {status}"),
            word => fmt::Debug::fmt(word, f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn is_one_word_or_a_status() {
        assert_eq!(Reason::CircuitOpen.to_string(), "CircuitOpen");
        assert_eq!(Reason::Status(503).to_string(), "Status 503");
    }
}
