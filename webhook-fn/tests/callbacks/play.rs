//! Playing a run, and judging what came of it.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use jiff::SignedDuration;
use shared::function::clock::Clock;
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep, sleep_until};
use webhook_fn::callback::batch::Batch;
use webhook_fn::callback::deliver::deliver;
use webhook_fn::callback::recent::Recent;
use webhook_fn::callback::release::release;

use crate::history::History;
use crate::mutant::{Mutant, Mutated};
use crate::oracle;
use crate::queue::Received;
use crate::seat::Seat;
use crate::world::{Source, World};

/// Batches of each queue at once, each in a sandbox of its own.
const AT_ONCE: [(Source, usize); 2] = [(Source::First, 4), (Source::Retries, 3)];
const TICK: Duration = Duration::from_mins(1);
const AHEAD: SignedDuration = SignedDuration::from_mins(1);
/// Long after the last attempt of anything.
const FOREVER: Duration = Duration::from_hours(36);
/// callback-fn's timeout, as in the template.
const MAX_BATCH: Duration = Duration::from_mins(1);

/// What was done in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Played {
    /// Events that were given up.
    pub(crate) ends: usize,
    /// Calls of receivers.
    pub(crate) posts: usize,
    /// Events that an open circuit has spared their first attempts.
    pub(crate) spared: usize,
}

/// Plays a run to its end, and says what is wrong then.
pub(crate) fn play(history: &History, mutant: Option<Mutant>) -> Result<Played, String> {
    fastrand::seed(history.salt);
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    LocalSet::new().block_on(&runtime, tell(history, mutant))
}

async fn tell(history: &History, mutant: Option<Mutant>) -> Result<Played, String> {
    let world = Rc::new(World::new(history));
    spawn_local(live(Rc::clone(&world)));
    for (source, count) in AT_ONCE {
        for _ in 0..count {
            spawn_local(serve(Rc::clone(&world), source, mutant));
        }
    }
    while !world.is_quiet() {
        sleep(TICK).await;
        tick(&world, mutant).await;
        if let Some(violation) = world.violation() {
            return Err(violation);
        }
        if FOREVER < world.elapsed() {
            return Err("it does not end".to_owned());
        }
    }
    oracle::check(&world)?;
    let events = world.events.borrow();
    Ok(Played {
        ends: events.iter().map(|event| event.ends).sum(),
        posts: world.posts.get(),
        spared: world.spared.get(),
    })
}

/// Lets everything happen at its time.
async fn live(world: Rc<World>) {
    let began = Instant::now();
    for step in &world.history.steps {
        sleep_until(began + step.at).await;
        world.apply(step);
    }
    world.is_over.set(true);
}

/// Handles one batch after the other, as a sandbox does until it crashes, and the next one in its place.
async fn serve(world: Rc<World>, source: Source, mutant: Option<Mutant>) {
    loop {
        let recent = Recent::default();
        while handle(&world, source, &recent, mutant).await {}
    }
}

/// Handles a batch. Returns whether the sandbox has survived it.
async fn handle(world: &World, source: Source, recent: &Recent, mutant: Option<Mutant>) -> bool {
    let received = world.receive(source).await;
    world.busy.set(world.busy.get() + 1);
    let received = take_in(world, source, received, mutant);
    let seat = Seat::new(world, &received);
    let messages: Vec<_> = received.iter().map(|one| one.message.clone()).collect();
    let batch = Batch {
        outside: &Mutated {
            seat: &seat,
            mutant,
        },
        recent,
        allow_loopback: true,
        clock: Clock::at(world.now()),
    };
    let began = Instant::now();
    let handled = seat.unless_crashed(deliver(batch, &messages)).await;
    if MAX_BATCH < began.elapsed() {
        world.violate("a batch took too long".to_owned());
    }
    if let Some(handled) = &handled {
        let answer = handled.answer();
        let mut kept: BTreeSet<_> = answer.kept().collect();
        if mutant == Some(Mutant::KeptIsDeleted) {
            kept.clear();
        }
        let done = received
            .iter()
            .filter(|one| !kept.contains(one.message.id.as_str()));
        done.for_each(|one| world.queue(source).borrow_mut().delete(one.handle));
    }
    world.busy.set(world.busy.get() - 1);
    handled.is_some()
}

/// Checks what was received, and leaves the messages that are handed over.
fn take_in(
    world: &World,
    source: Source,
    received: Vec<Received>,
    mutant: Option<Mutant>,
) -> Vec<Received> {
    let (now, is_punctual) = (world.now(), world.history.is_faultless());
    let delete = |one: &Received| world.queue(source).borrow_mut().delete(one.handle);
    let is_taken = |one: &Received| {
        let objection = one.trace.objection(now, is_punctual);
        match (mutant, objection) {
            (Some(Mutant::WaitsInQueue), Some(_)) => {
                delete(one);
                go_round(world, one);
                return false;
            }
            (_, Some(violation)) => world.violate(violation),
            (Some(Mutant::AcknowledgedFirst), None) => delete(one),
            _ => {}
        }
        true
    };
    received.into_iter().filter(is_taken).collect()
}

/// Sends a message back to its queue that came too early.
fn go_round(world: &World, one: &Received) {
    match one.trace.clone().hop() {
        Ok(trace) => world.send(Source::Retries, one.message.clone(), trace, 15 * TICK),
        Err(violation) => world.violate(violation),
    }
}

/// Releases what is due, if anything is.
async fn tick(world: &World, mutant: Option<Mutant>) {
    let next = world.waits.borrow().next();
    if next.is_none_or(|next| world.now() + AHEAD < next) {
        return;
    }
    let seat = Seat::new(world, &[]);
    let clock = Clock::at(world.now());
    // A tick that fails or crashes is as good as none: the next one finds what it left.
    let _ = seat
        .unless_crashed(release(
            &Mutated {
                seat: &seat,
                mutant,
            },
            &clock,
        ))
        .await;
}
