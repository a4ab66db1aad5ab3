//! What the functions measure is what they did: held against the bus, the queues and the tables at the end of every test.

use serde_json::Value;

use super::{PATIENCE, World};
use crate::functions::{CALLBACK, POLLER, WEBHOOK};

/// What must be equal: metrics of a function, and what it had done and was told of.
struct Count {
    function: &'static str,
    measured: &'static [&'static str],
    done: &'static [&'static str],
}

const COUNTS: [Count; 4] = [
    Count {
        function: WEBHOOK,
        measured: &["EventsPublished"],
        done: &["closeio"],
    },
    Count {
        function: POLLER,
        measured: &["EventsPublished"],
        done: &["closeio"],
    },
    Count {
        function: CALLBACK,
        measured: &["CallbacksGivenUp"],
        done: &["CallbackDeadLetterQueue", "CallbackFailureQueue"],
    },
    Count {
        function: CALLBACK,
        measured: &["CallbacksPutOff", "CallbacksDiverted", "CallbacksReleased"],
        done: &["CallbackRetryQueue", "CallbackWaitsTable"],
    },
];

impl World {
    /// Checks the counts, once what still runs has ended. Not where an invocation ended with its process: what that had done, it
    /// could not say.
    pub(super) async fn assert_counts(&self) {
        for Count {
            function,
            measured,
            done,
        } in COUNTS
        {
            let Ok(ran) = self.stack.function(function) else {
                continue;
            };
            let (access, output) = (self.stack.access(), self.stack.output());
            let sums = || {
                let done: u64 = done.iter().map(|what| access.done(function, what)).sum();
                (sum(self, function, measured), done)
            };
            let is_true = |(measured, done): (u64, u64)| measured == done;
            let waited = output.wait_for(PATIENCE, |_| 0 < ran.deaths() || is_true(sums()));
            let _ = waited.await;
            let (found, had_done) = sums();
            assert!(
                0 < ran.deaths() || found == had_done,
                "{function}: {measured:?} say {found}, but {done:?} took {had_done}"
            );
        }
        self.assert_ledger().await;
    }

    /// What the ledger holds is on the bus.
    async fn assert_ledger(&self) {
        let details = self.details();
        let ids = details.iter().map(|detail| detail["id"].as_str().unwrap());
        let published = ids.map(str::to_owned).collect();
        let ledger = self.ledger().await;
        let others: Vec<_> = ledger.difference(&published).collect();
        assert!(
            others.is_empty(),
            "the ledger has {others:?}, and the bus has not"
        );
    }
}

fn sum(world: &World, function: &str, metrics: &[&str]) -> u64 {
    let output = world.stack.function(function).unwrap().output();
    let lines = output.iter().filter(|line| line.contains("\"_aws\""));
    let lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let values = lines.flat_map(|line| metrics.iter().map(move |name| line[name].as_u64()));
    values.flatten().sum()
}
