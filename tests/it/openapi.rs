//! `docs/openapi.json` says what the HTTP API does.

mod document;
mod walk;

use std::collections::BTreeSet;

use document::{BASE_PATH, Document};
use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use local_stack::control::fault::{Calls, Failure, Fault};
use reqwest::StatusCode;
use shared::instance::Phase;
use walk::Walk;

use crate::world::World;

const NOBODY: &str = "User nobody, Organization nobody";
const UNKNOWN_ID: &str = "9007199254740991";

#[tokio::test]
async fn the_document_and_the_template_have_the_same_routes() {
    let world = World::start().await;
    let functions = &world.stack.template().functions;
    let routes = functions.iter().flat_map(|function| &function.routes);
    let routes: BTreeSet<_> = routes
        .map(|route| (route.method.clone(), route.path.clone()))
        .collect();
    let document = Document::read();
    let documented = document.operations().into_iter();
    let documented: BTreeSet<_> = documented
        .map(|operation| (operation.method, format!("{BASE_PATH}{}", operation.path)))
        .collect();
    assert_eq!(documented, routes);
    world.finish().await;
}

#[tokio::test]
async fn every_example_fits_its_schema_and_is_taken() {
    let mut walk = Walk::start().await;
    for operation in Document::read().operations() {
        let Some((schema, examples)) = operation.body() else {
            continue;
        };
        for (name, example) in examples {
            let errors = walk.document.errors(schema, example);
            assert_eq!(errors, Vec::<String>::new(), "{} {name}", operation.id);
        }
    }
    let id = walk.provision("subscribed").await;
    for operation in ["createInstance", "replaceInstance", "changeInstance"] {
        for (name, body) in walk.examples(operation) {
            let answer = walk.send(operation, &id, None, body).await;
            assert_eq!(
                answer.status,
                StatusCode::OK,
                "{operation} {name}: {}",
                answer.body
            );
        }
    }
    let id = walk.provision("polled").await;
    for (name, body) in walk.examples("backfillInstance") {
        let answer = walk.send("backfillInstance", &id, None, body).await;
        assert_eq!(
            answer.status,
            StatusCode::ACCEPTED,
            "{name}: {}",
            answer.body
        );
    }
    walk.store(20931, &[], Phase::Ready).await;
    for (name, body) in walk.examples("receiveWebhook") {
        let answer = walk.deliver("MjA5MzE=", body).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}: {}", answer.body);
    }
    walk.world.finish().await;
}

#[tokio::test]
async fn every_documented_answer_is_given_as_documented() {
    let mut walk = Walk::start().await;
    good(&mut walk).await;
    refused(&mut walk).await;
    webhooks(&mut walk).await;
    failed(&mut walk).await;

    let mut unseen = BTreeSet::new();
    for operation in Document::read().operations() {
        for status in operation.statuses() {
            if !walk.seen.contains(&(operation.id.to_owned(), status)) {
                unseen.insert((operation.id.to_owned(), status));
            }
        }
    }
    // API Gateway's own, which the local one does not limit, and a function that fails altogether.
    unseen.retain(|(_, status)| *status != 429);
    let crashed = ["createInstance", "deleteInstance", "listInstances"];
    let crashed = crashed.map(|operation| (operation.to_owned(), 500));
    assert_eq!(unseen, BTreeSet::from(crashed));
    walk.world.finish().await;
}

/// What works, from creation to removal.
async fn good(walk: &mut Walk) {
    let body = walk.examples("createInstance").swap_remove(0).1;
    let created = walk.send("createInstance", "", None, body).await;
    let id = created.body["id"].to_string();
    let token = format!("Element {}", created.body["token"].as_str().unwrap());
    let own = walk.send("listInstances", "", Some(&token), "").await;
    assert_eq!(own.body["webhook"]["status"], "active");
    walk.world.poll(created.body["id"].as_u64().unwrap()).await;
    let listed = walk.list("").await;
    assert!(listed.body[0]["webhook"]["since"].is_string());
    walk.provision("documented").await;
    let polled = walk.provision("polled").await;
    let body = walk.examples("backfillInstance").swap_remove(0).1;
    let accepted = walk.send("backfillInstance", &polled, None, body).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.body);
    let shown = walk.send("readInstance", &polled, None, "").await;
    assert_eq!(shown.body["backfill"], accepted.body);
    let page = walk.list("pageSize=1&tags[]=Sales").await;
    let next = page.headers["elements-next-page-token"].to_str().unwrap();
    walk.list(&format!("pageSize=200&nextPage={next}")).await;
    for (operation, body) in walk.of_one_instance() {
        let authorization = match operation.as_str() {
            // The turn of these two is after the others, and the third is for another.
            "deleteInstance" | "replaceToken" | "backfillInstance" => continue,
            "replaceInstance" | "changeInstance" => None,
            _ => Some(token.as_str()),
        };
        let answer = walk.send(&operation, &id, authorization, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }
    let replaced = walk.send("replaceToken", &id, Some(&token), "").await;
    assert_eq!(replaced.status, StatusCode::OK, "{}", replaced.body);
    let subscription = walk.world.organization.webhooks()[0]["id"].clone();
    let subscription = subscription.as_str().unwrap();
    let organization = &walk.world.organization;
    organization.delete_webhook(subscription).unwrap();
    let missing = walk.send("readInstance", &id, None, "").await;
    assert_eq!(missing.body["webhook"]["status"], "missing");
    let request = RequestMatch::to(&format!("/webhook/{subscription}/")).times(100);
    walk.world.close.fail(request, CloseFault::status(503));
    let unknown = walk.send("readInstance", &id, None, "").await;
    assert_eq!(unknown.body["webhook"]["status"], "unknown");
    walk.world.close.clear_faults();
    let removed = walk.send("deleteInstance", &id, None, "").await;
    assert_eq!(removed.status, StatusCode::OK, "{}", removed.body);
}

