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

fn run(cases: u32, mutant: Option<Mutant>) -> Result<(), TestError<History>> {
    let config = Config {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let config = if std::env::var_os("PROPTEST_CASES").is_none() {
        Config { cases, ..config }
    } else {
        config
    };
    TestRunner::new(config).run(&strategy::histories(), |history| {
        play::play(&history, mutant).map_err(TestCaseError::fail)
    })
}

#[test]
fn nothing_is_lost_and_nothing_comes_twice() {
    if let Err(error) = run(300, None) {
        panic!("{error:#?}");
    }
}
