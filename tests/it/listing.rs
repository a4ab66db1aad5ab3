//! `GET /instances`

use std::collections::BTreeSet;

use jiff::Timestamp;
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::instance::{Instance, Phase};

use crate::owner::{Owner, plant, stored_configuration};
use crate::world::{API_KEY, Answer, SIGNATURE_KEY, World, texts};

const NEXT: &str = "elements-next-page-token";
const COUNT: &str = "elements-returned-count";

/// Puts an instance with these tags into the table.
async fn instance(world: &World, id: u64, tags: &[&str]) {
    let configuration = json!({"username": API_KEY, "event.webhook.signature.key": SIGNATURE_KEY});
    let configuration = stored_configuration(configuration);
    let name = format!("Instance {id}");
    let mut instance = Instance::new(
        id.try_into().unwrap(),
        &name,
        configuration,
        Timestamp::UNIX_EPOCH,
    );
    instance.tags = tags.iter().map(|&tag| tag.to_owned()).collect();
    plant(world, &instance).await;
}

async fn list(world: &World, query: &str) -> Answer {
    let path = format!("/instances{query}");
    world.call("GET", &path, None, "").await
}

fn ids(page: &Answer) -> Vec<u64> {
    let listed = page.body.as_array().unwrap().iter();
    listed
        .map(|instance| instance["id"].as_u64().unwrap())
        .collect()
}

/// Goes through all pages of a query. Returns the ids on each.
async fn walk(world: &World, query: &str) -> Vec<Vec<u64>> {
    let mut pages = Vec::new();
    let mut next = String::new();
    loop {
        let page = list(world, &format!("{query}{next}")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let listed = ids(&page);
        assert_eq!(page.headers[COUNT], listed.len().to_string());
        pages.push(listed);
        match page.headers.get(NEXT) {
            Some(token) => next = format!("&nextPage={}", token.to_str().unwrap()),
            None => return pages,
        }
    }
}

#[tokio::test]
async fn every_instance_is_listed_once() {
    let world = World::start().await;
    let all: BTreeSet<u64> = (1..=250).map(|number| number * 7_919).collect();
    for &id in &all {
        instance(&world, id, &["Test"]).await;
    }
    for size in [1, 60, 125, 200] {
        let pages = walk(&world, &format!("?pageSize={size}")).await;
        assert!(pages.iter().all(|page| page.len() <= size));
        // A page's end is not known to be the last.
        assert!((250_usize.div_ceil(size)..=250 / size + 1).contains(&pages.len()));
        let listed: Vec<_> = pages.into_iter().flatten().collect();
        assert_eq!(listed.len(), all.len());
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), all);
    }
    let first = list(&world, "").await;
    assert_eq!(first.headers[COUNT], "100");
    world.finish().await;
}

#[tokio::test]
async fn what_is_listed_is_shown_without_its_secrets() {
    let world = World::start().await;
    instance(&world, 20_931, &["Sales", "West"]).await;
    let page = list(&world, "").await;
    let listed = &page.body[0];
    assert_eq!(
        listed["configuration"],
        json!({"username": "********", "event.webhook.signature.key": "********"})
    );
    let read = world.call("GET", "/instances/20931", None, "").await.body;
    assert_eq!(*listed, read);
    assert_eq!(listed.get("token"), None);
    world.finish().await;
}

#[tokio::test]
async fn tags_choose_those_that_have_all_of_them() {
    let world = World::start().await;
    for id in 1..=120 {
        let mut tags = vec!["All"];
        if id % 40 == 0 {
            tags.push("Sales & Co");
        }
        if id % 60 == 0 {
            tags.push("West");
        }
        instance(&world, id, &tags).await;
    }
    let found = async |query: &str| {
        let pages = walk(&world, query).await;
        pages.into_iter().flatten().collect::<BTreeSet<_>>()
    };
    // Encoded and not; a page that holds none of them is no end.
    assert_eq!(
        found("?pageSize=7&tags%5B%5D=Sales%20%26%20Co").await,
        [40, 80, 120].into()
    );
    assert_eq!(found("?pageSize=7&tags[]=West").await, [60, 120].into());
    assert_eq!(
        found("?pageSize=7&tags[]=West&tags[]=Sales%20%26%20Co").await,
        [120].into()
    );
    assert_eq!(
        found("?pageSize=50&tags[]=All&tags[]=West").await,
        [60, 120].into()
    );
    assert_eq!(found("?pageSize=50&tags[]=west").await, [].into());
    world.finish().await;
}

#[tokio::test]
async fn what_is_being_removed_is_not_listed() {
    let world = World::start().await;
    instance(&world, 1, &[]).await;
    for (id, phase) in [(2, Phase::Removing), (3, Phase::Provisioning)] {
        let configuration = stored_configuration(json!({"username": API_KEY}));
        let id = u64::try_into(id).unwrap();
        let mut instance = Instance::new(id, "Test", configuration, Timestamp::UNIX_EPOCH);
        instance.phase = phase;
        plant(&world, &instance).await;
    }
    let mut listed = ids(&list(&world, "").await);
    listed.sort_unstable();
    assert_eq!(listed, [1, 3]);
    world.finish().await;
}

#[tokio::test]
async fn all_that_is_wrong_with_a_query_is_named_at_once() {
    let world = World::start().await;
    for (size, next) in [
        ("0", "!"),
        ("201", "MTI"),
        ("ten", "LTE"),
        ("", "AA"),
        ("1.5", "%20"),
    ] {
        let query = format!("?pageSize={size}&nextPage={next}");
        let answer = list(&world, &query).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        let fields = texts(answer.body["errors"].as_array().unwrap(), "field");
        // MTI is base64 of 12.
        let expected = if next == "MTI" {
            vec!["pageSize"]
        } else {
            vec!["pageSize", "nextPage"]
        };
        assert_eq!(fields, expected, "{query}");
    }
    world.finish().await;
}

#[tokio::test]
async fn with_an_element_token_it_is_that_instance() {
    let world = World::start().await;
    instance(&world, 1, &[]).await;
    let owner = Owner::of(&world, json!({"event.vendor.type": "webhook"})).await;
    let element = format!("Element {}", owner.token);
    let answer = world.call("GET", "/instances", Some(&element), "").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.body, owner.shown().await);

    for wrong in ["Element wrong", "Element -", "Element ", "User x"] {
        let answer = world.call("GET", "/instances", Some(wrong), "").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    owner.remove().await;
    let answer = world.call("GET", "/instances", Some(&element), "").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    world.finish().await;
}

#[tokio::test]
async fn where_there_is_none_the_list_is_empty() {
    let world = World::start().await;
    let answer = list(&world, "").await;
    assert_eq!(answer.body, Value::Array(Vec::new()));
    assert_eq!(answer.headers[COUNT], "0");
    assert_eq!(answer.headers.get(NEXT), None);
    world.finish().await;
}
