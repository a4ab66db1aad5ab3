//! Bodies as Notepad and PowerShell 5 save them.

use reqwest::StatusCode;
use serde_json::json;

use crate::world::{API_KEY, World, texts};

fn utf_16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(to_bytes).collect()
}

#[tokio::test]
async fn a_byte_order_mark_is_skipped_and_utf_16_is_named() {
    let world = World::start().await;
    let instance = json!({
        "element": {"key": "closeio"}, "name": "Test", "configuration": {
            "username": API_KEY, "event.notification.enabled": true, "event.notification.type": "eventbridge",
            "event.vendor.type": "polling", "event.poller.configuration": {"leads": {"url": "/hubs/crm/leads"}},
        },
    });
    let marked = format!("\u{feff}{instance}");
    let answer = world.call("POST", "/instances", None, marked.clone()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let url = answer.body["webhookUrl"].as_str().unwrap();

    let webhook = r#"{"model":"lead","event":"delete","data":{"id":"lead_1"}}"#;
    let answer = world.deliver(url, &[], format!("\u{feff}{webhook}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let details = world.details();
    assert_eq!(texts(&details, "objectId"), ["lead_1"]);
    assert_eq!(details[0]["raw"].to_string(), webhook);

    let named = "expected JSON: the text is in UTF-16: save it as UTF-8";
    for text in [marked, instance.to_string()] {
        for to_bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            let body = utf_16(&text, to_bytes);
            let refused = world.call("POST", "/instances", None, body.clone()).await;
            let unread = world.deliver(url, &[], body).await;
            for answer in [refused, unread] {
                assert_eq!(answer.status, StatusCode::BAD_REQUEST);
                assert_eq!(answer.body["message"], named);
            }
        }
    }
    world.finish().await;
}
