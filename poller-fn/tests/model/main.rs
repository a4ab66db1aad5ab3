//! The proof that polling loses nothing: random histories of Close, played against the poller itself in virtual time, with
//! models of Close, the tables and the bus, in which every call can fail, be late, or be the last.

mod bus;
mod close;
mod history;
mod instance;
mod ledger;
mod lookups;
mod mutant;
mod oracle;
mod outside;
mod owed;
mod play;
mod progress;
mod reading;
mod remembered;
mod repair;
mod seat;
mod store;
mod strategy;
mod webhooks;
mod world;

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

use history::History;
use mutant::Mutant;
use strategy::Scale;
use webhooks::story::{self, Story};

/// The histories of one test, unless `PROPTEST_CASES` says how many.
const CASES: u32 = 300;
/// One history in so many is a large one.
const CROWDS: u32 = 30;
/// And one in so many is of a Close that is slow.
const BACKLOGS: u32 = 6;
/// And one in so many is of a Close that takes several requests for a page.
const BATCHES: u32 = 6;
/// The same ones each time, unless `PROPTEST_RNG_SEED` says which.
const SEED: u64 = 1;
/// How long a history may be made smaller that shows a fault, in milliseconds.
const SHRINKING: u32 = 120_000;

#[test]
fn nothing_is_lost_and_nothing_comes_twice() {
    if let Err(failure) = check(Scale::Small, config(), None) {
        panic!("{failure:#?}");
    }
}

#[test]
fn a_crowd_loses_nothing_and_fits_the_memory() {
    let config = Config {
        cases: config().cases.div_ceil(CROWDS),
        ..config()
    };
    if let Err(failure) = check(Scale::Large, config, None) {
        panic!("{failure:#?}");
    }
}

#[test]
fn a_slow_close_is_caught_up_with() {
    let config = Config {
        cases: config().cases.div_ceil(BACKLOGS),
        ..config()
    };
    if let Err(failure) = check(Scale::Slow, config, None) {
        panic!("{failure:#?}");
    }
}

#[test]
fn a_page_in_batches_is_put_together_whole() {
    let config = Config {
        cases: config().cases.div_ceil(BATCHES),
        ..config()
    };
    if let Err(failure) = check(Scale::Batched, config, None) {
        panic!("{failure:#?}");
    }
}

#[test]
fn a_close_that_does_not_answer_holds_no_poll_for_long() {
    let result = TestRunner::new(config()).run(&strategy::histories(Scale::Small), |history| {
        play::play_silence(&history).map_err(TestCaseError::fail)
    });
    if let Err(failure) = result {
        panic!("{failure:#?}");
    }
}

#[test]
fn webhooks_and_reconciliations_are_one_stream() {
    if let Err(failure) = check_stream(config(), None) {
        panic!("{failure:#?}");
    }
}

#[test]
fn ten_days_of_webhooks_are_whole_without_a_duplicate() {
    for lost_of in [None, Some(100)] {
        webhooks::days::play(lost_of).unwrap_or_else(|what| panic!("{lost_of:?}: {what}"));
    }
}

#[test]
fn every_mutant_is_noticed() {
    for mutant in Mutant::ALL {
        let config = Config {
            max_shrink_iters: 0,
            ..config()
        };
        let result = check(mutant.scale(), config, Some(mutant));
        assert!(matches!(result, Err(TestError::Fail(..))), "{mutant:?}");
    }
}

#[test]
fn every_mutant_of_the_stream_is_noticed() {
    for mutant in Mutant::OF_THE_STREAM {
        let config = Config {
            max_shrink_iters: 0,
            ..config()
        };
        let result = check_stream(config, Some(mutant));
        assert!(matches!(result, Err(TestError::Fail(..))), "{mutant:?}");
    }
}

#[expect(clippy::result_large_err, reason = "it is what the runner returns")]
fn check(scale: Scale, config: Config, mutant: Option<Mutant>) -> Result<(), TestError<History>> {
    TestRunner::new(config).run(&strategy::histories(scale), |history| {
        play::play(&history, mutant).map_err(TestCaseError::fail)
    })
}

fn check_stream(config: Config, mutant: Option<Mutant>) -> Result<(), TestError<Story>> {
    TestRunner::new(config).run(&story::stories(), |story| {
        webhooks::play::play(&story, mutant).map_err(TestCaseError::fail)
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
