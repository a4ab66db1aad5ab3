//! Histories at random: mostly small and close together, now and then large or far apart.

use std::time::Duration;

use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};

use shared::close::event_log::PAGE_SIZE;

use crate::history::{
    Act, Backfill, Condition, Configure, Delete, Edit, Fault, History, Make, Obscurity, Of, Poll,
    Polled, Quirks, Setup, Stamp, Step, Trouble,
};

/// Close shows a change within ten minutes; of what is promised a little less.
const MAX_LAG: u64 = 585;

/// How many objects change at once, and how many come on a page.
#[derive(Clone, Copy)]
pub(crate) enum Scale {
    /// Few, so that a small history has ties, pages and windows.
    Small,
    /// As few, of a Close that takes several requests for the custom fields of a page.
    Batched,
    /// More than a unit, a page or a walk of Close's holds.
    Large,
    /// More than a poll has time for, bit by bit, mostly in the event log.
    Slow,
}

/// Any history.
pub(crate) fn histories(scale: Scale) -> impl Strategy<Value = History> {
    let past = steps(scale, changes(scale));
    let steps = steps(
        scale,
        prop_oneof![
            30 => changes(scale),
            20 => polls(scale).prop_map(Act::Poll),
            1 => configures(scale).prop_map(Act::Configure),
        ],
    );
    let most = match scale {
        Scale::Small | Scale::Batched => 30,
        Scale::Large => 12,
        Scale::Slow => 6,
    };
    let steps = (vec(past, 0..4), vec(steps, 1..most));
    (setups(scale), steps).prop_map(|(setup, (mut past, mut steps))| {
        let all = past.iter_mut().chain(&mut steps);
        all.for_each(|step| direct(&mut step.act, &setup));
        History { setup, past, steps }
    })
}

/// Lets happen what somebody polls.
fn direct(act: &mut Act, setup: &Setup) {
    if let Act::Poll(poll) = act {
        poll.meanwhile
            .iter_mut()
            .for_each(|(_, act)| direct(act, setup));
    }
    if let Some(of) = act.of() {
        *of = setup.polled(*of);
    }
}

fn setups(scale: Scale) -> impl Strategy<Value = Setup> {
    let resources = (
        option::weighted(0.6, polled(Of::Contacts, scale)),
        option::weighted(0.3, polled(Of::Leads, scale)),
        option::weighted(0.4, polled(Of::Opportunities, scale)),
        option::weighted(0.4, polled(Of::Tasks, scale)),
        option::weighted(0.3, polled(Of::Activities, scale)),
        option::weighted(0.4, polled(Of::Events, scale)),
        polled(Of::Contacts, scale),
    );
    let start = option::weighted(
        0.15,
        prop_oneof![3 => 0..7_200_u64, 1 => Just(40 * 24 * 3_600)],
    );
    let slowness = match scale {
        Scale::Slow => (2_000..20_000_u64).prop_map(Some).boxed(),
        _ => option::weighted(0.3, prop_oneof![100..3_000_u64, 3_000..30_000_u64]).boxed(),
    };
    let all = (resources, start, quirks(scale), slowness);
    all.prop_map(|((a, b, c, d, e, f, only), start, quirks, slowness)| {
        let mut resources: Vec<_> = [a, b, c, d, e, f].into_iter().flatten().collect();
        if resources.is_empty() {
            resources.push(only);
        }
        Setup {
            resources,
            start: start.map(Duration::from_secs),
            quirks,
            slowness: slowness.map(Duration::from_millis),
        }
    })
}

fn polled(of: Of, scale: Scale) -> impl Strategy<Value = Polled> {
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
    let is_logged = match scale {
        Scale::Slow => weighted(0.6),
        _ => weighted(0.15),
    };
    (condition, page_sizes(scale), delay, is_logged).prop_map(
        move |(condition, page_size, delay, is_logged)| Polled {
            of,
            is_logged,
            condition,
            page_size,
            delay,
        },
    )
}

fn configures(scale: Scale) -> impl Strategy<Value = Configure> {
    let of = prop_oneof![kinds(), Just(Of::Events)];
    of.prop_flat_map(move |of| {
        let to = option::weighted(0.8, polled(of, scale));
        to.prop_map(move |to| Configure { of, to })
    })
}

