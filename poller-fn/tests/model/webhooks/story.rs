//! What happens in a story of webhooks: data, to be made at random and to be shrunk.

use std::time::Duration;

use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{BoxedStrategy, Just, Strategy, prop_oneof};

use crate::history::{Act, Poll, Quirks};
use crate::strategy::{self, Scale};

/// A story.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) quirks: Quirks,
    /// Close's deliveries fare like these, over and over.
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) steps: Vec<StoryStep>,
}

/// Something that happens so long after the step before.
#[derive(Debug, Clone)]
pub(crate) struct StoryStep {
    pub(crate) pause: Duration,
    pub(crate) act: StoryAct,
}

/// Something that happens.
#[derive(Debug, Clone)]
pub(crate) enum StoryAct {
    Change(Act),
    Poll(Poll),
    /// Close pauses the subscription, and drops what waits.
    Pause,
    /// Somebody removes the subscription at Close.
    Remove,
    /// Somebody has the subscription post elsewhere.
    Move,
    /// Somebody has the subscription cover leads alone.
    Narrow,
}

/// How a delivery fares.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// How long after the change it is made.
    pub(crate) delay: Duration,
    /// Close never makes it, and does not say so.
    pub(crate) is_lost: bool,
    /// Close makes it twice, though it was taken.
    pub(crate) is_twice: bool,
    /// What goes wrong with its first attempt: Close makes another.
    pub(crate) trouble: Option<Trouble>,
}

/// What goes wrong with an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The ledger cannot be read.
    NoRead,
    /// The bus takes nothing.
    NoBus,
    /// The process dies before it publishes.
    DiesBefore,
    /// The process dies between the bus and the ledger.
    DiesBetween,
    /// The ledger cannot be written.
    NoWrite,
}

impl Story {
    /// Whether Close delivers all the time, to the right place, what is wanted.
    pub(crate) fn is_steady(&self) -> bool {
        let mut acts = self.steps.iter().map(|step| &step.act);
        acts.all(|act| matches!(act, StoryAct::Change(_) | StoryAct::Poll(_)))
    }
}

/// Any story.
pub(crate) fn stories() -> impl Strategy<Value = Story> {
    let quirks = strategy::quirks(Scale::Small).prop_map(|quirks| Quirks {
        broken: None,
        ..quirks
    });
    let steps = prop_oneof![
        2 => vec(steps(quiet_acts()), 1..40),
        3 => vec(steps(acts()), 1..40),
    ];
    (quirks, vec(deliveries(), 1..6), steps).prop_map(|(quirks, deliveries, steps)| Story {
        quirks,
        deliveries,
        steps,
    })
}

fn steps(acts: impl Strategy<Value = StoryAct>) -> impl Strategy<Value = StoryStep> {
    (pauses(), acts).prop_map(|(pause, act)| StoryStep { pause, act })
}

/// What happens while nobody touches the subscription.
fn quiet_acts() -> BoxedStrategy<StoryAct> {
    prop_oneof![
        2 => strategy::changes(Scale::Small).prop_map(StoryAct::Change),
        1 => strategy::polls(Scale::Small).prop_map(StoryAct::Poll),
    ]
    .boxed()
}

fn acts() -> impl Strategy<Value = StoryAct> {
    prop_oneof![
        40 => quiet_acts(),
        4 => Just(StoryAct::Pause),
        2 => Just(StoryAct::Remove),
        2 => Just(StoryAct::Move),
        2 => Just(StoryAct::Narrow),
    ]
}

fn deliveries() -> impl Strategy<Value = Delivery> {
    let delay = prop_oneof![
        10 => 5..2_000_u64,
        3 => 2_000..500_000_u64,
        1 => 500_000..259_200_000_u64,
    ];
    let trouble = prop_oneof![
        Just(Trouble::NoRead),
        Just(Trouble::NoBus),
        Just(Trouble::DiesBefore),
        Just(Trouble::DiesBetween),
        Just(Trouble::NoWrite),
    ];
    let all = (
        delay,
        weighted(0.2),
        weighted(0.1),
        option::weighted(0.2, trouble),
    );
    all.prop_map(|(delay, is_lost, is_twice, trouble)| Delivery {
        delay: Duration::from_millis(delay),
        is_lost,
        is_twice,
        trouble,
    })
}

fn pauses() -> impl Strategy<Value = Duration> {
    let millis = prop_oneof![
        20 => Just(0),
        30 => 1..2_000_u64,
        30 => 2_000..400_000_u64,
        20 => 400_000..2_000_000_u64,
        2 => 3_600_000..90_000_000_u64,
    ];
    millis.prop_map(Duration::from_millis)
}
