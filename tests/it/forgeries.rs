//! What is not signed by Close becomes no event, whatever it looks like.

use std::collections::BTreeSet;

use fastrand::Rng;
use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use shared::instance::Instance;
use shared::instance::policy::Policy;
use shared::instance::settings::Settings;
use webhook_fn::instance_cache::Known;
use webhook_fn::webhook::receive::admit;

use crate::owner::{Owner, delivery, stored_configuration};
use crate::world::{API_KEY, SIGNATURE_KEY, World, sign, texts};

const SEED: u64 = 20_931;
/// Another instance's.
const OTHER_KEY: &str = "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100";
const HASH: &str = "close-sig-hash";
const TIMESTAMP: &str = "close-sig-timestamp";

/// A request to the webhook URL.
#[derive(Debug, Clone, PartialEq)]
struct Delivery {
    hash: Option<String>,
    timestamp: Option<String>,
    body: Vec<u8>,
}

impl Delivery {
    fn signed(key: &str, rng: &mut Rng, number: usize) -> Self {
        let timestamp = rng.u32(1_500_000_000..1_900_000_000).to_string();
        let body = delivery(number).into_bytes();
        Self {
            hash: Some(sign(key, &timestamp, &body)),
            timestamp: Some(timestamp),
            body,
        }
    }

    fn headers(&self) -> HeaderMap {
        let both = [(HASH, &self.hash), (TIMESTAMP, &self.timestamp)];
        let given = both.into_iter().filter_map(|(name, value)| {
            let value = HeaderValue::from_str(value.as_deref()?).ok()?;
            Some((HeaderName::from_static(name), value))
        });
        given.collect()
    }
}

/// A way to forge what Close signed.
type Forge = fn(&mut Delivery, &mut Rng);

/// How it is forged, what it is refused with, and how that is done.
const FORGERIES: [(&str, u16, Forge); 12] = [
    ("a bit of the body", 401, |forged, rng| {
        let place = rng.usize(..forged.body.len());
        forged.body[place] ^= 1 << rng.u8(..8);
    }),
    ("a bit of the hash", 401, |forged, rng| {
        let mut hash = hex::decode(forged.hash.as_ref().unwrap()).unwrap();
        let place = rng.usize(..hash.len());
        hash[place] ^= 1 << rng.u8(..8);
        forged.hash = Some(hex::encode(hash));
    }),
    ("a digit of the timestamp", 401, |forged, rng| {
        let mut digits = forged.timestamp.clone().unwrap().into_bytes();
        let place = rng.usize(..digits.len());
        digits[place] = b'0' + (digits[place] - b'0' + rng.u8(1..10)) % 10;
        forged.timestamp = Some(String::from_utf8(digits).unwrap());
    }),
    ("the id", 401, |forged, rng| {
        let old = String::from_utf8(forged.body.clone()).unwrap();
        let id = format!("lead_{}", rng.u64(1 << 40..));
        let value: Value = serde_json::from_str(&old).unwrap();
        let own = value["event"]["object_id"].as_str().unwrap();
        forged.body = old.replace(own, &id).into_bytes();
    }),
    ("written anew", 401, |forged, _| {
        let value: Value = serde_json::from_slice(&forged.body).unwrap();
        forged.body = serde_json::to_vec_pretty(&value).unwrap();
    }),
    ("more behind it", 401, |forged, rng| {
        let more = *rng.choice(b" \n\t0}".as_slice()).unwrap();
        forged.body.push(more);
    }),
    ("another instance's key", 401, |forged, _| {
        let timestamp = forged.timestamp.as_ref().unwrap();
        forged.hash = Some(sign(OTHER_KEY, timestamp, &forged.body));
    }),
    ("a key of its own", 401, |forged, rng| {
        let key: String = (0..64).map(|_| rng.digit(16)).collect();
        let timestamp = forged.timestamp.as_ref().unwrap();
        forged.hash = Some(sign(&key, timestamp, &forged.body));
    }),
    ("a shortened hash", 401, |forged, rng| {
        let length = rng.usize(..64);
        forged.hash.as_mut().unwrap().truncate(length);
    }),
    ("a lengthened hash", 401, |forged, rng| {
        let hash = forged.hash.as_mut().unwrap();
        hash.push(rng.digit(16));
        hash.push(rng.digit(16));
    }),
    ("without a header", 401, |forged, rng| {
        let both = rng.u8(..3);
        if both != 0 {
            forged.hash = None;
        }
        if both != 1 {
            forged.timestamp = None;
        }
    }),
    // Nothing divides the two that are signed, so the signature fits; what follows the digits is no JSON any more.
    (
        "the border between time and body moved",
        400,
        |forged, _| {
            let mut timestamp = forged.timestamp.clone().unwrap();
            let last = timestamp.pop().unwrap();
            let mut body = vec![u8::try_from(last).unwrap()];
            body.append(&mut forged.body);
            (forged.timestamp, forged.body) = (Some(timestamp), body);
        },
    ),
];

