//! The two instance bodies of the documentation that this service follows, as they stand there.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{create, refusal};
use crate::world::{API_KEY, Answer, PATIENCE, World};

const POLLING: &str = r#"{
  "element": {
    "key": "closeio"
  },
  "configuration": {
    "username": "<INSERT_CLOSE_IO_API_KEY>",
    "password": "<INSERT_CLOSE_IO_PASSWORD>",
    "event.notification.enabled": "true",
    "event.notification.callback.url": "<INSERT_YOUR_APPS_CALLBACK_URL>",
    "event.vendor.type": "polling",
    "event.poller.configuration": {
      "contacts": {
        "url": "/hubs/crm/contacts?where=date_updated>'${gmtDate:yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX}'",
        "idField": "id",
        "datesConfiguration": {
          "updatedDateField": "date_updated",
          "updatedDateFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
          "createdDateField": "date_created",
          "createdDateFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"
        }
      }
    }
  },
  "tags": [
    "<INSERT_TAGS>"
  ],
  "name": "<INSERT_INSTANCE_NAME>"
}"#;

/// With the comma behind the last member of `configuration` that the documentation has too.
const WEBHOOK: &str = r#"{
  "element": {
    "key": "closeio"
  },
  "configuration": {
    "username": "<INSERT_CLOSE_IO_API_KEY>",
    "password": "<INSERT_CLOSE_IO_PASSWORD>",
    "event.notification.enabled": "true",
    "event.notification.callback.url": "<INSERT_YOUR_APPS_CALLBACK_URL>",
    "event.vendor.type": "webhook",
  },
  "tags": [
    "<INSERT_TAGS>"
  ],
  "name": "<INSERT_INSTANCE_NAME>"
}"#;

fn filled_in(text: &str) -> String {
    text.replace("<INSERT_CLOSE_IO_API_KEY>", API_KEY)
        .replace(
            "<INSERT_YOUR_APPS_CALLBACK_URL>",
            "https://app.example.com/events",
        )
        .replace("<INSERT_TAGS>", "Sales")
        .replace("<INSERT_INSTANCE_NAME>", "Test")
}

fn without_stray_comma(text: &str) -> String {
    text.replace("\"webhook\",\n", "\"webhook\"\n")
}

/// An answer for a snapshot: what differs from run to run is named.
fn shown(world: &World, answer: &Answer) -> String {
    let mut body = answer.body.clone();
    for key in ["id", "token", "createdDate", "webhookUrl"] {
        assert!(!body[key].is_null(), "{key}");
        body[key] = Value::String(format!("[{key}]"));
    }
    let base_url = &mut body["configuration"]["base.url"];
    assert_eq!(*base_url, world.close.base_url());
    *base_url = json!("[the stack's CloseBaseUrls]");
    format!("{body:#}")
}

#[tokio::test]
async fn both_instances_are_provisioned_and_answered_as_ever() {
    let world = World::start().await;
    for (name, body) in [
        ("polling", filled_in(POLLING)),
        ("webhook", without_stray_comma(&filled_in(WEBHOOK))),
    ] {
        let answer = create(&world, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        insta::assert_snapshot!(name, shown(&world, &answer));
    }
    world.finish().await;
}

#[tokio::test]
async fn the_polling_instance_polls_and_its_events_say_that_it_has_a_callback() {
    let world = World::start().await;
    let answer = create(&world, filled_in(POLLING)).await;
    let lead = json!({"contacts": [{"name": "Ann"}]});
    let now = local_stack::close::data::change::Change::now();
    world.organization.create_lead(lead, now).unwrap();

    // What is dated in the present second is read by a later poll.
    let id = answer.body["id"].as_u64().unwrap();
    let published = async {
        while world.details().is_empty() {
            world.poll(id).await;
        }
    };
    tokio::time::timeout(PATIENCE, published).await.unwrap();

    let details = world.details();
    assert_eq!(details.len(), 1);
    assert_eq!(details[0]["objectType"], "contact");
    assert_eq!(details[0]["callback"], true);
    world.finish().await;
}

#[tokio::test]
async fn the_stray_comma_and_curly_quotes_are_shown_where_they_are() {
    let world = World::start().await;
    let stray_comma = create(&world, filled_in(WEBHOOK)).await;
    insta::assert_snapshot!(refusal(&stray_comma), @"400 expected JSON: trailing comma at line 11 column 3");
    let curly = filled_in(POLLING).replace("\"username\"", "“username”");
    insta::assert_snapshot!(refusal(&create(&world, curly).await), @r#"400 expected JSON: curly quotes at line 6 column 5: use straight quotes, " and '"#);
    let curly = filled_in(POLLING).replace("\"tags\"", "‘tags’");
    insta::assert_snapshot!(refusal(&create(&world, curly).await), @r#"400 expected JSON: curly quotes at line 24 column 3: use straight quotes, " and '"#);
    // Inside a text they are the owner's to choose.
    let inside = filled_in(POLLING).replace("\"Test\"", "\"“Test”\"");
    let answer = create(&world, inside).await;
    assert_eq!(answer.body["name"], "“Test”");
    world.finish().await;
}

#[tokio::test]
async fn a_stack_without_callbacks_refuses_a_callback_url_and_says_so() {
    let world = World::start_with(|builder| builder.parameter("EnableCallbacks", "false")).await;
    let body = without_stray_comma(&filled_in(WEBHOOK));

    let refused = create(&world, body.clone()).await;
    insta::assert_snapshot!(refusal(&refused), @r"
    400
    configuration.event.notification.callback.url: this stack delivers no callbacks: deploy it with EnableCallbacks=true, or set event.notification.type to eventbridge and subscribe with a rule
    ");

    let by_rule = "\"event.notification.type\": \"eventbridge\", \"event.vendor.type\"";
    let accepted = create(&world, body.replace("\"event.vendor.type\"", by_rule)).await;
    assert_eq!(accepted.status, StatusCode::OK, "{}", accepted.body);
    world.finish().await;
}
