//! Each recorded answer, and what the simulator answers of the same kind.

use local_stack::close::data::change::Change;
use local_stack::close::organization::Organization;
use reqwest::Method;
use serde_json::{Value, json};

use super::asked::{API_KEY, Asked};
use super::shape::check;

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("../../src/close/samples/", $name, ".json"))
    };
}

// What came and went between the recordings of 2017 and those of 2026. The fields that went from a lead were that
// organization's own.
const CONTACT_SINCE_2017: [&str; 3] = ["+is_unsubscribed", "+timezone", "+timezone_source"];
const OPPORTUNITY_SINCE_2017: [&str; 8] = [
    "+annualized_expected_value",
    "+annualized_value",
    "+attachments",
    "+expected_value",
    "+note_html",
    "+pipeline_id",
    "+pipeline_name",
    "+status_display_name",
];
const LEAD_SINCE_2017: [&str; 8] = [
    "+country",
    "+display_name",
    "-Google Analytics ID",
    "-Mixpanel ID",
    "-Offer ID",
    "-custom.lcf_O7FCI7Px5qUwQLYTm8dpt1rdoQjLto5XyEj2RYrLGpS",
    "-custom.lcf_W9P335bV3i6hVP2Uiads5Iw6g2gN25p0Psg92QtATwd",
    "-custom.lcf_X6yTvczly4t6XQmLAdGvxU2iPEy6SfkiRVGjzo7yvnc",
];
const TASK_SINCE_2017: [&str; 7] = [
    "+agent_config_id",
    "+deduplication_key",
    "+is_primary_lead_notification",
    "+priority",
    "+resolution",
    "+sequence_id",
    "+sequence_subscription_id",
];

pub(super) fn lead(organization: &Organization) -> String {
    let address = json!({
        "address_1": "123 Main St",
        "address_2": "",
        "city": "San Francisco",
        "country": "US",
        "label": "office",
        "state": "CA",
        "zipcode": "94105",
    });
    let contact = json!({
        "name": "Alice Johnson",
        "title": "VP of Engineering",
        "emails": [{ "email": "alice@example.com", "is_unsubscribed": false, "type": "office" }],
        "phones": [{
            "country": "US",
            "phone": "+15555550100",
            "phone_formatted": "+1 555-555-0100",
            "type": "office",
        }],
    });
    let fields = json!({ "name": "Acme Corp", "addresses": [address], "contacts": [contact] });
    organization.create_lead(fields, Change::now()).unwrap()
}

#[tokio::test]
async fn leads_and_contacts_are_shown_as_recorded() {
    let asked = Asked::start().await;
    check(&asked.get("/lead/").await, sample!("list-empty"), &[]);
    let lead = lead(&asked.organization);
    let opportunity = json!({ "value": 25_000, "confidence": 50 });
    asked
        .organization
        .create_opportunity(&lead, opportunity, Change::now())
        .unwrap();
    let shown = asked.get(&format!("/lead/{lead}/")).await;
    check(&shown, sample!("lead"), &[]);
    let since = [
        LEAD_SINCE_2017.as_slice(),
        &CONTACT_SINCE_2017,
        &OPPORTUNITY_SINCE_2017,
    ];
    check(&shown, sample!("lead-2017"), &since.concat());
    check(&asked.get("/lead/").await, sample!("list-leads"), &[]);
    let contacts = asked.get("/contact/").await;
    check(&contacts, sample!("list-contacts"), &[]);
    let contact = contacts["data"][0]["id"].as_str().unwrap();
    let contact = asked.get(&format!("/contact/{contact}/")).await;
    check(&contact, sample!("contact"), &[]);
    check(&contact, sample!("contact-2017"), &CONTACT_SINCE_2017);
    asked.finish();
}

#[tokio::test]
async fn opportunities_are_shown_as_recorded() {
    let asked = Asked::start().await;
    let lead = lead(&asked.organization);
    let fields = json!({ "value": 25_000, "confidence": 50, "note": "Integration" });
    let id = asked
        .organization
        .create_opportunity(&lead, fields, Change::now())
        .unwrap();
    let list = asked.get("/opportunity/").await;
    check(&list, sample!("list-opportunities"), &[]);
    let shown = asked.get(&format!("/opportunity/{id}/")).await;
    check(&shown, sample!("opportunity"), &[]);
    check(&shown, sample!("opportunity-2017"), &OPPORTUNITY_SINCE_2017);
    asked.finish();
}

#[tokio::test]
async fn tasks_are_shown_as_recorded() {
    let asked = Asked::start().await;
    let lead = lead(&asked.organization);
    let create = |of_type: &str| {
        asked
            .organization
            .create_task(&lead, of_type, json!({}), Change::now())
            .unwrap()
    };
    let (task, followup, due) = (
        create("lead"),
        create("email_followup"),
        create("opportunity_due"),
    );
    let shown = asked.get(&format!("/task/{task}/")).await;
    check(&shown, sample!("task"), &[]);
    check(&shown, sample!("task-2017"), &TASK_SINCE_2017);
    let followup = asked.get(&format!("/task/{followup}/")).await;
    check(&followup, sample!("task-email_followup"), &[]);
    let due = asked.get(&format!("/task/{due}/")).await;
    check(&due, sample!("task-opportunity_due"), &[]);
    asked
        .organization
        .complete_task(&task, Change::now())
        .unwrap();
    check(&asked.get("/task/").await, sample!("list-tasks"), &[]);
    asked.finish();
}

