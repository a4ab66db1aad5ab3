//! Events of all kinds, published by the functions.

use jiff::Timestamp;
use local_stack::close::data::change::Change;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::polling::health;
use crate::stream::{pause, reconciled};
use crate::webhook;
use crate::world::{API_KEY, PATIENCE, World, ago, query};

/// The instance that the documentation's patterns name.
const INSTANCE: u64 = 2_093_108_814_720_431;

/// What happened, and the world that it happened in.
pub(super) struct Scene {
    pub(super) world: World,
    pub(super) events: Vec<Seen>,
}

/// An event as it is delivered.
pub(super) struct Seen {
    /// What it is, in words that the patterns are about.
    pub(super) name: String,
    pub(super) json: String,
}

impl Scene {
    pub(super) async fn play() -> Self {
        let world = World::start_with(|builder| {
            builder
                .parameter("EventMaxBytes", "16384")
                .parameter("ReplayToCallbacks", "true")
                // What polls is polled here.
                .without_rule("PollRequestedRule")
        })
        .await;
        // What goes to callback URLs stays in its queue.
        world.stack.disable_mappings();
        webhooks(&world).await;
        replay(&world).await;
        polls(&world).await;
        notices(&world).await;
        let events = world.stack.bus().events().snapshot();
        let events = events.iter().map(|event| event.to_json().unwrap());
        let queue = world.stack.queue("CallbackQueue").unwrap();
        let queued = queue.messages().snapshot();
        let replayed = queued.iter().map(|message| message.body.clone());
        let replayed = replayed.filter(|body| body.contains("replay-name"));
        let events = events.chain(replayed).map(Seen::new).collect();
        Self { world, events }
    }
}

