//! Which webhooks are taken for Close's.

use std::time::Instant;

use reqwest::StatusCode;
use serde_json::Value;

use super::{INSTANCE, entry, sample};
use crate::world::{Answer, SIGNATURE_KEY, World, sign, texts};

const TIMESTAMP: &str = "1781870641";
const OTHER_KEY: &str = "0f9260244ef33625f9b4b26a27db08758cdd39478b852c73f2d33ab042eb8abb";

/// Delivers a body with a signature.
async fn deliver(world: &World, url: &str, timestamp: &str, hash: &str, body: &str) -> Answer {
    let headers = [("close-sig-timestamp", timestamp), ("close-sig-hash", hash)];
    world.deliver(url, &headers, body.to_owned()).await
}

#[tokio::test]
async fn the_published_vector_is_accepted_and_its_wrong_hash_is_not() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, Some(SIGNATURE_KEY)).await;
    let vector: Value = serde_json::from_str(&sample("webhook-signature-vector")).unwrap();
    let text = |key: &str| vector[key].as_str().unwrap();
    let timestamp = text("close-sig-timestamp");

    // The vector's event does not say which object changed, so it is an unknown one.
    let hash = text("close-sig-hash");
    let right = deliver(&world, &url, timestamp, hash, text("raw_body")).await;
    assert_eq!(right.status, StatusCode::OK);
    assert_eq!(texts(&world.details(), "eventType"), ["UNKNOWN"]);

    let hash = text("wrong_hash_if_key_used_as_utf8_text");
    let wrong = deliver(&world, &url, timestamp, hash, text("raw_body")).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    insta::assert_snapshot!(wrong.body["message"].as_str().unwrap(), @"the signature does not match: check that the instance has the signature_key of this subscription");
    world.finish().await;
}

#[tokio::test]
async fn only_what_the_instances_own_key_signed_is_published() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, Some(SIGNATURE_KEY)).await;
    let other_url = world.known_instance(20932, Some(OTHER_KEY)).await;
    let body = sample("webhook-delivery-lead-created");
    let hash = sign(SIGNATURE_KEY, TIMESTAMP, body.as_bytes());
    let of_other_key = sign(OTHER_KEY, TIMESTAMP, body.as_bytes());
    let tampered = body.replacen("Acme Corp", "Acme Korp", 1);

    for (reason, url, timestamp, hash, body) in [
        ("a byte", &url, TIMESTAMP, &hash, &tampered),
        ("time", &url, "1781870642", &hash, &body),
        ("key", &url, TIMESTAMP, &of_other_key, &body),
        ("instance", &other_url, TIMESTAMP, &hash, &body),
    ] {
        let answer = deliver(&world, url, timestamp, hash, body).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "another {reason}");
    }
    for headers in [
        &[][..],
        &[("close-sig-hash", hash.as_str())],
        &[("close-sig-timestamp", TIMESTAMP)],
    ] {
        let answer = world.deliver(&url, headers, body.clone()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{headers:?}");
    }
    assert_eq!(world.stack.bus().calls().snapshot().len(), 0);

    let answer = deliver(&world, &url, TIMESTAMP, &hash, &body).await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer = deliver(&world, &other_url, TIMESTAMP, &of_other_key, &body).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(world.events().len(), 2);
    world.finish().await;
}

/// How often an instance was read since the world last forgot its calls.
fn reads(world: &World) -> usize {
    let calls = world.stack.store().calls().snapshot();
    let reads = calls.iter().filter(|call| call.operation == "GetItem");
    reads.count()
}

#[tokio::test]
async fn wrong_signatures_read_the_instance_at_most_every_5_seconds() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, Some(SIGNATURE_KEY)).await;
    let wrong = sign(OTHER_KEY, TIMESTAMP, b"{}");
    deliver(&world, &url, TIMESTAMP, &wrong, "{}").await;
    world.forget_calls();

    let begin = Instant::now();
    for _ in 0..20 {
        let answer = deliver(&world, &url, TIMESTAMP, &wrong, "{}").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let seconds = begin.elapsed().as_secs();
    let reads = u64::try_from(reads(&world)).unwrap();
    assert!(reads <= seconds.div_ceil(5), "{reads} reads in {seconds} s");
    world.finish().await;
}

#[tokio::test]
async fn a_hash_that_is_not_32_bytes_of_hex_is_refused_before_the_instance_is_read() {
    let world = World::start().await;
    let signed = world.known_instance(INSTANCE, Some(SIGNATURE_KEY)).await;
    let unsigned = world.known_instance(20932, None).await;
    let unknown = world.webhook_url("MTI=");
    let hash = sign(SIGNATURE_KEY, TIMESTAMP, b"{}");
    world.forget_calls();
    for url in [&signed, &unsigned, &unknown] {
        for hash in ["", "sha256", &hash[1..], &hash[2..], &format!("{hash}00")] {
            let answer = deliver(&world, url, TIMESTAMP, hash, "{}").await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{hash}");
            let message = "expected close-sig-hash to be the hex of an HMAC-SHA256";
            assert_eq!(answer.body["message"], message);
        }
    }
    assert_eq!(reads(&world), 0);
    world.finish().await;
}

#[tokio::test]
async fn the_unsigned_format_of_2014_is_refused_by_an_instance_with_a_key() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, Some(SIGNATURE_KEY)).await;
    let body = sample("legacy-webhook-create");

    let answer = world.deliver(&url, &[], body).await;

    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    insta::assert_snapshot!(answer.body["message"].as_str().unwrap(), @"expected the headers close-sig-hash and close-sig-timestamp: this instance takes signed webhooks only");
    assert_eq!(world.events().len(), 0);
    world.finish().await;
}

#[tokio::test]
async fn a_body_that_the_gateway_passes_on_as_base64_is_signed_just_the_same() {
    let world = World::start().await;
    let url = world.known_instance(INSTANCE, Some(SIGNATURE_KEY)).await;
    let body = entry("lead_é").replace("whsub_1", "whsub_\u{1f600}");
    let hash = sign(SIGNATURE_KEY, TIMESTAMP, body.as_bytes());
    let headers = [
        ("content-type", "application/octet-stream"),
        ("close-sig-timestamp", TIMESTAMP),
        ("close-sig-hash", hash.as_str()),
    ];

    let answer = world.deliver(&url, &headers, body.clone()).await;

    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let events = world.events();
    let raw = format!(r#","raw":{body}}}"#);
    assert!(events[0].detail.get().ends_with(&raw), "{events:?}");
    world.finish().await;
}
