//! Histories at random: mostly small and close together, now and then large or far apart.

use std::time::Duration;

use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use crate::history::{
    Act, Condition, Delete, Edit, Fault, History, Make, Of, Poll, Polled, Quirks, Setup, Stamp,
    Step,
};

/// Close shows a change within ten minutes; of what is promised a little less.
const MAX_LAG: u64 = 585;

/// Any history.
pub(crate) fn histories() -> impl Strategy<Value = History> {
    (setups(), vec(steps(), 1..40)).prop_map(|(setup, steps)| History { setup, steps })
}

fn setups() -> impl Strategy<Value = Setup> {
    let resources = (
        option::weighted(0.6, polled(Of::Contacts)),
        option::weighted(0.3, polled(Of::Leads)),
        option::weighted(0.4, polled(Of::Opportunities)),
        option::weighted(0.4, polled(Of::Tasks)),
        option::weighted(0.3, polled(Of::Activities)),
        option::weighted(0.4, polled(Of::Events)),
        polled(Of::Contacts),
    );
    (resources, quirks()).prop_map(|((a, b, c, d, e, f, only), quirks)| {
        let mut resources: Vec<_> = [a, b, c, d, e, f].into_iter().flatten().collect();
        if resources.is_empty() {
            resources.push(only);
        }
        Setup { resources, quirks }
    })
}

fn polled(of: Of) -> impl Strategy<Value = Polled> {
    let condition = if of == Of::Events {
        Just(Condition::Any).boxed()
    } else {
        prop_oneof![
            4 => Just(Condition::Any),
            1 => (1..9_u8).prop_map(Condition::Rank),
            1 => seconds(0..7_200).prop_map(Condition::CreatedSince),
        ]
        .boxed()
    };
    let delay = prop_oneof![4 => Just(0), 1 => 1..120_u64].prop_map(Duration::from_secs);
    (condition, 2..8_u16, delay, weighted(0.15)).prop_map(
        move |(condition, page_size, delay, is_logged)| Polled {
            of,
            is_logged,
            condition,
            page_size,
            delay,
        },
    )
}

fn quirks() -> impl Strategy<Value = Quirks> {
    let broken = option::weighted(
        0.1,
        prop_oneof![
            Just(Of::Contacts),
            Just(Of::Opportunities),
            Just(Of::Tasks),
            Just(Of::Events)
        ],
    );
    let is = weighted(0.5);
    (any::<u64>(), is, is, is, weighted(0.2), broken).prop_map(
        |(salt, is_search_frozen, is_newest_task_first, is_log_counted, is_hiding, broken)| {
            Quirks {
                salt,
                is_search_frozen,
                is_newest_task_first,
                is_log_counted,
                is_hiding,
                broken,
            }
        },
    )
}

fn steps() -> impl Strategy<Value = Step> {
    (pauses(), acts()).prop_map(|(pause, act)| Step { pause, act })
}

fn pauses() -> impl Strategy<Value = Duration> {
    let millis = prop_oneof![
        30 => Just(0),
        30 => 1..50_u64,
        30 => 100..20_000_u64,
        20 => 30_000..400_000_u64,
        20 => 400_000..1_500_000_u64,
        2 => 3_600_000..200_000_000_u64,
        1 => Just(31 * 24 * 3_600_000),
    ];
    millis.prop_map(Duration::from_millis)
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        20 => makes().prop_map(Act::Make),
        30 => edits().prop_map(Act::Edit),
        5 => deletes().prop_map(Act::Delete),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(from, into)| Act::Merge { from, into }),
        2 => any::<u8>().prop_map(Act::Complete),
        40 => polls().prop_map(Act::Poll),
        1 => Just(Act::Fence),
    ]
}

fn kinds() -> impl Strategy<Value = Of> {
    prop_oneof![
        4 => Just(Of::Contacts),
        2 => Just(Of::Leads),
        3 => Just(Of::Opportunities),
        3 => Just(Of::Tasks),
        2 => Just(Of::Activities),
    ]
}

fn counts() -> impl Strategy<Value = u8> {
    prop_oneof![20 => Just(1), 20 => 2..12_u8, 4 => 12..60_u8, 1 => 60..140_u8]
}

fn makes() -> impl Strategy<Value = Make> {
    let age = prop_oneof![4 => Just(0), 2 => 1..60_u64, 2 => 60..1_000_000_u64];
    let spread = prop_oneof![3 => Just(0), 1 => 1..5_u64, 1 => 1..600_000_u64];
    (kinds(), counts(), age, spread, stamps()).prop_map(|(of, count, age, spread, stamp)| Make {
        of,
        count,
        age: Duration::from_secs(age),
        spread: Duration::from_millis(spread),
        stamp,
    })
}

fn edits() -> impl Strategy<Value = Edit> {
    (kinds(), any::<u8>(), counts(), weighted(0.4), stamps()).prop_map(
        |(of, first, count, is_consolidated, stamp)| Edit {
            of,
            first,
            count,
            is_consolidated,
            stamp,
        },
    )
}

fn deletes() -> impl Strategy<Value = Delete> {
    (kinds(), any::<u8>(), lags()).prop_map(|(of, which, lag)| Delete { of, which, lag })
}

fn stamps() -> impl Strategy<Value = Stamp> {
    let ahead = prop_oneof![30 => Just(0), 1 => 1..1_800_u64];
    (lags(), ahead, 0..10_u8).prop_map(|(lag, ahead, rank)| Stamp {
        lag,
        ahead: Duration::from_secs(ahead),
        rank,
    })
}

fn lags() -> impl Strategy<Value = Duration> {
    let millis = prop_oneof![
        6 => Just(0),
        2 => 1..2_000_u64,
        2 => 2_000..MAX_LAG * 1_000,
        1 => Just(MAX_LAG * 1_000),
    ];
    millis.prop_map(Duration::from_millis)
}

fn polls() -> impl Strategy<Value = Poll> {
    let budget = prop_oneof![4 => Just(300), 1 => 11..60_u64].prop_map(Duration::from_secs);
    let skew = prop_oneof![3 => Just(0), 1 => -120..121_i16];
    let pace = prop_oneof![4 => 2..20_u64, 2 => 20..300_u64, 1 => 300..4_000_u64];
    let faults = prop_oneof![
        3 => Just(Vec::new()),
        2 => vec((0..40_u8, faults()), 1..4),
    ];
    (weighted(0.15), budget, skew, pace, weighted(0.1), faults).prop_map(
        |(is_twin, budget, skew, pace, is_zombie, faults)| Poll {
            is_twin,
            budget,
            skew,
            pace: Duration::from_millis(pace),
            is_zombie,
            faults,
        },
    )
}

fn faults() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => Just(Fault::CrashBefore),
        3 => Just(Fault::CrashAfter),
        3 => Just(Fault::Fail),
        3 => Just(Fault::LoseAnswer),
        1 => (1..90_u8).prop_map(Fault::Late),
        2 => (1..900_u16).prop_map(Fault::Stall),
        2 => (1..90_u8).prop_map(Fault::Throttle),
        2 => Just(Fault::ExpireCursor),
        1 => Just(Fault::Refuse),
        3 => any::<u8>().prop_map(Fault::Partial),
    ]
}

fn seconds(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_secs)
}
