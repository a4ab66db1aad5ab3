//! Close's deliveries: each form of an entry is delivered once or more, after a while, or never.

use std::rc::Rc;
use std::time::Duration;

use shared::event::ledger_key::LedgerKey;
use shared::event::{Channel, Event};
use shared::instance::settings::Settings;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};
use webhook_fn::webhook::deliver::{Delivered, deliver};
use webhook_fn::webhook::payload;

use super::outlet::ModelOutlet;
use super::story::{Delivery, Trouble};
use crate::instance;
use crate::world::{Publisher, World};

/// How long Close waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// After so long an entry takes up no more updates.
const FINAL: Duration = Duration::from_mins(10);
/// Between two attempts.
const RETRY: Duration = Duration::from_mins(1);
/// As long as Close tries.
const RETRIES: Duration = Duration::from_hours(72);

/// What Close has to deliver.
pub(crate) struct Queue {
    deliveries: Vec<Delivery>,
    count: usize,
    /// By entry, how many of its forms were looked at.
    seen: Vec<usize>,
    /// The entries before this one take up no more updates.
    first: usize,
}

impl Queue {
    pub(crate) fn new(deliveries: &[Delivery]) -> Self {
        Self {
            deliveries: deliveries.to_vec(),
            count: 0,
            seen: Vec::new(),
            first: 0,
        }
    }

    /// Begins the deliveries of what has changed since the last time.
    pub(crate) fn deliver_new(&mut self, world: &Rc<World>) {
        let now = world.now();
        let entries = world.close.borrow().log.len();
        self.seen.resize(entries, 0);
        for entry in self.first..entries {
            let forms = world.close.borrow().log[entry].forms.len();
            let seen = std::mem::replace(&mut self.seen[entry], forms);
            if entry == self.first && world.close.borrow().log[entry].created + FINAL < now {
                self.first += 1;
            }
            for form in seen..forms {
                let plan = self.deliveries[self.count % self.deliveries.len()].clone();
                self.count += 1;
                let webhooks = world.webhooks.borrow();
                let close = world.close.borrow();
                let logged = &close.log[entry];
                let object_type = close.objects[logged.object].of.object_type();
                let is_delivered = webhooks
                    .subscription
                    .as_ref()
                    .is_some_and(|one| one.delivers(&instance::url(), object_type, logged.action));
                note_of_another(world, &logged.forms[form].shown);
                if is_delivered && !plan.is_lost {
                    let body = format!(r#"{{"event":{}}}"#, logged.forms[form].shown.get());
                    let drops = webhooks.drops;
                    spawn_local(go(Rc::clone(world), body, plan, drops));
                }
            }
        }
    }
}

/// Another instance of the same organization, whose webhooks all arrive, keeps the same ledger.
fn note_of_another(world: &World, entry: &serde_json::value::RawValue) {
    let change = shared::event::log_entry::to_change(entry, entry.to_owned().into(), world.now());
    if let Some(entry) = &change.entry {
        let key = LedgerKey::of_entry(instance::other_id(), entry);
        world.ledger.borrow_mut().record([key].into());
    }
}

/// A delivery, with all its attempts. What Close drops meanwhile is not delivered.
async fn go(world: Rc<World>, body: String, plan: Delivery, drops: usize) {
    sleep(plan.delay).await;
    let (began, mut trouble) = (world.now(), plan.trouble);
    let mut left = 1 + usize::from(plan.is_twice);
    while 0 < left && world.now() < began + RETRIES {
        if world.webhooks.borrow().drops != drops {
            return;
        }
        if attempt(&world, &body, trouble.take()).await {
            left -= 1;
        }
        sleep(RETRY).await;
    }
}

/// Makes a webhook, and says whether webhook-fn has answered 200.
async fn attempt(world: &Rc<World>, body: &str, trouble: Option<Trouble>) -> bool {
    let (number, began) = (world.next_poll(), world.now());
    let outlet = ModelOutlet {
        world: Rc::clone(world),
        number,
        trouble,
    };
    let events = events(world, body);
    let entries: Vec<_> = events
        .iter()
        .filter_map(|it| it.ledger_keys().nth(1))
        .collect();
    let delivered = timeout(TIMEOUT, deliver(&outlet, events)).await;
    world.publishers.borrow_mut().push(Publisher {
        number,
        began,
        ended: world.now(),
        is_troubled: trouble.is_some(),
        is_webhook: true,
    });
    let is_taken = match delivered {
        Ok(Delivered::Before) => true,
        Ok(Delivered::Now(_, publication)) => publication.error().is_none(),
        Err(_elapsed) => false,
    };
    if is_taken && trouble.is_none() {
        let (mut arrived, now) = (world.arrived.borrow_mut(), world.now());
        for entry in entries {
            arrived.entry(entry).or_insert(now);
        }
    }
    is_taken
}

fn events(world: &World, body: &str) -> Vec<Event> {
    let instance = world.store.borrow().instance();
    let Ok(settings) = Settings::stored(&instance.configuration) else {
        world.violate("the stored configuration cannot be read".to_owned());
        return Vec::new();
    };
    let changes = payload::to_changes(body.as_bytes(), world.now()).unwrap_or_default();
    let to_event = |change| Event::new(&instance, &settings, Channel::Webhook, change);
    changes.into_iter().map(to_event).collect()
}