/// What is wrong with the request.
async fn refused(walk: &mut Walk) {
    walk.store(1, &[], Phase::Removing).await;
    let removing = walk.send("listInstances", "", Some("Element 1"), "").await;
    assert_eq!(removing.status, 404);
    let large = "x".repeat(256 * 1024 + 1);
    for (operation, body) in walk.of_one_instance() {
        for (id, authorization, status) in [
            ("x", None, 400),
            (UNKNOWN_ID, None, 404),
            (UNKNOWN_ID, Some(NOBODY), 401),
        ] {
            let answer = walk.send(&operation, id, authorization, body.clone()).await;
            assert_eq!(answer.status, status, "{operation}: {}", answer.body);
        }
    }
    let id = walk.provision("polled").await;
    for operation in [
        "createInstance",
        "replaceInstance",
        "changeInstance",
        "backfillInstance",
    ] {
        for (body, status) in [
            (r#"{"name": "", "": 0, "configuration": {"": 1}}"#, 400),
            ("{", 400),
            (&large, 413),
        ] {
            let answer = walk.send(operation, &id, None, body.to_owned()).await;
            assert_eq!(answer.status, status, "{operation}: {}", answer.body);
        }
    }
    for (operation, body) in [("createInstance", "{}"), ("listInstances", "")] {
        walk.send(operation, "", Some(NOBODY), body).await;
    }
    assert_eq!(walk.list("pageSize=0&nextPage=!").await.status, 400);
}

/// Webhooks, good and bad.
async fn webhooks(walk: &mut Walk) {
    let body = walk.examples("receiveWebhook").swap_remove(0).1;
    walk.store(12, &[], Phase::Ready).await;
    walk.store(13, &[("event.webhook.signature.key", "aa")], Phase::Ready)
        .await;
    walk.store(14, &[], Phase::Ready).await;
    walk.store(15, &[], Phase::Provisioning).await;
    walk.store(16, &[("event.notification.enabled", "maybe")], Phase::Ready)
        .await;
    walk.send("disableInstance", "14", None, "").await;
    for (encoded_id, status) in [
        ("MTI=", 200),
        ("MTI=", 200),
        ("MTM=", 401),
        ("MTQ=", 403),
        ("MTU=", 503),
        ("MTY=", 500),
        ("MTc=", 404),
        ("!", 400),
        ("%FF", 404),
    ] {
        let answer = walk.deliver(encoded_id, body.clone()).await;
        assert_eq!(answer.status, status, "{encoded_id}: {}", answer.body);
    }
    let too_large = walk.deliver("MTI=", vec![b'x'; 11 * 1024 * 1024]).await;
    assert_eq!(too_large.status, 413);
}

/// What fails here, or is not what it was.
async fn failed(walk: &mut Walk) {
    let down = |operation: &str| {
        let code = "AccessDeniedException".to_owned();
        Fault::new(Failure::Error { status: 400, code }, Calls::of(operation))
    };
    for (operation, body) in walk.of_one_instance() {
        walk.world.stack.store().fail(down("GetItem"));
        let answer = walk.send(&operation, "12", None, body.clone()).await;
        assert_eq!(answer.status, 503, "{operation}: {}", answer.body);
        let body = match operation.as_str() {
            "deleteInstance" | "replaceToken" => continue,
            "changeInstance" => r#"{"configuration": {"event.notification.enabled": null}}"#.into(),
            _ => body,
        };
        let broken = walk.send(&operation, "16", None, body).await;
        assert_eq!(broken.status, 500, "{operation}: {}", broken.body);
    }
    let example = walk.examples("createInstance").swap_remove(0).1;
    walk.world.stack.store().fail(down("PutItem"));
    walk.send("createInstance", "", None, example.clone()).await;
    walk.world.stack.store().fail(down("Scan"));
    walk.send("listInstances", "", None, "").await;

    let code = "ConditionalCheckFailedException".to_owned();
    let overtaken = Failure::Error { status: 400, code };
    let fault = Fault::new(overtaken.clone(), Calls::of("UpdateItem"));
    walk.world.stack.store().fail(fault);
    let answer = walk.send("createInstance", "", None, example).await;
    assert_eq!(answer.status, 409, "{}", answer.body);
    for (operation, body) in walk.of_one_instance() {
        if operation != "readInstance" {
            let calls = Calls::of("UpdateItem");
            let fault = Fault::new(overtaken.clone(), calls).times(5);
            walk.world.stack.store().fail(fault);
            let answer = walk.send(&operation, "12", None, body).await;
            assert_eq!(answer.status, 409, "{operation}: {}", answer.body);
        }
    }
}
