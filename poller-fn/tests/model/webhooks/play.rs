//! Playing a story, and judging what came of it.

use std::rc::Rc;
use std::time::Duration;

use shared::instance::Instance;
use shared::instance::settings::Settings;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::delivery::Queue;
use super::judge;
use super::story::{Story, StoryAct};
use crate::history::{Poll, Setup};
use crate::instance;
use crate::mutant::Mutant;
use crate::oracle::Done;
use crate::play::{CALM, alone, ended, invoke};
use crate::store::Store;
use crate::world::World;

/// After so long Close tries no delivery any more.
const AFTER_ALL_RETRIES: Duration = Duration::from_hours(150);

/// Plays a story to its end, and says what is wrong then.
pub(crate) fn play(story: &Story, mutant: Option<Mutant>) -> Result<(), String> {
    fastrand::seed(story.quirks.salt);
    alone(tell(story, mutant))
}

async fn tell(story: &Story, mutant: Option<Mutant>) -> Result<(), String> {
    let world = Rc::new(World::new(&Setup {
        resources: Vec::new(),
        start: None,
        quirks: story.quirks.clone(),
        slowness: None,
    }));
    let settle = if mutant == Some(Mutant::NoSettle) {
        0
    } else {
        600
    };
    subscribe(&world, 10, settle)?;
    let mut queue = Queue::new(&story.deliveries);
    let mut polls: Vec<JoinHandle<Done>> = Vec::new();
    for step in &story.steps {
        sleep(step.pause).await;
        match &step.act {
            StoryAct::Change(act) => world.apply(act),
            StoryAct::Poll(plan) => {
                let count = 1 + usize::from(plan.is_twin);
                polls.extend((0..count).map(|_| invoke(&world, plan, mutant)));
            }
            StoryAct::Pause => world
                .webhooks
                .borrow_mut()
                .change(|found| found.is_active = false),
            StoryAct::Remove => {
                let mut webhooks = world.webhooks.borrow_mut();
                webhooks.change(|_| ());
                webhooks.subscription = None;
            }
            StoryAct::Move => world
                .webhooks
                .borrow_mut()
                .change(|found| "https://example.com/other".clone_into(&mut found.url)),
            StoryAct::Narrow => world
                .webhooks
                .borrow_mut()
                .change(|found| found.narrow(|event| event.object_type == "lead")),
        }
        queue.deliver_new(&world);
    }
    for poll in polls {
        ended(poll).await?;
    }
    // What polls made happen.
    queue.deliver_new(&world);
    for _ in 0..2 {
        sleep(CALM).await;
        quiet(&world, mutant).await?;
    }
    judge::check_whole(&world)?;
    judge::check_subscription(&world)?;
    sleep(AFTER_ALL_RETRIES).await;
    let published = world.bus.borrow().changes.len();
    quiet(&world, mutant).await?;
    if published != world.bus.borrow().changes.len() {
        return Err("a reconciliation after everything published something".to_owned());
    }
    judge::check_once(&world, story.is_steady())
}

/// Reconciles without trouble.
pub(super) async fn quiet(world: &Rc<World>, mutant: Option<Mutant>) -> Result<(), String> {
    let poll = Poll::quiet(Duration::from_millis(1));
    let done = ended(invoke(world, &poll, mutant)).await?;
    match done.failed().first() {
        Some(failed) => Err(format!("an undisturbed reconciliation failed: {failed}")),
        None => Ok(()),
    }
}

/// Makes the instance, with its subscription.
pub(super) fn subscribe(world: &World, interval: u64, settle: u64) -> Result<(), String> {
    let configuration = instance::subscribing(interval, settle);
    let settings = Settings::stored(&configuration).map_err(|errors| format!("{errors:?}"))?;
    let events = settings.subscription.unwrap_or_default();
    let made = world
        .webhooks
        .borrow_mut()
        .create(&instance::url(), &events);
    let made = made.map_err(|error| error.to_string())?;
    let instance = Instance {
        subscription_id: made["id"].as_str().map(str::to_owned),
        webhook_url: Some(instance::url()),
        ..Instance::new(instance::id(), "Test", configuration, world.now())
    };
    world.store.replace(Store::new(instance));
    Ok(())
}
