//! The proof that every event is delivered or given up for a good reason: runs at random, played against callback-fn's own
//! code in virtual time, with models of the queues, the tables and the receivers, in which every call can fail, or be the
//! last.
#![expect(clippy::expect_used, reason = "in a test a panic is the report")]

mod history;
mod instance;
mod mutant;
mod oracle;
mod play;
mod queue;
mod scenario;
mod seat;
mod strategy;
mod trace;
mod waits;
mod world;

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

use history::History;
use mutant::Mutant;
use play::Played;

/// The runs of one test, unless `PROPTEST_CASES` says how many.
const CASES: u32 = 150;
/// The same ones each time, unless `PROPTEST_RNG_SEED` says which.
const SEED: u64 = 1;
/// How long a run may be made smaller that shows a fault, in milliseconds.
const SHRINKING: u32 = 60_000;

#[test]
fn every_event_is_delivered_or_given_up_for_a_good_reason() {
    if let Err(failure) = check(config(), None) {
        panic!("{failure:#?}");
    }
}

#[test]
fn whoever_refuses_a_thousand_tasks_gets_every_lead_at_once() {
    let played = play::play(&scenario::refused_tasks(), None).expect("all is well");
    let tasks = scenario::CROWD + scenario::ROUNDS * scenario::TASKS;
    let expected = Played {
        ends: tasks,
        posts: trace::ATTEMPTS * tasks + scenario::ROUNDS,
        spared: 0,
    };
    assert_eq!(played, expected);
}

#[test]
fn whoever_was_away_for_long_was_spared_and_gets_everything() {
    let played = play::play(&scenario::outage(), None).expect("all is well");
    assert_eq!(played.ends, 0);
    assert!(scenario::ROUNDS < played.spared, "{played:?}");
}

#[test]
fn what_is_delivered_before_its_failure_is_noted_does_not_wait_any_more() {
    let played = play::play(&scenario::overtaken(), None);
    assert_eq!(played.map(|played| played.posts), Ok(3));
}

#[test]
fn every_mutant_is_noticed() {
    let is_noticed = |mutant: &Mutant| {
        if mutant.needs_a_crowd() {
            return play::play(&scenario::refused_tasks(), Some(*mutant)).is_err();
        }
        let config = Config {
            max_shrink_iters: 0,
            ..config()
        };
        matches!(check(config, Some(*mutant)), Err(TestError::Fail(..)))
    };
    let mut mutants = Mutant::ALL.to_vec();
    mutants.retain(|mutant| !is_noticed(mutant));
    assert_eq!(mutants, [], "not noticed");
}

#[expect(clippy::result_large_err, reason = "it is what the runner returns")]
fn check(config: Config, mutant: Option<Mutant>) -> Result<(), TestError<History>> {
    TestRunner::new(config).run(&strategy::histories(), |history| {
        let played = play::play(&history, mutant);
        played.map(drop).map_err(TestCaseError::fail)
    })
}

fn config() -> Config {
    let config = Config::default();
    let has_cases = std::env::var_os("PROPTEST_CASES").is_some();
    Config {
        cases: if has_cases { config.cases } else { CASES },
        rng_seed: match config.rng_seed {
            RngSeed::Random => RngSeed::Fixed(SEED),
            fixed @ RngSeed::Fixed(_) => fixed,
        },
        failure_persistence: None,
        max_shrink_time: SHRINKING,
        ..config
    }
}
