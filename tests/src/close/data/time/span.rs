//! Stretches of time, as filters and walks bound them.

use std::ops::{Bound, RangeBounds};

use jiff::Timestamp;

/// From one moment to another, each side open, inclusive or exclusive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Span {
    pub(crate) from: Bound<Timestamp>,
    pub(crate) to: Bound<Timestamp>,
}

impl Span {
    /// All of time.
    pub(crate) const ALL: Self = Self {
        from: Bound::Unbounded,
        to: Bound::Unbounded,
    };

    /// From `moment` on, inclusive.
    pub(crate) fn since(moment: Timestamp) -> Self {
        Self {
            from: Bound::Included(moment),
            ..Self::ALL
        }
    }

    /// Up to `moment`, inclusive.
    pub(crate) fn until(moment: Timestamp) -> Self {
        Self {
            to: Bound::Included(moment),
            ..Self::ALL
        }
    }

    /// Whether the moment lies within.
    pub(crate) fn contains(&self, moment: Timestamp) -> bool {
        (self.from, self.to).contains(&moment)
    }

    /// What lies within both.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        let lower = [self.from, other.from].into_iter();
        let upper = [self.to, other.to].into_iter();
        Self {
            from: lower
                .max_by_key(|bound| rank(*bound, 1))
                .unwrap_or(Bound::Unbounded),
            to: upper
                .max_by_key(|bound| rank(*bound, -1))
                .unwrap_or(Bound::Unbounded),
        }
    }

    /// Whether nothing can lie within; a tree map panics on some such ranges.
    pub(crate) fn is_empty(&self) -> bool {
        match (self.from, self.to) {
            (Bound::Included(from), Bound::Included(to)) => to < from,
            (
                Bound::Included(from) | Bound::Excluded(from),
                Bound::Included(to) | Bound::Excluded(to),
            ) => to <= from,
            _ => false,
        }
    }
}

/// How tight a bound is: an exclusive one is tighter than an inclusive one at the same time, on either side.
fn rank(bound: Bound<Timestamp>, sign: i128) -> Option<(i128, bool)> {
    match bound {
        Bound::Unbounded => None,
        Bound::Included(time) => Some((time.as_nanosecond() * sign, false)),
        Bound::Excluded(time) => Some((time.as_nanosecond() * sign, true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_tighter_bound_wins_on_either_side() {
        let both = Span::since(at(1)).and(Span {
            from: Bound::Excluded(at(1)),
            to: Bound::Included(at(5)),
        });
        let both = both.and(Span::until(at(7)));
        assert_eq!(
            (both.from, both.to),
            (Bound::Excluded(at(1)), Bound::Included(at(5)))
        );
        assert!(!both.contains(at(1)) && both.contains(at(5)));
    }

    #[test]
    fn what_cannot_hold_anything_is_empty() {
        let empty = |from, to| Span { from, to }.is_empty();
        assert!(empty(Bound::Excluded(at(1)), Bound::Included(at(1))));
        assert!(empty(Bound::Included(at(2)), Bound::Included(at(1))));
        assert!(!empty(Bound::Included(at(1)), Bound::Included(at(1))));
        assert!(!Span::ALL.is_empty());
    }
}
