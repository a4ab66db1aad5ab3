//! The proof that polling loses nothing: random histories of Close, played against the poller itself in virtual time, with
//! models of Close, the tables and the bus, in which every call can fail, be late, or be the last.

mod bus;
mod close;
mod history;
mod instance;
mod mutant;
mod oracle;
mod owed;
mod play;
mod reading;
mod seat;
mod store;
mod strategy;
mod world;

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

use history::History;
use mutant::Mutant;

/// The histories of one test, unless `PROPTEST_CASES` says how many.
const CASES: u32 = 300;
/// The same ones each time, unless `PROPTEST_RNG_SEED` says which.
const SEED: u64 = 1;
/// How long a history may be made smaller that shows a fault, in milliseconds.
const SHRINKING: u32 = 120_000;

#[test]
fn nothing_is_lost_and_nothing_comes_twice() {
    if let Err(failure) = check(config(), None) {
        panic!("{failure:#?}");
    }
}

#[test]
fn every_mutant_is_noticed() {
    for mutant in Mutant::ALL {
        let config = Config {
            max_shrink_iters: 0,
            ..config()
        };
        let result = check(config, Some(mutant));
        assert!(matches!(result, Err(TestError::Fail(..))), "{mutant:?}");
    }
}

fn check(config: Config, mutant: Option<Mutant>) -> Result<(), TestError<History>> {
    TestRunner::new(config).run(&strategy::histories(), |history| {
        play::play(&history, mutant).map_err(TestCaseError::fail)
    })
}

fn config() -> Config {
    let config = Config::default();
    let has_cases = std::env::var_os("PROPTEST_CASES").is_some();
    Config {
        cases: if has_cases { config.cases } else { CASES },
        rng_seed: match config.rng_seed {
            RngSeed::Random => RngSeed::Fixed(SEED),
            fixed => fixed,
        },
        failure_persistence: None,
        max_shrink_time: SHRINKING,
        ..config
    }
}

#[test]
fn temp() {
    for mutant in [Mutant::ByOffset] {
        let Err(x) = check(config(), Some(mutant)) else {
            continue;
        };
        eprintln!("{x:#?}");
    }
}