impl Seen {
    fn new(json: String) -> Self {
        let event: Value = serde_json::from_str(&json).unwrap();
        let (source, detail) = (&event["source"], &event["detail"]);
        let mut words = vec![event["detail-type"].as_str().unwrap().to_owned()];
        if source == "closeio" {
            let word = |key: &str| detail[key].as_str().unwrap().to_owned();
            words.insert(0, word("channel"));
            if word("action") != word("eventType").to_lowercase() {
                words.push(word("action"));
            }
        } else {
            let source = source.as_str().unwrap().trim_start_matches("closeio.");
            words.insert(0, source.to_owned());
        }
        let logged = source == "closeio" && detail["raw"].get("changed_fields").is_some();
        words.extend(logged.then(|| "logged".to_owned()));
        let qualified = detail["raw"].to_string().contains(r#""Qualified""#);
        words.extend(qualified.then(|| "Qualified".to_owned()));
        let tag = detail["instanceTags"][0].as_str();
        words.extend(tag.filter(|tag| *tag == "Sales").map(str::to_owned));
        for key in ["rawOmitted", "rawText", "dataHidden"] {
            words.extend(detail.get(key).map(|_| key.to_owned()));
        }
        words.extend(event["replay-name"].as_str().map(str::to_owned));
        Self {
            name: words.join(" "),
            json,
        }
    }
}

/// Every body that Close is known to send, and those that take another form.
async fn webhooks(world: &World) {
    let url = world.known_instance(INSTANCE, None).await;
    let samples = webhook::sample_names();
    let samples = samples.iter().map(|name| webhook::sample(name));
    let large = json!({"name": "x".repeat(20_000)}).to_string();
    let others = [
        entry("gadget", "invented", "{}"),
        r#"{"event": {"object_id": "lead_1", "action": "updated"}}"#.to_owned(),
        entry("lead", "updated", &large),
        entry("lead", "updated", r#"{"status_label": "Qualified"}"#),
        entry("lead", "created", r#"{"number": 9223372036854775808}"#),
        entry("contact", "created", "null"),
    ];
    for body in samples.chain(others) {
        let answer = world.deliver(&url, &[], body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }
}

/// A webhook's body of today, with the object as it is written.
fn entry(object_type: &str, action: &str, data: &str) -> String {
    // No two of a type are about one object.
    let length = data.len();
    format!(
        r#"{{"event": {{"id": "ev_1", "object_type": "{object_type}", "object_id": "{object_type}_{length}", "action": "{action}", "date_updated": "2026-06-19T12:04:01.705000", "changed_fields": [], "data": {data}}}, "subscription_id": "whsub_1"}}"#
    )
}

/// An event of an instance that has a tag and a callback URL, and the replay of it.
async fn replay(world: &World) {
    let body = json!({
        "element": {"key": "closeio"}, "name": "Acme", "tags": ["Sales"],
        "configuration": {
            "username": API_KEY,
            "event.notification.enabled": "true",
            "event.notification.callback.url": "https://example.com/events",
            "event.vendor.type": "webhook",
        },
    });
    let answer = world.call("POST", "/instances", None, body.to_string());
    let answer = answer.await.body;
    let url = answer["webhookUrl"].as_str().unwrap();
    let changed = entry("contact", "updated", r#"{"name": "Ann"}"#);
    world.deliver(url, &[], changed).await;

    let ever = Timestamp::UNIX_EPOCH..Timestamp::MAX;
    let count = world.stack.bus().replay("outage-2026-06-19", ever);
    assert_eq!(count, world.events().len());
    let queued = world.stack.queue("CallbackQueue").unwrap().messages();
    let queued = queued.wait_for_count(2, PATIENCE).await.unwrap();
    let event = |body: &str| serde_json::from_str::<Value>(body).unwrap();
    let [first, again] = [event(&queued[0].body), event(&queued[1].body)];
    assert_eq!(again["detail"], first["detail"]);
    assert_eq!(again["replay-name"], "outage-2026-06-19");
}

/// What is read as it is now, and in the event log, by an administrator's key and by another.
async fn polls(world: &World) {
    let (organization, at) = (&world.organization, |seconds| Change::at(ago(seconds)));
    let lead = json!({"name": "Hooli", "contacts": [{"name": "Ann"}]});
    let lead = organization.create_lead(lead, at(9_000)).unwrap();
    let qualified = json!({"status_id": "stat_B5rGAKZyrJTz1Wsi1Fstmg6r3Hnw9OfYUsA6KTtzynM", "description": "Large"});
    let _ = organization.edit_lead(&lead, qualified, at(300)).unwrap();
    let other = json!({"name": "Aviato"});
    organization.create_lead(other, at(200)).unwrap();
    let now = world.polling(&["leads", "contacts"]).await;
    world.poll(now).await;
    let events = json!({"events": {"url": query("events")}});
    let log = world.polling_since(&ago(1_000).to_string(), events).await;
    world.poll(log).await;

    let hidden = world.polling_hidden(ago(10_000)).await;
    world.poll(hidden).await;
}

/// What the poller has to say: to itself, of a gap, of a subscription, of an instance that is refused.
async fn notices(world: &World) {
    let two_months = ago(60 * 86_400).to_string();
    let events = json!({"events": {"url": query("events")}});
    let gap = world.polling_since(&two_months, events).await;
    let tagged = json!({"tags": ["Sales"]}).to_string();
    let path = format!("/instances/{gap}");
    let answer = world.call("PATCH", &path, None, tagged).await;
    assert_eq!(answer.status, StatusCode::OK);
    world.poll(gap).await;
    let refused = world.polling(&["leads"]).await;
    health::refuse(world, refused, 99).await;
    world.stack.tick("PollerFunction").await.unwrap();
    paused(world).await;
    world.organization.revoke_key(API_KEY);
    world.poll(refused).await;
}

/// A subscription that Close pauses.
async fn paused(world: &World) {
    let owner = reconciled(world, json!({"event.objects": "group"})).await;
    pause(&owner).await;
    world.poll(owner.id).await;
}
