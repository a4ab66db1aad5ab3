//! The server as a client meets it: answers, faults, held answers and limits.

use std::time::Duration;

use axum::http::Method;
use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::close::CloseSimulator;
use crate::close::data::change::Change;
use crate::close::faults::request_match::RequestMatch;
use crate::close::organization::Organization;
use crate::close::settings::Settings;
use crate::close::settings::{RateLimit, ThrottleBody};

const SOON: Duration = Duration::from_secs(10);

async fn start() -> (CloseSimulator, Organization) {
    let simulator = CloseSimulator::start(Settings::quick()).await.unwrap();
    let organization = simulator.organization("Acme", "api_1.secret");
    (simulator, organization)
}

/// Asks with a valid key and does not follow redirects.
async fn get(simulator: &CloseSimulator, path: &str) -> reqwest::Result<reqwest::Response> {
    request(simulator, Method::GET, path)?.send().await
}

fn request(
    simulator: &CloseSimulator,
    method: Method,
    path: &str,
) -> reqwest::Result<reqwest::RequestBuilder> {
    let policy = reqwest::redirect::Policy::none();
    let client = reqwest::Client::builder()
        .redirect(policy)
        .no_proxy()
        .build()?;
    let request = client.request(method, format!("{}{path}", simulator.base_url()));
    Ok(request.basic_auth("api_1.secret", Some("")))
}

