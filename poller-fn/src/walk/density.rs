//! How densely the entries of the event log lie in time, from which the lengths of its windows are estimated.

use jiff::{SignedDuration, Timestamp};
use shared::close::event_log::PAGE_SIZE;
use shared::close::span::{RESOLUTION, floor};

use super::windows::{MAX_GROWTH, Windows};

/// A window that held so many times less than its target was too short.
const SPARSE: usize = 8;
/// A window that is foreseen to hold more is read again in parts: to read down through the rest would cost more.
pub const FAR_TOO_MUCH: f64 = 1_250.0;
/// What a window weighs in the next estimate against the one after it.
const WEIGHT: f64 = 0.75;

/// The dates of the oldest and of the newest entry.
pub type Spread = (Timestamp, Timestamp);

/// What was read so far tells of the next window.
#[derive(Debug)]
pub struct Density {
    known: Known,
    /// Moments at which entries are known to begin or to end, the nearest last.
    marks: Vec<Timestamp>,
    /// The current window's length was told by entries that do not lie in it.
    is_doubtful: bool,
}

#[derive(Debug)]
enum Known {
    Nothing,
    /// What the last windows held, the older ones weighing less.
    Average {
        entries: f64,
        seconds: f64,
    },
    /// An estimate proved wrong: entries lie close together in a long silence.
    Uneven,
}

impl Density {
    /// Before anything was read.
    pub fn unknown() -> Self {
        Self {
            known: Known::Nothing,
            marks: Vec::new(),
            is_doubtful: false,
        }
    }

    /// After a poll that came to no end within the window that is to be read.
    pub fn uneven() -> Self {
        Self {
            known: Known::Uneven,
            is_doubtful: true,
            ..Self::unknown()
        }
    }

    /// Whether the next window may be far too long, and nothing tells by how much.
    pub fn is_uneven(&self) -> bool {
        matches!(self.known, Known::Uneven)
    }

    /// Where entries begin that are too many for the current window, while it is not known where those before them begin.
    pub fn known_end(&self) -> Option<Timestamp> {
        self.marks.last().copied().filter(|_| self.is_uneven())
    }

    /// From how many entries on a window is given up that is foreseen to hold how many. One whose length is an average is
    /// believed longer: the entries at its end may be a burst.
    pub fn patience(&self) -> (usize, f64) {
        match self.known {
            Known::Nothing => (10 * PAGE_SIZE, FAR_TOO_MUCH),
            Known::Average { .. } => (10 * PAGE_SIZE, 3_000.0),
            Known::Uneven => (PAGE_SIZE, FAR_TOO_MUCH),
        }
    }

    /// The current window was given up: these are the oldest and the newest date of what was read at its end and will be
    /// read again.
    pub fn give_up(&mut self, spread: Option<Spread>) {
        self.is_doubtful = true;
        let Some((oldest, newest)) = spread else {
            return;
        };
        let behind = floor(newest).saturating_add(RESOLUTION);
        let behind = behind.unwrap_or(Timestamp::MAX);
        self.marks.extend([floor(oldest), behind]);
        self.marks.sort_unstable_by(|one, other| other.cmp(one));
        self.marks.dedup();
    }

    /// Goes on to the next window after the current one, which held `count` where `target` would have been right.
    pub fn finish(
        &mut self,
        windows: &mut Windows,
        held: Option<Spread>,
        count: usize,
        target: usize,
    ) {
        let width = windows.width();
        let is_sparse = count.saturating_mul(SPARSE) < target;
        let filled = held
            .filter(|_| self.is_uneven())
            .map_or(width, |(oldest, newest)| newest.duration_since(oldest));
        self.known = self.known_after(filled.max(RESOLUTION), count, is_sparse);
        self.is_doubtful = is_sparse;
        let from = windows.next_from();
        while self.marks.last().is_some_and(|mark| *mark <= from) {
            self.marks.pop();
        }
        windows.go_on(self.next_width(from, windows.end(), width, target));
    }

    #[expect(clippy::cast_precision_loss, reason = "an estimate of small numbers")]
    fn known_after(&self, width: SignedDuration, count: usize, is_sparse: bool) -> Known {
        let (count, width) = (count as f64, width.as_secs_f64());
        match self.known {
            _ if is_sparse && self.is_doubtful => Known::Uneven,
            Known::Average { entries, seconds } => Known::Average {
                entries: entries * WEIGHT + count,
                seconds: seconds * WEIGHT + width,
            },
            Known::Nothing | Known::Uneven => Known::Average {
                entries: count,
                seconds: width,
            },
        }
    }

    /// The length of the window from a moment on: what the average says, or up to the next mark.
    #[expect(clippy::cast_precision_loss, reason = "an estimate of small numbers")]
    fn next_width(
        &self,
        from: Timestamp,
        end: Timestamp,
        last: SignedDuration,
        target: usize,
    ) -> SignedDuration {
        let Known::Average { entries, seconds } = self.known else {
            let mark = self.marks.last().copied().unwrap_or(end);
            return mark.duration_since(from);
        };
        let growth = (target as f64 * seconds / entries / last.as_secs_f64()).min(MAX_GROWTH);
        last.mul_f64(growth)
    }
}