/// A forgery of a genuine delivery, how it was made, and what it must be refused with.
fn forge(genuine: &Delivery, rng: &mut Rng) -> (&'static str, u16, Delivery) {
    let (how, status, change) = FORGERIES[rng.usize(..FORGERIES.len())];
    let mut forged = genuine.clone();
    change(&mut forged, rng);
    assert_ne!(forged, *genuine, "{how}");
    (how, status, forged)
}

fn known() -> Known {
    let configuration = json!({"username": API_KEY, "event.webhook.signature.key": SIGNATURE_KEY});
    let configuration = stored_configuration(configuration);
    let settings = Settings::parse(&configuration, &Policy::default()).unwrap();
    let id = 20_931_u64.try_into().unwrap();
    let instance = Instance::new(id, "Test", configuration, Timestamp::UNIX_EPOCH);
    Known { instance, settings }
}

#[test]
fn of_a_hundred_thousand_forgeries_none_is_admitted() {
    let (known, mut rng) = (known(), Rng::with_seed(SEED));
    let admitted = |delivery: &Delivery| {
        let now = Timestamp::UNIX_EPOCH;
        admit(&known, &delivery.headers(), &delivery.body, now)
    };
    let mut ways = BTreeSet::new();
    for number in 0..10_000 {
        let genuine = Delivery::signed(SIGNATURE_KEY, &mut rng, number);
        for _ in 0..10 {
            let (how, status, forged) = forge(&genuine, &mut rng);
            ways.insert(how);
            let refusal = admitted(&forged).unwrap_err();
            assert_eq!(refusal.status(), status, "{how}: {refusal:?}");
        }
        let events = admitted(&genuine).unwrap();
        assert_eq!(events.len(), 1);
    }
    assert_eq!(ways.len(), FORGERIES.len());
}

#[tokio::test]
async fn forgeries_publish_nothing_and_the_genuine_ones_between_them_all() {
    let world = World::start().await;
    world.keep_secret(OTHER_KEY);
    let configuration =
        |key| json!({"event.vendor.type": "webhook", "event.webhook.signature.key": key});
    let owner = Owner::of(&world, configuration(SIGNATURE_KEY)).await;
    Owner::of(&world, configuration(OTHER_KEY)).await;
    let mut rng = Rng::with_seed(SEED);
    for number in 0..30 {
        let genuine = Delivery::signed(SIGNATURE_KEY, &mut rng, number);
        for _ in 0..10 {
            let (how, status, forged) = forge(&genuine, &mut rng);
            assert_eq!(send(&owner, &forged).await, status, "{how}: {forged:?}");
        }
        assert_eq!(send(&owner, &genuine).await, 200);
    }

    let expected: Vec<_> = (0..30).map(|number| format!("lead_{number}")).collect();
    assert_eq!(texts(&world.details(), "objectId"), expected);
    world.finish().await;
}

async fn send(owner: &Owner<'_>, delivery: &Delivery) -> u16 {
    let both = [(HASH, &delivery.hash), (TIMESTAMP, &delivery.timestamp)];
    let headers: Vec<_> = both
        .iter()
        .filter_map(|(name, value)| Some((*name, value.as_deref()?)))
        .collect();
    let body = delivery.body.clone();
    let answer = owner.world.deliver(&owner.url, &headers, body).await;
    answer.status.as_u16()
}