#[tokio::test]
async fn activities_are_shown_as_recorded() {
    let asked = Asked::start().await;
    let lead = lead(&asked.organization);
    check(
        &asked.get("/activity/").await,
        sample!("list-activities"),
        &[],
    );
    let create = |kind: &str, fields: Value| {
        let created = asked
            .organization
            .create_activity(&lead, kind, fields, Change::now());
        format!("/activity/{kind}/{}/", created.unwrap())
    };
    let call = asked.get(&create("call", json!({}))).await;
    check(&call, sample!("activity-call"), &["+activity_at"]);
    // A call that came in through Close, whose cost and countries it knows.
    let since = [
        "+activity_at",
        "+quality_info",
        "-cost",
        "-local_country_iso",
        "-remote_country_iso",
    ];
    let calls = asked.get("/activity/call/").await;
    check(&calls, sample!("activity-call-list"), &since);
    let note = asked.get(&create("note", json!({}))).await;
    check(&note, sample!("activity-note"), &[]);
    let sms = asked.get(&create("sms", json!({}))).await;
    check(&sms, sample!("activity-sms"), &["+activity_at", "+users"]);
    let email = asked.get(&create("email", json!({}))).await;
    check(&email, sample!("activity-email"), &["+activity_at"]);
    let starts_at = json!({ "starts_at": "2026-06-20T09:00:00+00:00" });
    let meeting = asked.get(&create("meeting", starts_at)).await;
    check(&meeting, sample!("activity-meeting"), &[]);
    assert_eq!(meeting["date_created"], meeting["starts_at"]);
    let change = asked
        .get(&create("status_change/opportunity", json!({})))
        .await;
    check(&change, sample!("activity-opportunity-status-change"), &[]);
    asked.finish();
}

#[tokio::test]
async fn the_event_log_and_searches_answer_as_recorded() {
    let asked = Asked::start().await;
    lead(&asked.organization);
    let phone_number: Value = serde_json::from_str(sample!("event-phone_number-updated")).unwrap();
    let mut entry = json!({});
    for key in [
        "action",
        "changed_fields",
        "data",
        "meta",
        "object_id",
        "object_type",
        "previous_data",
    ] {
        entry[key] = phone_number[key].clone();
    }
    asked.organization.log(&entry, Change::now()).unwrap();
    let log = asked
        .get("/event/?object_type=phone_number&action=updated")
        .await;
    check(&log, sample!("list-events"), &[]);
    let id = log["data"][0]["id"].as_str().unwrap();
    let entry = asked.get(&format!("/event/{id}/")).await;
    check(&entry, sample!("event-phone_number-updated"), &[]);
    let mut search: Value =
        serde_json::from_str(sample!("request-search-leads-updated-since")).unwrap();
    search["query"]["queries"][1]["condition"]["before"] = Value::Null;
    // Public clients leave it out of the first page.
    search.as_object_mut().unwrap().remove("cursor");
    let found = asked.post("/data/search/", &search).await;
    check(&found, sample!("response-search-leads"), &[]);
    asked.finish();
}

#[tokio::test]
async fn webhook_subscriptions_are_shown_as_recorded() {
    let asked = Asked::start().await;
    let events = json!([{ "object_type": "lead", "action": "created" }]);
    let body = json!({ "url": "http://127.0.0.1:9/", "events": events });
    let created = asked.post("/webhook/", &body).await;
    check(&created, sample!("webhook-subscription-created"), &[]);
    let listed = asked.get("/webhook/").await;
    check(&listed, sample!("list-webhook-subscriptions"), &[]);
    asked.finish();
}

#[tokio::test]
async fn errors_are_answered_as_recorded() {
    let asked = Asked::start().await;
    let same = |answer: Value, recorded: &str| {
        let recorded: Value = serde_json::from_str(recorded).unwrap();
        assert_eq!(answer, recorded);
    };
    same(asked.get("/lead/lead_1/").await, sample!("error-404"));
    same(
        asked.get("/activity/?_limit=101").await,
        sample!("error-400-max-limit"),
    );
    same(
        asked.get("/contact/?_skip=250001").await,
        sample!("error-400-max-skip"),
    );
    let refused = asked.send(Method::POST, "/webhook/", &json!({})).await;
    check(&refused, sample!("error-400-field"), &["+url", "-lead"]);
    asked.organization.revoke_key(API_KEY);
    same(asked.get("/me/").await, sample!("error-401"));
    asked.finish();
}