pub(crate) fn quirks(scale: Scale) -> impl Strategy<Value = Quirks> {
    let endpoint = prop_oneof![
        Just(Of::Contacts),
        Just(Of::Opportunities),
        Just(Of::Tasks),
        Just(Of::Events)
    ];
    let trouble = prop_oneof![
        Just(Trouble::Fails),
        Just(Trouble::Hangs),
        (1..=255_u8).prop_map(Trouble::Throttles),
    ];
    let broken = option::weighted(0.15, (endpoint, trouble));
    let is = || weighted(0.5);
    let search = (is(), is(), is(), is());
    let log_page = match scale {
        Scale::Small | Scale::Batched => prop_oneof![Just(PAGE_SIZE), 2..10_usize].boxed(),
        _ => Just(PAGE_SIZE).boxed(),
    };
    let log = (is(), is(), weighted(0.2), log_page);
    // Where progress is reckoned up, a page is a request.
    let (custom_fields, custom_batch, is_flat) = match scale {
        Scale::Small => (prop_oneof![Just(0), 1..6_usize].boxed(), 1..6_usize, 0.5),
        Scale::Batched => ((3..6_usize).boxed(), 1..3_usize, 0.1),
        Scale::Large | Scale::Slow => (Just(0).boxed(), 1..6_usize, 0.5),
    };
    let custom = (
        custom_fields,
        custom_batch,
        weighted(is_flat),
        weighted(0.2),
    );
    (any::<u64>(), search, is(), log, custom, broken).prop_map(
        |(salt, search, is_newest_task_first, log, custom, broken)| {
            let (custom_fields, custom_batch, is_custom_flat, is_lookup_refused) = custom;
            let (is_search_fickle, is_search_frozen, is_search_behind, is_repeating) = search;
            let (is_log_closed, is_log_counted, is_hiding, log_page) = log;
            Quirks {
                salt,
                is_search_fickle,
                is_search_frozen,
                is_search_behind,
                is_newest_task_first,
                log_page,
                is_log_closed,
                is_log_counted,
                is_hiding,
                is_repeating,
                custom_fields,
                custom_batch,
                is_custom_flat,
                is_lookup_refused,
                broken,
            }
        },
    )
}

fn steps(scale: Scale, acts: impl Strategy<Value = Act>) -> impl Strategy<Value = Step> {
    let once = match scale {
        Scale::Slow => 1,
        _ => 4,
    };
    let times = prop_oneof![once => Just(1), 1 => 2..20_u8];
    let every = prop_oneof![1..50_u64, 100..20_000_u64, 30_000..300_000_u64];
    (pauses(), times, every, acts).prop_map(|(pause, times, every, act)| Step {
        pause,
        times,
        every: Duration::from_millis(every),
        act,
    })
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

/// Boxed: as one value all of it would fill the stack.
pub(crate) fn changes(scale: Scale) -> BoxedStrategy<Act> {
    let changes = prop_oneof![
        20 => makes(scale).prop_map(Act::Make),
        30 => edits(scale).prop_map(Act::Edit),
        5 => deletes().prop_map(Act::Delete),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(from, into)| Act::Merge { from, into }),
        2 => any::<u8>().prop_map(Act::Complete),
        2 => (kinds(), any::<u8>()).prop_map(|(of, which)| Act::Touch { of, which }),
        1 => obscure(),
        2 => backfills().prop_map(Act::Backfill),
        1 => Just(Act::Fence),
    ];
    changes.boxed()
}