async fn json(simulator: &CloseSimulator, path: &str) -> (u16, Value) {
    let response = get(simulator, path).await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn objects_and_lists_are_read() {
    let (simulator, organization) = start().await;
    let fields = json!({ "name": "Acme Corp", "contacts": [{ "name": "Alice Johnson" }] });
    let id = organization.create_lead(fields, Change::now()).unwrap();
    let lead = organization.lead(&id).unwrap();
    assert_eq!(
        json(&simulator, &format!("/lead/{id}/")).await,
        (200, lead.clone())
    );
    let (_, leads) = json(&simulator, "/lead/?_sort=whatever").await;
    assert_eq!(
        leads,
        json!({ "data": [lead], "has_more": false, "total_results": 1 })
    );
    let (_, contacts) = json(&simulator, "/contact/?_limit=1").await;
    assert_eq!(
        contacts,
        json!({ "data": lead["contacts"], "has_more": false })
    );
    let (_, me) = json(&simulator, "/me/").await;
    assert_eq!(me["organizations"][0]["id"], organization.id());
    assert!(simulator.unexpected().is_empty());
}

#[tokio::test]
async fn users_custom_fields_and_leads_of_a_query_are_read() {
    let (simulator, organization) = start().await;
    let (_, users) = json(&simulator, "/user/").await;
    let user = &users["data"][0];
    assert_eq!(user["organizations"], json!([organization.id()]));
    let path = format!("/user/{}/", user["id"].as_str().unwrap());
    assert_eq!(json(&simulator, &path).await.1, *user);
    let id = organization.create_custom_field("lead", "Age", "number");
    let id = id.unwrap();
    let (_, fields) = json(&simulator, "/custom_field/lead/").await;
    assert_eq!(
        (&fields["data"][0]["id"], &fields["total_results"]),
        (&json!(id), &json!(1))
    );
    let (_, former) = json(&simulator, "/custom_fields/lead/").await;
    assert_eq!(former, fields);
    let (_, field) = json(&simulator, &format!("/custom_field/lead/{id}/")).await;
    assert_eq!(field, fields["data"][0]);
    for path in [
        "/custom_field/contact/",
        "/custom_field/shared/",
        "/integration_link/",
    ] {
        assert_eq!(json(&simulator, path).await.1["data"], json!([]), "{path}");
    }
    for path in [
        "/user/user_1/",
        "/custom_field/lead/cf_1/",
        "/integration_link/link_1/",
    ] {
        assert_eq!(json(&simulator, path).await.0, 404, "{path}");
    }

    for second in 0..3 {
        let at = "2026-06-19T12:00:00Z".parse::<jiff::Timestamp>().unwrap();
        let at = at + SignedDuration::from_secs(second);
        organization.create_leads(1, Change::at(at)).unwrap();
    }
    let query = "date_updated%3E%3D%222026-06-19T12:00:01%22+sort:date_updated";
    let (_, leads) = json(&simulator, &format!("/lead/?query={query}&_limit=1")).await;
    assert_eq!(
        leads["data"][0]["date_updated"],
        "2026-06-19T12:00:01+00:00"
    );
    assert_eq!(
        (&leads["total_results"], &leads["has_more"]),
        (&json!(2), &json!(true))
    );
    assert!(simulator.unexpected().is_empty());
}

#[tokio::test]
async fn the_schema_of_custom_fields_is_read() {
    let (simulator, organization) = start().await;
    let kept = organization
        .create_custom_list("contact", "Tags", "choices")
        .unwrap();
    let gone = organization
        .create_custom_field("contact", "Age", "number")
        .unwrap();
    organization.delete_custom_field("contact", &gone).unwrap();
    organization
        .rename_custom_field("contact", &kept, "Labels")
        .unwrap();
    let (_, schema) = json(&simulator, "/custom_field_schema/contact/").await;
    let shown =
        json!({ "accepts_multiple_values": true, "id": kept, "name": "Labels", "type": "choices" });
    assert_eq!(schema, json!({ "fields": [shown] }));
    let (_, schema) = json(&simulator, "/custom_field_schema/lead/").await;
    assert_eq!(schema, json!({ "fields": [] }));
    assert!(
        organization
            .create_custom_field("task", "x", "text")
            .is_err()
    );
}

#[tokio::test]
async fn wrong_keys_missing_objects_and_unknown_paths_are_told_apart() {
    let (simulator, organization) = start().await;
    assert_eq!(json(&simulator, "/lead/lead_x/").await.0, 404);
    assert!(simulator.unexpected().is_empty());
    assert_eq!(json(&simulator, "/nonsense/").await.0, 404);
    assert_eq!(simulator.unexpected(), ["GET /nonsense/: no such path"]);
    let redirect = get(&simulator, "/lead").await.unwrap();
    assert_eq!(
        (redirect.status().as_u16(), &redirect.headers()["location"]),
        (308, &HeaderValue::from_static("/api/v1/lead/"))
    );
    organization.revoke_key("api_1.secret");
    assert_eq!(json(&simulator, "/me/").await.0, 401);
}

#[tokio::test]
async fn faults_happen_and_are_logged() {
    let (simulator, _organization) = start().await;
    let me = || RequestMatch::to("/me/");
    simulator.fail(me(), CloseFault::CloseConnection);
    assert!(get(&simulator, "/me/").await.is_err());
    simulator.fail(
        me().api_key("api_1.secret"),
        CloseFault::json(503, json!({ "error": "x" })),
    );
    assert_eq!(
        json(&simulator, "/me/").await,
        (503, json!({ "error": "x" }))
    );
    simulator.fail(
        me(),
        CloseFault::throttled(Duration::from_millis(1500), ThrottleBody::Empty),
    );
    let throttled = get(&simulator, "/me/").await.unwrap();
    assert_eq!(
        throttled.headers()["ratelimit"],
        "limit=100; remaining=0; reset=1.5"
    );
    assert_eq!(throttled.headers()["ratelimit-reset"], "1.5");
    assert_eq!(throttled.headers()["retry-after"], "2");
    assert_eq!(json(&simulator, "/me/").await.0, 200);
    let statuses: Vec<_> = simulator
        .requests()
        .iter()
        .map(|request| request.status)
        .collect();
    assert_eq!(statuses, [None, Some(503), Some(429), Some(200)]);
    assert_eq!(simulator.count(&me()), 4);
}

#[tokio::test]
async fn long_parameters_may_come_in_the_body() {
    let (simulator, organization) = start().await;
    let lead = organization.create_lead(json!({}), Change::now()).unwrap();
    for of_type in ["lead", "voicemail", "missed_call"] {
        organization
            .create_task(&lead, of_type, json!({}), Change::now())
            .unwrap();
    }
    let request = request(&simulator, Method::POST, "/task/").unwrap();
    let parameters = json!({ "_type__in": ["voicemail", "missed_call"], "_limit": 1 });
    let request = request.json(&json!({ "_params": parameters }));
    let response = request.header(METHOD_OVERRIDE, "GET").send().await.unwrap();
    let tasks: Value = response.json().await.unwrap();
    assert_eq!(
        (&tasks["total_results"], &tasks["has_more"]),
        (&json!(2), &json!(true))
    );
    let logged = &simulator.requests()[0];
    assert_eq!((&*logged.method, &*logged.query["_limit"]), ("GET", "1"));
}

#[tokio::test]
async fn a_held_answer_was_evaluated_before_it_was_released() {
    let (simulator, organization) = start().await;
    let mut hold = simulator.hold(RequestMatch::to("/lead/"));
    let asking = json(&simulator, "/lead/");
    let meanwhile = async {
        hold.reached(SOON).await.unwrap();
        organization.create_lead(json!({}), Change::now()).unwrap();
        hold.release();
    };
    let ((_, leads), ()) = tokio::join!(asking, meanwhile);
    assert_eq!(leads["total_results"], 0);
    simulator
        .wait_for_requests(&RequestMatch::to("/lead/"), 1, SOON)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_limit_is_announced_and_enforced() {
    let (simulator, _organization) = start().await;
    simulator.set_rate_limit(Some(RateLimit {
        limit: 1,
        window: Duration::from_hours(1),
        body: ThrottleBody::Nested2023,
    }));
    let first = get(&simulator, "/me/").await.unwrap();
    let header = first.headers()["ratelimit"].to_str().unwrap();
    assert!(
        header.starts_with("limit=1, remaining=0, reset="),
        "{header}"
    );
    let (status, body) = json(&simulator, "/me/").await;
    assert_eq!((status, &body["error"]["rate_limit"]), (429, &json!(1)));
}

#[tokio::test]
async fn the_date_header_is_the_skewed_clocks() {
    let (simulator, organization) = start().await;
    simulator.set_clock_skew(SignedDuration::from_hours(-24 * 365 * 20));
    let response = get(&simulator, "/me/").await.unwrap();
    let dates: Vec<_> = response.headers().get_all("date").iter().collect();
    let [date] = dates[..] else {
        panic!("{dates:?}")
    };
    let id = organization.create_lead(json!({}), Change::now()).unwrap();
    let lead = organization.lead(&id).unwrap();
    let year = &lead["date_created"].as_str().unwrap()[..4];
    assert!(date.to_str().unwrap().contains(year), "{date:?}");
}
