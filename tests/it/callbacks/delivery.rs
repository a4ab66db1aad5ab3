//! What arrives, and how its receiver knows whose it is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use local_stack::close::data::change::Change;
use local_stack::control::fault::Calls;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use standardwebhooks::Webhook;

use super::{Called, FIRST, Stage, lead_updated};
use crate::cost::{counted, documented};
use crate::world::{PATIENCE, query};

const KEY: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

#[tokio::test]
async fn a_webhook_becomes_a_signed_notification_with_the_body_as_it_came() {
    let stage = Stage::start().await;
    stage.world.keep_secret(KEY);
    let configuration = json!({"event.notification.signature.key": KEY});
    let called = stage.instance("/hook", configuration).await;
    let id = stage.publish(&called, "1").await;

    let request = stage.receiver.wait_for("/hook", 1).await.remove(0);
    let header = |name: &str| request.headers[name].to_str().unwrap();
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("elements-webhook-id"), id);
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(&request.body);
    let signature = format!("sha256={}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(header("elements-webhook-signature"), signature);
    let webhook = Webhook::new(KEY).unwrap();
    webhook.verify(&request.body, &request.headers).unwrap();

    let text = str::from_utf8(&request.body).unwrap();
    let raw = format!(r#""raw":{},"userId""#, lead_updated("1"));
    assert!(text.contains(&raw), "{text}");
    let notification = request.json();
    assert_eq!(notification["action"], "update");
    let topic = format!("instance-{}-closeio-events", called.id);
    assert_eq!(notification["topic"], topic);
    assert_eq!(notification["message"]["eventId"], id);
    let event = json!({
        "date": "2026-06-19T12:04:01Z", "elementKey": "closeio", "eventType": "UPDATED", "hubKey": "crm",
        "objectId": "lead_1", "objectType": "accounts",
    });
    assert_eq!(notification["message"]["events"], json!([event]));

    stage.drained(FIRST).await;
    let callback = &stage.shown(&called).await["callback"];
    assert!(callback["lastSuccess"].is_string(), "{callback}");
    let expected = json!({
        "lastSuccess": callback["lastSuccess"], "lastFailure": null, "reason": null, "pending": 0, "gone": false,
    });
    assert_eq!(*callback, expected);
    stage.finish().await;
}

#[tokio::test]
async fn a_polled_record_stands_under_the_name_of_its_resource() {
    let stage = Stage::start().await;
    let configuration = json!({
        "event.vendor.type": "polling",
        "event.poller.start": "2026-01-01T00:00:00Z",
        "event.poller.configuration": {"contacts": {"url": query("contacts")}},
    });
    let called = stage.instance("/hook", configuration).await;
    let lead = json!({"contacts": [{"name": "Zoë"}]});
    let organization = &stage.world.organization;
    organization.create_lead(lead, Change::now()).unwrap();
    // What is dated in the present second is read by a later poll.
    let published = async {
        while stage.world.details().is_empty() {
            stage.world.poll(called.id).await;
        }
    };
    tokio::time::timeout(PATIENCE, published).await.unwrap();

    let request = stage.receiver.wait_for("/hook", 1).await.remove(0);
    let detail = &stage.world.details()[0];
    let message = &request.json()["message"];
    assert_eq!(message["raw"]["objectType"], "contacts");
    assert_eq!(message["raw"]["contacts"], json!([detail["raw"]]));
    assert!(message["raw"]["pollDate"].is_u64());
    let event = &message["events"][0];
    assert_eq!(event["eventType"], detail["eventType"]);
    assert_eq!(event["objectType"], "contacts");
    assert_eq!(event["objectId"], detail["objectId"]);
    stage.finish().await;
}

#[tokio::test]
async fn an_instance_without_a_key_signs_with_the_hash_of_its_token() {
    let stage = Stage::start().await;
    let called = stage.instance("/hook", json!({})).await;
    stage.publish(&called, "1").await;

    let request = stage.receiver.wait_for("/hook", 1).await.remove(0);
    let key = STANDARD.encode(Sha256::digest(&called.token));
    let webhook = Webhook::new(&format!("whsec_{key}")).unwrap();
    webhook.verify(&request.body, &request.headers).unwrap();
    assert!(!request.headers.contains_key("elements-webhook-signature"));
    stage.finish().await;
}

/// Whether the notification of a change of this lead is signed with each of these keys.
async fn signed_with(stage: &Stage, called: &Called, lead: usize, keys: &[&str]) -> Vec<bool> {
    stage.publish(called, &lead.to_string()).await;
    let requests = stage.receiver.wait_for("/hook", lead).await;
    let request = &requests[lead - 1];
    let is_good = |key: &&str| {
        let webhook = Webhook::new(key).unwrap();
        webhook.verify(&request.body, &request.headers).is_ok()
    };
    keys.iter().map(is_good).collect()
}

#[tokio::test]
async fn while_a_signature_key_is_replaced_the_old_and_the_new_one_sign() {
    let stage = Stage::start().await;
    let newer = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    stage.world.keep_secret(KEY);
    stage.world.keep_secret(newer);
    let called = stage.instance("/hook", json!({})).await;
    let of_token = format!("whsec_{}", STANDARD.encode(Sha256::digest(&called.token)));
    let keys = [of_token.as_str(), KEY, newer];
    let path = format!("/instances/{}", called.id);
    let change = async |key: Value| {
        let body = json!({"configuration": {"event.notification.signature.key": key}});
        let answer = stage
            .world
            .call("PATCH", &path, None, body.to_string())
            .await;
        assert_eq!(answer.status, StatusCode::OK);
    };

    assert_eq!(
        signed_with(&stage, &called, 1, &keys).await,
        [true, false, false]
    );
    change(json!(KEY)).await;
    assert_eq!(
        signed_with(&stage, &called, 2, &keys).await,
        [true, true, false]
    );
    change(json!(newer)).await;
    assert_eq!(
        signed_with(&stage, &called, 3, &keys).await,
        [true, true, true]
    );
    change(Value::Null).await;

    let token_path = format!("{path}/token");
    let answer = stage.world.call("POST", &token_path, None, "").await;
    let token = answer.body["token"].as_str().unwrap();
    stage.world.keep_secret(token);
    let of_new_token = format!("whsec_{}", STANDARD.encode(Sha256::digest(token)));
    let keys = [of_token.as_str(), newer, &of_new_token];
    assert_eq!(
        signed_with(&stage, &called, 4, &keys).await,
        [true, true, true]
    );
    stage.finish().await;
}

#[tokio::test]
async fn the_owners_headers_and_basic_authentication_go_along() {
    let stage = Stage::start().await;
    stage.world.keep_secret("open sesame");
    stage.world.keep_secret("tenant-secret");
    let configuration = json!({
        "event.notification.callback.headers": {"X-Tenant": "tenant-secret", "user-agent": "acme"},
        "event.notification.basic.username": "Aladdin",
        "event.notification.basic.password": "open sesame",
    });
    let called = stage.instance("/hook", configuration).await;
    stage.publish(&called, "1").await;

    let request = stage.receiver.wait_for("/hook", 1).await.remove(0);
    let header = |name: &str| request.headers[name].to_str().unwrap();
    assert_eq!(header("x-tenant"), "tenant-secret");
    assert_eq!(header("user-agent"), "acme");
    assert_eq!(
        header("authorization"),
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    );
    stage.finish().await;
}

#[tokio::test]
async fn a_webhook_and_its_callback_take_the_documented_calls() {
    let stage = Stage::start().await;
    let called = stage.instance("/a", json!({})).await;
    for lead in ["1", "2"] {
        stage.world.forget_calls();
        stage.publish(&called, lead).await;
        stage.message(FIRST, 1).await;
        stage.drained(FIRST).await;
    }
    let what = "a webhook that is called back";
    assert_eq!(counted(&stage.world, 0), documented(what));
    stage.finish().await;
}

#[tokio::test]
async fn how_a_callback_fares_is_noted_in_spite_of_conflicts() {
    let stage = Stage::start().await;
    let store = stage.world.stack.store();
    let called = stage.instance("/hook", json!({})).await;
    let notes = Calls::of("UpdateItem").table("InstancesTable");
    // More than the SDK makes attempts.
    store.meet_transaction(notes, 4);
    stage.publish(&called, "1").await;

    stage.message(FIRST, 1).await;
    stage.drained(FIRST).await;
    let callback = &stage.shown(&called).await["callback"];
    assert!(callback["lastSuccess"].is_string(), "{callback}");
    assert_eq!(store.met().snapshot().len(), 4);
    stage.finish().await;
}
