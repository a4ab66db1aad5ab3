//! Events that Close does not know, and events that Close is to keep back.

use local_stack::close::data::change::Change;
use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use local_stack::close::settings::UnknownEvents;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{covered, covering, creations};
use crate::owner::{Owner, body, subscribing};
use crate::world::{API_KEY, World, texts};

const WAYS: [UnknownEvents; 3] = [
    UnknownEvents::RefusedByName,
    UnknownEvents::RefusedByPosition,
    UnknownEvents::LeftOut,
];

fn request(more: &Value) -> String {
    let mut configuration = subscribing(more);
    configuration["username"] = json!(API_KEY);
    body(&configuration)
}

#[tokio::test]
async fn events_that_close_refuses_are_left_out_and_shown() {
    let world = World::start().await;
    for way in WAYS {
        world
            .close
            .withhold(&["task.voicemail", "custom_object"], way);
        let answer = world
            .call("POST", "/instances", None, request(&json!({})))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{way:?} {}", answer.body);
        let path = format!("/instances/{}", answer.body["id"]);
        let shown = world.call("GET", &path, None, "").await.body;
        let mut expected = covering(Some("task.voicemail,custom_object"));
        for webhook in [&answer.body["webhook"], &shown["webhook"]] {
            let refused = webhook["refused"].as_array().unwrap();
            let refused = refused.iter().map(|name| name.as_str().unwrap().to_owned());
            assert_eq!(
                refused.collect::<std::collections::BTreeSet<_>>(),
                expected,
                "{way:?}"
            );
            assert_eq!(webhook["status"], "active");
        }
        let [subscription] = &world.organization.webhooks()[..] else {
            panic!("{way:?}")
        };
        expected.extend(covered(subscription));
        assert_eq!(expected, covering(None), "{way:?}");

        // Close knows them now: the next change asks for them again.
        world.close.withhold(&[], way);
        let changed = world
            .call("PUT", &format!("{path}/enabled"), None, "")
            .await
            .body;
        assert_eq!(changed["webhook"].get("refused"), None, "{way:?}");
        assert_eq!(covered(&world.organization.webhooks()[0]), covering(None));
        let removed = world.call("DELETE", &path, None, "").await;
        assert_eq!(removed.status, StatusCode::OK);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_change_to_events_that_close_refuses_is_made_without_them() {
    let world = World::start().await;
    for way in WAYS {
        let owner = Owner::subscribed(&world, json!({"event.objects": "lead"})).await;
        let changed = owner
            .configure(json!({"event.objects": "lead,contact,starship"}))
            .await;
        let starship = ["starship.created", "starship.deleted", "starship.updated"];
        assert_eq!(changed["webhook"]["refused"], json!(starship), "{way:?}");
        let warnings = changed["warnings"].as_array().unwrap();
        assert!(
            warnings[0]
                .as_str()
                .unwrap()
                .contains("`starship` is not known here")
        );
        let subscriptions = world.organization.webhooks();
        assert_eq!(covered(&subscriptions[0]), covering(Some("lead,contact")));
        owner.remove().await;
    }
    world.finish().await;
}

#[tokio::test]
async fn a_subscription_to_nothing_that_close_knows_is_refused() {
    let world = World::start().await;
    let refused = world
        .call(
            "POST",
            "/instances",
            None,
            request(&json!({"event.objects": "starship"})),
        )
        .await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let errors = refused.body["errors"].as_array().unwrap();
    assert_eq!(
        texts(errors, "field"),
        ["configuration.event.webhook.subscribe"]
    );
    assert!(errors[0]["message"].as_str().unwrap().contains("starship"));
    // Refused for another reason.
    let url = json!({"errors": [], "field-errors": {"url": "Not a valid URL."}});
    world.close.fail(creations(), CloseFault::json(400, url));
    let refused = world
        .call("POST", "/instances", None, request(&json!({})))
        .await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.close.count(&creations()), 2);
    assert_eq!(world.organization.webhooks(), Vec::<Value>::new());
    world.finish().await;
}

#[tokio::test]
async fn close_keeps_back_what_its_filter_does_not_let_through() {
    let world = World::start().await;
    let named = |name: &str| {
        let name = json!({"type": "equals", "value": name});
        let name = json!({"type": "field_accessor", "field": "name", "filter": name});
        json!({"type": "field_accessor", "field": "data", "filter": name})
    };
    let filter = |name: &str| json!({"lead": named(name)});
    let more =
        json!({"event.objects": "lead,contact", "event.webhook.extra_filter": filter("Hooli")});
    let owner = Owner::subscribed(&world, more).await;
    let create = |name: &str| {
        let lead = json!({"name": name});
        world.organization.create_lead(lead, Change::now()).unwrap()
    };
    create("Umbrella");
    let hooli = create("Hooli");
    assert_eq!(owner.events(1).await[0]["objectId"], hooli);

    let id = owner.subscription_id().await;
    let changed = json!({"event.webhook.extra_filter": filter("Umbrella").to_string()});
    owner.configure(changed).await;
    assert_eq!(owner.subscription_id().await, id);
    create("Hooli");
    let umbrella = create("Umbrella");
    assert_eq!(texts(&owner.events(2).await, "objectId"), [hooli, umbrella]);
    assert_eq!(owner.shown().await["webhook"]["status"], "active");
    assert_eq!(
        world
            .close
            .count(&RequestMatch::to("/webhook/*").method("PUT")),
        1
    );

    for (wrong, expected) in [
        (json!({"contact.updated": true}), "`contact.updated`"),
        (
            json!({"opportunity": named("x")}),
            "`opportunity` covers no event that is subscribed to",
        ),
    ] {
        let body = json!({"configuration": {"event.webhook.extra_filter": wrong}});
        let answer = owner.call("PATCH", "", &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        let errors = answer.body["errors"].as_array().unwrap();
        assert!(
            errors[0]["message"].as_str().unwrap().contains(expected),
            "{errors:?}"
        );
    }
    // A filter that Close does not know is no reason to do without the event.
    let unknown = json!({"event.webhook.extra_filter": {"lead": {"type": "like"}}});
    let answer = owner
        .call("PATCH", "", &json!({"configuration": unknown}))
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
    assert!(
        answer.body.to_string().contains("extra_filter"),
        "{}",
        answer.body
    );
    world.finish().await;
}
