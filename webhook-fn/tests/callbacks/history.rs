//! What happens in one run, as data: a run that shows a fault is made small and printed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use webhook_fn::callback::attempt::Attempt;
use webhook_fn::callback::reason::Reason;

/// What a receiver answers in, unless it is slow.
const PROMPTLY: Duration = Duration::from_millis(30);
/// As long as the product waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A run.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) owners: Vec<Owner>,
    pub(crate) steps: Vec<Step>,
    /// What goes wrong with which call, counted over all batches.
    pub(crate) faults: Vec<(usize, Fault)>,
    /// Which messages, counted over all that are received, another batch receives too.
    pub(crate) twice: Vec<usize>,
    /// Seeds what is random in the product and in SQS.
    pub(crate) salt: u64,
}

/// An instance and who answers at its two URLs.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(crate) receivers: [Receiver; 2],
    /// So many of its notifications are counted as waiting from the beginning, elsewhere.
    pub(crate) crowd: i64,
}

/// Who answers at a URL.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Receiver {
    Good,
    Unreachable,
    Broken,
    Hanging,
    /// Answers after so many seconds.
    Slow(u64),
    /// Takes leads after so many seconds, and refuses tasks until so many have passed.
    Picky {
        after: u64,
        until: u64,
    },
    /// Up and down for so many seconds, in turn.
    Flapping {
        up: u64,
        down: u64,
    },
    /// Good for so many seconds, and then gone.
    Gone(u64),
    Redirecting,
    /// Asks for so many seconds until so many have passed.
    Busy {
        wait: i64,
        until: u64,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// Since the run began.
    pub(crate) at: Duration,
    /// Whose, by its place.
    pub(crate) owner: usize,
    pub(crate) act: Act,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    /// So many changes at once.
    Burst {
        leads: usize,
        tasks: usize,
    },
    PointTo(usize),
    RemoveCallback,
    RemoveInstance,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is not done, and says so.
    Refused,
    /// It is done, and says that it is not.
    Lost,
    /// The function ends before it is done.
    CrashBefore,
    /// The function ends after it is done.
    CrashAfter,
}

/// How a receiver answers, and after how long.
pub(crate) type Reply = (Duration, Attempt);

impl History {
    /// Whether nothing goes wrong but what receivers do.
    pub(crate) fn is_faultless(&self) -> bool {
        self.faults.is_empty() && self.twice.is_empty()
    }
}

impl Receiver {
    /// Whether it takes a lead or a task at any time.
    pub(crate) fn takes(self, is_task: bool) -> bool {
        match self {
            Self::Good | Self::Slow(_) => true,
            Self::Picky { .. } => !is_task,
            _ => false,
        }
    }

    /// What it answers to a lead or a task, so long after the run began.
    pub(crate) fn reply(self, is_task: bool, since: Duration) -> Reply {
        let delivered = (PROMPTLY, Attempt::Delivered);
        let seconds = since.as_secs();
        match self {
            Self::Unreachable => (PROMPTLY, failed(Reason::ConnectionFailed, None)),
            Self::Broken => status(500),
            Self::Picky { until, .. } if is_task && seconds < until => status(500),
            Self::Picky { .. } if is_task => delivered,
            Self::Hanging => (TIMEOUT, failed(Reason::Timeout, None)),
            Self::Slow(after) | Self::Picky { after, .. } => {
                (PROMPTLY + Duration::from_secs(after), Attempt::Delivered)
            }
            Self::Flapping { up, down } if up <= seconds % (up + down) => status(503),
            Self::Gone(from) if from <= seconds => (PROMPTLY, Attempt::Refused(Reason::Gone)),
            Self::Redirecting => status(307),
            Self::Busy { wait, until } if seconds < until => {
                let wait = SignedDuration::from_secs(wait);
                (PROMPTLY, failed(Reason::Status(429), Some(wait)))
            }
            Self::Good | Self::Flapping { .. } | Self::Gone(_) | Self::Busy { .. } => delivered,
        }
    }
}

fn status(status: u16) -> Reply {
    (PROMPTLY, failed(Reason::Status(status), None))
}

pub(crate) fn failed(reason: Reason, retry_after: Option<SignedDuration>) -> Attempt {
    Attempt::Failed {
        reason,
        retry_after,
    }
}

/// When every run begins.
pub(crate) fn epoch() -> Timestamp {
    Timestamp::constant(1_781_870_400, 123_456_789)
}
