//! Runs that are hardly ever found at random: most have far more events.

use std::time::Duration;

use crate::history::{Act, History, Owner, Receiver, Step};

/// Tasks that come at once: so many that their circuit might open.
pub(crate) const CROWD: usize = 1_000;
/// Then some come again and again, each time with a lead.
pub(crate) const ROUNDS: usize = 90;
pub(crate) const TASKS: usize = 3;
const ROUND: Duration = Duration::from_secs(10);

/// A receiver that never takes a task, and always a lead.
pub(crate) fn refused_tasks() -> History {
    crowd_of(Receiver::Picky {
        after: 0,
        until: u64::MAX,
    })
}

/// A receiver that takes nothing until more than half of the rounds are over.
pub(crate) fn outage() -> History {
    crowd_of(Receiver::Busy {
        wait: 0,
        until: 700,
    })
}

/// A receiver that refuses a task, and takes it while a lead of the same batch still waits for its answer.
pub(crate) fn overtaken() -> History {
    let receiver = Receiver::Picky {
        after: 12,
        until: 9,
    };
    let burst = Act::Burst { leads: 1, tasks: 1 };
    with_bursts(receiver, [(Duration::from_secs(5), burst)])
}

fn crowd_of(receiver: Receiver) -> History {
    let crowd = Act::Burst {
        leads: 0,
        tasks: CROWD,
    };
    let round = Act::Burst {
        leads: 1,
        tasks: TASKS,
    };
    let times = std::iter::successors(Some(ROUND), |at| Some(*at + ROUND));
    let rounds = times.take(ROUNDS).map(|at| (at, round));
    with_bursts(
        receiver,
        std::iter::once((Duration::ZERO, crowd)).chain(rounds),
    )
}

/// One instance and its bursts, of which nothing goes wrong but what the receiver does.
fn with_bursts(receiver: Receiver, bursts: impl IntoIterator<Item = (Duration, Act)>) -> History {
    let step = |(at, act)| Step { at, owner: 0, act };
    History {
        owners: vec![Owner {
            receivers: [receiver, Receiver::Good],
            crowd: 0,
        }],
        steps: bursts.into_iter().map(step).collect(),
        faults: Vec::new(),
        twice: Vec::new(),
        salt: 1,
    }
}
