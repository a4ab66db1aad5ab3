//! Ten days of an instance to which nothing happens but changes, and webhooks that Close loses.

use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::sleep;

use super::delivery::Queue;
use super::judge;
use super::play::{quiet, subscribe};
use super::story::Delivery;
use crate::history::{Act, Edit, Make, Of, Quirks, Setup, Stamp};
use crate::play::{CALM, alone};
use crate::world::World;

const CHANGES: u16 = 10_000;
/// Between two of them: ten days, divided.
const PERIOD: Duration = Duration::from_millis(86_400);
const INTERVAL_MINUTES: u64 = 30;
const SETTLE_SECONDS: u64 = 600;
/// What a reconciliation takes, and by how much the next change comes late that it is started with.
const LEEWAY: SignedDuration = SignedDuration::from_mins(3);

/// Plays ten days in which Close loses one delivery of `lost_of`, if any, and says what is wrong then.
pub(crate) fn play(lost_of: Option<usize>) -> Result<(), String> {
    alone(tell(lost_of))
}

async fn tell(lost_of: Option<usize>) -> Result<(), String> {
    let world = Rc::new(World::new(&Setup {
        resources: Vec::new(),
        start: None,
        quirks: quirks(),
        slowness: None,
    }));
    subscribe(&world, INTERVAL_MINUTES, SETTLE_SECONDS)?;
    let prompt = |is_lost| Delivery {
        delay: Duration::from_millis(300),
        is_lost,
        is_twice: false,
        trouble: None,
    };
    let count = lost_of.unwrap_or(1);
    let deliveries: Vec<_> = (0..count)
        .map(|place| prompt(lost_of.is_some() && place == 0))
        .collect();
    let mut queue = Queue::new(&deliveries);
    for number in 0..CHANGES {
        sleep(PERIOD).await;
        world.apply(&change(number));
        queue.deliver_new(&world);
        let next = world
            .store
            .borrow()
            .instance()
            .stream
            .next_reconciliation_at;
        if next.is_none_or(|next| next <= world.now()) {
            quiet(&world, None).await?;
        }
    }
    for _ in 0..2 {
        sleep(CALM).await;
        quiet(&world, None).await?;
    }
    judge::check_whole(&world)?;
    judge::check_subscription(&world)?;
    judge::check_once(&world, true)?;
    check_counts(&world, lost_of)
}

/// Each change is on the bus once: by its webhook, or, where that was lost, by the next reconciliation.
fn check_counts(world: &World, lost_of: Option<usize>) -> Result<(), String> {
    let bus = world.bus.borrow();
    let publishers = world.publishers.borrow();
    let polls: HashSet<_> = publishers
        .iter()
        .filter(|it| !it.is_webhook)
        .map(|it| it.number)
        .collect();
    let reconciled: Vec<_> = bus
        .changes
        .iter()
        .filter(|change| polls.contains(&change.poll))
        .collect();
    let all = usize::from(CHANGES);
    let lost = lost_of.map_or(0, |of| all.div_ceil(of));
    if (bus.changes.len(), reconciled.len()) != (all, lost) {
        let counts = (bus.changes.len(), reconciled.len());
        return Err(format!(
            "{counts:?} events, and {lost} were to be reconciled"
        ));
    }
    let minutes = i64::try_from(INTERVAL_MINUTES).unwrap_or(i64::MAX);
    let seconds = i64::try_from(SETTLE_SECONDS).unwrap_or(i64::MAX);
    let limit = SignedDuration::from_mins(minutes) + SignedDuration::from_secs(seconds) + LEEWAY;
    let late = reconciled
        .iter()
        .find(|change| change.key.date + limit < change.time);
    match late {
        Some(late) => Err(format!("at {}: {}", late.time, late.raw)),
        None => Ok(()),
    }
}

/// Leads come into being, and change.
fn change(number: u16) -> Act {
    let stamp = Stamp {
        lag: Duration::from_secs(1),
        ahead: Duration::ZERO,
        rank: 1,
    };
    if number.is_multiple_of(10) {
        return Act::Make(Make {
            of: Of::Leads,
            count: 1,
            again: 1,
            age: Duration::ZERO,
            spread: Duration::ZERO,
            stamp,
        });
    }
    Act::Edit(Edit {
        of: Of::Leads,
        first: u8::try_from(number % 250).unwrap_or_default(),
        count: 1,
        again: 1,
        is_consolidated: false,
        stamp,
    })
}

fn quirks() -> Quirks {
    Quirks {
        salt: 1,
        is_search_fickle: false,
        is_search_frozen: false,
        is_search_behind: false,
        is_newest_task_first: false,
        log_page: 50,
        is_log_closed: false,
        is_log_counted: false,
        is_hiding: false,
        is_repeating: false,
        custom_fields: 0,
        custom_batch: 1,
        is_custom_flat: false,
        is_lookup_refused: false,
        broken: None,
    }
}