fn obscure() -> impl Strategy<Value = Act> {
    let what = prop_oneof![
        Just(Obscurity::Objectless),
        Just(Obscurity::Untyped),
        Just(Obscurity::Undated),
    ];
    (kinds(), any::<u8>(), what).prop_map(|(of, which, what)| Act::Obscure { of, which, what })
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

fn counts(scale: Scale) -> impl Strategy<Value = u16> {
    let crowd = match scale {
        Scale::Small | Scale::Batched => (1, 40..130_u16),
        Scale::Large => (10, 130..1_600),
        Scale::Slow => (60, 20..90),
    };
    prop_oneof![20 => Just(1), 20 => 2..9_u16, 4 => 9..40_u16, crowd.0 => crowd.1]
}

/// As many as may change again and again.
fn few(scale: Scale) -> u16 {
    match scale {
        Scale::Small | Scale::Batched => 3,
        Scale::Large => 150,
        Scale::Slow => 90,
    }
}

fn page_sizes(scale: Scale) -> impl Strategy<Value = u16> {
    match scale {
        Scale::Small => 2..8_u16,
        Scale::Batched => 4..20_u16,
        Scale::Large | Scale::Slow => 40..201_u16,
    }
}

fn makes(scale: Scale) -> impl Strategy<Value = Make> {
    let age = prop_oneof![4 => Just(0), 2 => 1..60_u64, 2 => 60..1_000_000_u64];
    let spread = prop_oneof![3 => Just(0), 1 => 1..5_u64, 1 => 1..600_000_u64];
    (kinds(), counts(scale), age, spread, stamps()).prop_map(
        move |(of, count, age, spread, stamp)| Make {
            of,
            count,
            again: count.min(few(scale)),
            age: Duration::from_secs(age),
            spread: Duration::from_millis(spread),
            stamp,
        },
    )
}

fn edits(scale: Scale) -> impl Strategy<Value = Edit> {
    (kinds(), any::<u8>(), counts(scale), weighted(0.4), stamps()).prop_map(
        move |(of, first, count, is_consolidated, stamp)| Edit {
            of,
            first,
            count,
            again: count.min(few(scale)),
            is_consolidated,
            stamp,
        },
    )
}

fn deletes() -> impl Strategy<Value = Delete> {
    (kinds(), any::<u8>(), lags()).prop_map(|(of, which, lag)| Delete { of, which, lag })
}

fn backfills() -> impl Strategy<Value = Backfill> {
    let of = prop_oneof![2 => kinds(), 1 => Just(Of::Events)];
    (of, seconds(1..20_000), seconds(1..20_000)).prop_map(|(of, ago, length)| Backfill {
        of,
        ago,
        length,
    })
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

pub(crate) fn polls(scale: Scale) -> BoxedStrategy<Poll> {
    let budget = prop_oneof![4 => Just(300), 1 => 11..60_u64].prop_map(Duration::from_secs);
    let skew = prop_oneof![3 => Just(0), 1 => -120..121_i16];
    let pace = prop_oneof![
        16 => 2..20_u64,
        8 => 20..300_u64,
        4 => 300..4_000_u64,
        1 => 4_000..30_000_u64,
    ];
    let faults = prop_oneof![
        3 => Just(Vec::new()),
        2 => vec((prop_oneof![2 => 0..12_u8, 1 => 12..40_u8], faults()), 1..4),
    ];
    let meanwhile = match scale {
        Scale::Batched => vec((0..20_u8, changes(scale)), 0..6).boxed(),
        _ => prop_oneof![
            2 => Just(Vec::new()),
            1 => vec((0..40_u8, changes(scale)), 1..4),
        ]
        .boxed(),
    };
    (
        weighted(0.15),
        budget,
        skew,
        pace,
        weighted(0.1),
        meanwhile,
        faults,
    )
        .prop_map(
            |(is_twin, budget, skew, pace, is_zombie, meanwhile, faults)| Poll {
                is_twin,
                budget,
                skew,
                pace: Duration::from_millis(pace),
                is_zombie,
                meanwhile,
                faults,
            },
        )
        .boxed()
}

fn faults() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => Just(Fault::CrashBefore),
        3 => Just(Fault::CrashAfter),
        3 => Just(Fault::Fail),
        3 => Just(Fault::LoseAnswer),
        1 => (1..900_u16).prop_map(Fault::Late),
        2 => (1..900_u16).prop_map(Fault::Stall),
        1 => Just(Fault::Hang),
        2 => (1..=255_u8).prop_map(Fault::Throttle),
        1 => (1..=255_u8).prop_map(Fault::Spend),
        2 => Just(Fault::ExpireCursor),
        1 => Just(Fault::Refuse),
        3 => any::<u8>().prop_map(Fault::Partial),
        1 => any::<u8>().prop_map(Fault::Refusal),
    ]
}

fn seconds(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_secs)
}
