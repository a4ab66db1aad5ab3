//! Text that was cut within an emoji: half of a surrogate pair, which JSON can write and no text can hold.

use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use reqwest::StatusCode;
use serde_json::json;

use super::Processes;
use crate::world::{World, ago, texts};

#[tokio::test]
async fn a_webhook_with_half_a_pair_goes_as_text() {
    let world = World::start().await;
    let url = world.known_instance(20_931, None).await;
    let bodies = [
        r#"{"model":"lead","event":"update","data":{"id":"lead_1","name":"cut \ud83d"}}"#,
        r#"{"model":"lead","event":"update","data":{"id":"lead_\udE00","a\ud83d":1}}"#,
        r#"{"event":{"id":"ev_1","object_type":"lead","object_id":"lead_3","action":"updated","data":{"name":"cut \ud83d"}},"x\ud83d":1}"#,
    ];
    let whole = r#"{"model":"lead","event":"update","data":{"id":"lead_4","name":"\ud83d\ude00"}}"#;
    for body in bodies.into_iter().chain([whole]) {
        let answer = world.deliver(&url, &[], body).await;
        assert_eq!(answer.status, StatusCode::OK, "{body}: {}", answer.body);
    }
    Processes::of(&world, "WebhookFunction").assert_alive();
    let details = world.details();
    assert_eq!(texts(&details[..3], "rawText"), bodies);
    assert_eq!(details[3]["raw"]["data"]["name"], "\u{1f600}");
    let ids = ["lead_1", "lead_\u{fffd}", "lead_3", "lead_4"];
    assert_eq!(texts(&details, "objectId"), ids);
    world.finish().await;
}

#[tokio::test]
async fn a_condition_judges_half_a_pair_as_the_replacement_character() {
    let world = World::start().await;
    let url = |condition: &str| json!({"url": format!("/hubs/crm/leads?where={condition}")});
    let id = world
        .polling_with(json!({
            "is": url("name='cut \u{fffd}'"),
            "like": url("name LIKE 'cut%'"),
            "not": url("name != 'cut'"),
            "none": url("name='cut' OR name IS NULL"),
            "key": url("`\u{fffd}.a`='b'"),
        }))
        .await;
    let stamp = format!("{:.6}", ago(120)).replace('Z', "+00:00");
    let record = format!(
        r#"{{"id":"lead_1","name":"cut \ud83d","\ude00":{{"a":"b"}},"date_created":"{stamp}","date_updated":"{stamp}"}}"#
    );
    let page = format!(r#"{{"cursor":null,"data":[{record}]}}"#);
    let search = RequestMatch::to("/data/search/").times(usize::MAX);
    world.close.fail(search, CloseFault::text(200, &page));

    let summary = world.poll(id).await;
    assert_eq!(summary["failed"], json!({}));
    assert_eq!(
        (&summary["published"], &summary["filtered"]),
        (&json!(4), &json!(1))
    );
    for detail in world.details() {
        assert_eq!(detail["rawText"], record);
    }
    world.finish().await;
}
