//! The order of the events, and whose each is.

/// How many there are.
pub(crate) const RECEIVERS: usize = 50;

/// A place in the order of the events: the receivers have theirs in turns. The event's id is made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(pub(crate) usize);

impl Slot {
    /// Whose event it is.
    pub(crate) fn receiver(self) -> usize {
        self.0 % RECEIVERS
    }

    /// How many slots that receiver had before.
    pub(crate) fn turn(self) -> usize {
        self.0 / RECEIVERS
    }

    /// The event's id.
    pub(crate) fn to_id(self) -> String {
        format!("{:032x}", self.0)
    }

    /// The slot of an event's id.
    pub(crate) fn read(id: &str) -> Option<Self> {
        usize::from_str_radix(id, 16).ok().map(Self)
    }
}
