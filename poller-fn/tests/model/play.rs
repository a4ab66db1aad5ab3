//! Playing a history, and judging what came of it.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll as Ready;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use poller_fn::error::PollError;
use poller_fn::outside::Outside;
use poller_fn::poll::poll_instance;
use poller_fn::poll::summary::Summary;
use shared::function::clock::Clock;
use shared::instance::policy::Policy;
use tokio::runtime::Builder;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::history::{self, Act, History, Poll, Step};
use crate::instance;
use crate::mutant::{Mutant, Mutated};
use crate::oracle::{self, Done};
use crate::progress::{self, Progress};
use crate::seat::Seat;
use crate::world::{Publisher, World};

/// After so long everything is visible, every lease is over, and every call that comes late has come.
pub(crate) const CALM: Duration = Duration::from_mins(45);
/// Far longer than a zombie stays.
const FOREVER: Duration = Duration::from_hours(24);

/// One request to each of the six endpoints, until the client's timeout, and what AWS takes.
const MAX_SILENT_POLL: Duration = Duration::from_secs(185);

/// Plays a history to its end, and says what is wrong then.
pub(crate) fn play(history: &History, mutant: Option<Mutant>) -> Result<(), String> {
    fastrand::seed(history.setup.quirks.salt);
    alone(tell(history, mutant))
}

/// Runs in virtual time.
pub(crate) fn alone(playing: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| error.to_string())?;
    LocalSet::new().block_on(&runtime, playing)
}

async fn tell(history: &History, mutant: Option<Mutant>) -> Result<(), String> {
    let world = Rc::new(World::new(&history.setup));
    live(&world, &history.past, mutant).await;
    world.begin();
    let mut done = Vec::new();
    for poll in live(&world, &history.steps, mutant).await {
        done.push(ended(poll).await?);
    }
    if let Some(violation) = world.violations().into_iter().next() {
        return Err(violation);
    }
    sleep(CALM).await;
    if let Some(pace) = history.setup.slowness {
        done.extend(catch_up(&world, pace, mutant).await?);
        sleep(CALM).await;
    }
    for _ in 0..2 {
        let poll = Poll::quiet(Duration::from_millis(1));
        let last = ended(invoke(&world, &poll, mutant)).await?;
        oracle::check_end(&world, &last)?;
        done.push(last);
        sleep(Duration::from_secs(1)).await;
    }
    oracle::check(&world, &done)
}

/// Polls a Close that answers nothing, and says what is wrong if that holds a place for long.
pub(crate) fn play_silence(history: &History) -> Result<(), String> {
    alone(async {
        let world = Rc::new(World::new(&history.setup));
        live(&world, &history.past, None).await;
        world.begin();
        world.is_silent.set(true);
        let began = Instant::now();
        ended(invoke(&world, &Poll::quiet(Duration::from_millis(1)), None)).await?;
        let took = began.elapsed();
        if MAX_SILENT_POLL < took {
            return Err(format!(
                "a poll that got no answer held its place for {took:?}"
            ));
        }
        Ok(())
    })
}

/// Polls a slow Close until there is nothing left to do. Each poll must leave less than there was before.
async fn catch_up(
    world: &Rc<World>,
    pace: Duration,
    mutant: Option<Mutant>,
) -> Result<Vec<Done>, String> {
    let mut done = Vec::new();
    while progress::may_need_another(world, pace, &done) {
        let before = Progress::of(world);
        done.push(ended(invoke(world, &Poll::quiet(pace), mutant)).await?);
        progress::check(world, pace, &before, &done)?;
        sleep(Duration::from_secs(1)).await;
    }
    Ok(done)
}

/// Lets everything happen at its time, and returns the invocations, which may still run.
async fn live(world: &Rc<World>, steps: &[Step], mutant: Option<Mutant>) -> Vec<JoinHandle<Done>> {
    let began = Instant::now();
    let mut invocations = Vec::new();
    for (time, act) in history::timeline(steps) {
        sleep_until(began + time).await;
        match &act {
            Act::Poll(plan) => {
                let count = 1 + usize::from(plan.is_twin);
                invocations.extend((0..count).map(|_| invoke(world, plan, mutant)));
            }
            act => world.apply(act),
        }
    }
    invocations
}

/// Lets an invocation run beside everything else.
pub(crate) fn invoke(world: &Rc<World>, plan: &Poll, mutant: Option<Mutant>) -> JoinHandle<Done> {
    let (world, plan) = (Rc::clone(world), plan.clone());
    spawn_local(async move { poll(world, plan, mutant).await })
}

/// Waits for an invocation.
pub(crate) async fn ended(poll: JoinHandle<Done>) -> Result<Done, String> {
    poll.await.map_err(|error| error.to_string())
}

async fn poll(world: Rc<World>, plan: Poll, mutant: Option<Mutant>) -> Done {
    let started = world.now();
    let clock = Clock::at(started + SignedDuration::from_secs(plan.skew.into()));
    let allowed = if plan.is_zombie { FOREVER } else { plan.budget };
    let end = Instant::now() + allowed;
    let deadline = clock.started() + plan.budget;
    let seat = Seat::new(world, plan, clock.started());
    let summary = match mutant {
        None => unless_stopped(&seat, end, run(&seat, &clock, deadline)).await,
        Some(mutant) => {
            let mutated = Mutated::new(&seat, mutant);
            let run = async {
                let result = run(&mutated, &clock, deadline).await;
                mutated.finish(end).await;
                result
            };
            unless_stopped(&seat, end, run).await
        }
    };
    // It publishes again what is on the bus.
    let has_backfill = !seat.world.store.borrow().backfills().is_empty();
    seat.world.publishers.borrow_mut().push(Publisher {
        number: seat.number,
        began: started,
        ended: seat.world.now(),
        is_troubled: seat.is_troubled() || seat.is_excused() || has_backfill,
        is_webhook: false,
    });
    Done::new(&seat, started, summary)
}

async fn run(
    outside: &impl Outside,
    clock: &Clock,
    deadline: Timestamp,
) -> Result<Summary, PollError> {
    let policy = Policy::default();
    let polled = poll_instance(outside, &policy, instance::id(), clock, deadline);
    let (summary, result) = polled.await;
    result.map(|()| summary)
}

/// Runs an invocation until it ends, crashes, or its time is up.
async fn unless_stopped(
    seat: &Seat,
    end: Instant,
    invocation: impl Future<Output = Result<Summary, PollError>>,
) -> Option<Summary> {
    let mut invocation = pin!(invocation);
    let running = poll_fn(|context| match invocation.as_mut().poll(context) {
        Ready::Ready(result) => Ready::Ready(Some(result)),
        Ready::Pending if seat.has_crashed() => Ready::Ready(None),
        Ready::Pending => Ready::Pending,
    });
    let result = timeout_at(end, running).await.ok().flatten();
    if result.is_none() {
        seat.excuse();
    }
    result.and_then(Result::ok)
}
