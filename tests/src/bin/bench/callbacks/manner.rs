//! How the receivers answer: most are good, and some are not.

use super::slot::Slot;

/// How many of them are good.
pub(crate) const GOOD: usize = 35;

/// How a receiver answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// With 200, soon.
    Good,
    /// Not at all.
    Silent,
    /// With 200, late.
    Slow,
    /// With 500 to every second event whenever that comes, and with 200 to the others.
    Refusing,
}

impl Manner {
    /// Of ten neighbours seven are good, and the others are each of another kind.
    pub(crate) fn of(slot: Slot) -> Self {
        match slot.receiver() % 10 {
            7 => Self::Silent,
            8 => Self::Slow,
            9 => Self::Refusing,
            _ => Self::Good,
        }
    }
}
