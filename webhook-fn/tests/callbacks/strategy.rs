//! Runs at random.

use std::time::Duration;

use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use crate::history::{Act, Fault, History, Owner, Receiver, Step};

/// Any run.
pub(crate) fn histories() -> impl Strategy<Value = History> {
    let faults = prop_oneof![
        2 => Just(Vec::new()),
        3 => vec((calls(), faults()), 0..20),
    ];
    let twice = prop_oneof![3 => Just(Vec::new()), 1 => vec(0..100_usize, 0..6)];
    let all = (
        vec(owners(), 1..4),
        vec(steps(), 1..7),
        faults,
        twice,
        any::<u64>(),
    );
    all.prop_map(|(owners, mut steps, faults, twice, salt)| {
        steps.sort_by_key(|step| step.at);
        for step in &mut steps {
            step.owner %= owners.len();
        }
        History {
            owners,
            steps,
            faults,
            twice,
            salt,
        }
    })
}

fn owners() -> impl Strategy<Value = Owner> {
    let crowd = prop_oneof![3 => Just(0), 1 => 980..1_001_i64];
    (receivers(), receivers(), crowd).prop_map(|(first, second, crowd)| Owner {
        receivers: [first, second],
        crowd,
    })
}

fn receivers() -> impl Strategy<Value = Receiver> {
    prop_oneof![
        2 => Just(Receiver::Good),
        1 => Just(Receiver::Unreachable),
        1 => Just(Receiver::Broken),
        1 => Just(Receiver::Redirecting),
        2 => Just(Receiver::Hanging),
        2 => (1..15_u64).prop_map(Receiver::Slow),
        3 => picky(),
        3 => (spans(), spans()).prop_map(|(up, down)| Receiver::Flapping { up, down }),
        2 => spans().prop_map(Receiver::Gone),
        1 => (0..7_200_i64, spans()).prop_map(|(wait, until)| Receiver::Busy { wait, until }),
    ]
}

fn picky() -> impl Strategy<Value = Receiver> {
    let after = prop_oneof![Just(0), 0..15_u64];
    let until = prop_oneof![1 => 1..60_u64, 1 => Just(u64::MAX)];
    (after, until).prop_map(|(after, until)| Receiver::Picky { after, until })
}

fn spans() -> impl Strategy<Value = u64> {
    prop_oneof![1..60_u64, 60..3_600_u64]
}

/// Most are close together, so that batches run at the same time.
fn steps() -> impl Strategy<Value = Step> {
    let at = prop_oneof![0..20_000_u64, 0..1_200_000_u64, 0..4_000_000_u64];
    let burst = || prop_oneof![4 => 0..4_usize, 1 => 4..15_usize];
    let bursts = (burst(), burst()).prop_map(|(leads, tasks)| Act::Burst { leads, tasks });
    let acts = prop_oneof![
        12 => bursts,
        2 => (0..2_usize).prop_map(Act::PointTo),
        1 => weighted(0.7).prop_map(|is_kept| {
            if is_kept { Act::RemoveCallback } else { Act::RemoveInstance }
        }),
    ];
    (at, 0..12_usize, acts).prop_map(|(at, owner, act)| Step {
        at: Duration::from_millis(at),
        owner,
        act,
    })
}

fn calls() -> impl Strategy<Value = usize> {
    prop_oneof![0..60_usize, 0..400_usize]
}

fn faults() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Refused),
        Just(Fault::Lost),
        Just(Fault::CrashBefore),
        Just(Fault::CrashAfter),
    ]
}
