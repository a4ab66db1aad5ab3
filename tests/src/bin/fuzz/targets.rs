//! The parsers of foreign text, and what must be true of what they return.
//!
//! A panic is a finding, so promises are assertions.

use std::sync::{Arc, LazyLock};

use anyhow::{Result, ensure};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use lambda_http::Request;
use lambda_http::http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;
use shared::close::custom_fields::Schemas;
use shared::close::page::Page;
use shared::close::search::Searched;
use shared::close::webhook::{CreatedSubscription, Subscription, SubscriptionList};
use shared::close::{rate_limit, timestamp, webhook};
use shared::event::bus::DEFAULT_MAX_BYTES;
use shared::event::entry::RawForm;
use shared::event::log_entry;
use shared::event::{Channel, Event};
use shared::instance::Instance;
use shared::instance::configuration::{Configuration, MASK, known_keys};
use shared::instance::id::InstanceId;
use shared::instance::policy::Policy;
use shared::instance::settings::objects;
use shared::instance::settings::{Settings, field};
use shared::json::path;
use shared::json::{has_lone_half, mended, raw, read, string, text, tokens, tree};
use shared::polling::ceql::push_down::push_down;
use shared::polling::ceql::{Expr, watermark};
use shared::polling::date_pattern::{DateFormat, zone};
use shared::polling::poller_configuration;
use shared::polling::query::Query;
use shared::polling::resource::Resource;
use shared::polling::urls;
use shared::polling::warnings::MAX_WARNINGS;
use webhook_fn::callback::attempt::Attempt;
use webhook_fn::callback::event::Published;
use webhook_fn::callback::message::{Message, SqsEvent};
use webhook_fn::callback::reason::Reason;
use webhook_fn::callback::{decide, notification, schedule};
use webhook_fn::http::authorization::Credentials;
use webhook_fn::http::error::HandlerError;
use webhook_fn::http::{gateway, route};
use webhook_fn::instances::{backfill_request, members, request, view};
use webhook_fn::webhook::{payload, signature};

use super::seeds;

/// What is answered to a refused request fits an answer of Lambda's, 6 MB, many times.
const MAX_ANSWER: usize = 500_000;
const NOW: Timestamp = Timestamp::constant(1_781_870_400, 0);

/// So many bytes of schemas are stored.
const MAX_SCHEMAS: usize = 64 * 1024;

/// What an answer shows as [`MASK`].
const SECRETS: [&str; 6] = [
    field::USERNAME,
    "password",
    field::SIGNATURE_KEY,
    field::NOTIFICATION_KEY,
    field::BASIC_PASSWORD,
    field::CALLBACK_HEADERS,
];

/// A parser.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) seeds: Vec<String>,
    pub(crate) feed: fn(&[u8]),
}

/// All of them, or one.
pub(crate) fn targets(name: Option<&str>) -> Result<Vec<Target>> {
    let target = |name, seeds, feed| Target { name, seeds, feed };
    let mut targets = vec![
        target("api-gateway", seeds::api_gateway(), api_gateway),
        target("authorization", seeds::authorization(), authorization),
        target(
            "callback-headers",
            seeds::callback_headers(),
            callback_headers,
        ),
        target("ceql", seeds::ceql(), ceql),
        target("close-answer", seeds::close_answers(), close_answer),
        target(
            "configuration-value",
            seeds::configuration_values(),
            configuration_value,
        ),
        target("date-pattern", seeds::date_patterns(), date_pattern),
        target("encoded-id", seeds::encoded_ids(), encoded_id),
        target("instance", seeds::instances(), instance),
        target("json", seeds::jsons(), any_json),
        target(
            "poller-configuration",
            seeds::poller_configurations(),
            poller_configuration,
        ),
        target("poller-urls", seeds::poller_urls(), poller_urls),
        target("rate-limit", seeds::rate_limits(), rate_limits),
        target("record", seeds::records(), record),
        target("sqs", seeds::sqs(), sqs),
        target("webhook", seeds::webhooks(), webhook_body),
    ];
    targets.retain(|target| name.is_none_or(|name| name == target.name));
    ensure!(!targets.is_empty(), "there is no such target");
    Ok(targets)
}

/// An instance that polls, and what its configuration means.
static INSTANCE: LazyLock<(Instance, Settings)> = LazyLock::new(|| {
    let Ok(Value::Object(members)) = tree(&seeds::instances()[0]) else {
        panic!("the first seed is an object");
    };
    let Some(Value::Object(members)) = members.get("configuration").cloned() else {
        panic!("it has a configuration");
    };
    let mut configuration = Configuration::default();
    configuration.merge(members);
    let settings = Settings::stored(&configuration);
    let settings = settings.unwrap_or_else(|errors| panic!("{errors:?}"));
    let instance = Instance::new(id(), "Test", configuration, NOW);
    (instance, settings)
});

static RECORDS: LazyLock<Vec<Box<RawValue>>> = LazyLock::new(|| {
    let records = seeds::records();
    records
        .iter()
        .filter_map(|record| raw(record).ok())
        .collect()
});

fn id() -> InstanceId {
    20_931.try_into().unwrap_or_else(|_| panic!("an id"))
}

fn lossy(input: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(input)
}

fn api_gateway(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Ok(request) = read(text) {
        let request = Request::from(gateway::sanitize(request));
        let path = lambda_http::RequestExt::raw_http_path(&request);
        route::find(request.method(), path);
    }
}

fn authorization(input: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(input) else {
        return;
    };
    let headers: HeaderMap = [(HeaderName::from_static("authorization"), value)]
        .into_iter()
        .collect();
    let credentials = Credentials::from_headers(&headers);
    let (instance, _) = &*INSTANCE;
    credentials.token_hash();
    // The instance has no token.
    let hash = &instance.token_hash;
    assert!(credentials.token_hash().as_ref() != Some(hash));
}

fn callback_headers(input: &[u8]) {
    let (instance, _) = &*INSTANCE;
    let mut configuration = instance.configuration.clone();
    configuration.set(field::CALLBACK_HEADERS, &lossy(input));
    let _ = Settings::stored(&configuration);
}

/// Any key of the configuration: the text before the first line end is the key.
fn configuration_value(input: &[u8]) {
    let input = lossy(input);
    let (key, value) = input.split_once('\n').unwrap_or((&input, ""));
    let (instance, _) = &*INSTANCE;
    let mut configuration = instance.configuration.clone();
    configuration.set(key, value);
    let strict = Settings::parse(&configuration, &Policy::default());
    if strict.is_ok() {
        let again = Settings::stored(&configuration);
        assert!(again.is_ok(), "what is taken cannot be read again");
    }
}

fn ceql(input: &[u8]) {
    let input = lossy(input);
    let _ = Query::parse(&input, "date_updated");
    let Ok(expr) = Expr::parse(&input) else {
        return;
    };
    assert_eq!(Expr::parse(&expr.to_string()).as_ref(), Ok(&expr));
    push_down(&expr);
    for record in RECORDS.iter().take(3) {
        expr.matches(record);
    }
    let _ = watermark::take(expr, "date_updated");
}

fn close_answer(input: &[u8]) {
    let input = lossy(input);
    if let Ok(page) = read::<Page>(&input) {
        page.is_followed();
        page.data.iter().for_each(|record| read_record(record));
        custom_fields(&page);
    }
    if let Ok(object) = raw(&input) {
        read_record(&object);
    }
    let _ = read::<CreatedSubscription>(&input);
    let _ = read::<Subscription>(&input);
    let _ = read::<SubscriptionList>(&input);
    webhook::duplicates_of(&input);
    for refused in webhook::refused(&input, &objects::events(None).unwrap_or_default()) {
        assert!(refused < 500);
    }
    let (objects, filters) = input.split_once('\n').unwrap_or((&input, ""));
    objects::unknown(Some(objects)).for_each(drop);
    if let (Ok(mut events), Ok(Value::Object(filters))) =
        (objects::events(Some(objects)), tree(filters))
    {
        let _ = objects::set_filters(&mut events, &filters);
    }
}

/// A page as a schema, and its records as that schema sees them.
fn custom_fields(page: &Page) {
    let mut schemas = Schemas::default();
    schemas.put(Searched::Lead, page, NOW);
    let stored = schemas.to_json();
    assert!(stored.len() <= MAX_SCHEMAS, "schemas of {}", stored.len());
    drop(Schemas::from_json(&stored));
    let Some(schema) = schemas.get(Searched::Lead) else {
        panic!("the schema is not there");
    };
    for record in &page.data {
        schema.lacks_field_of(record);
        let paths = ["custom.cf_1", "custom.Owner[0].a", "custom.\u{fffd}"];
        let resolved = schema.resolved(record, paths);
        let twice = path::extended(&resolved, path::members(record));
        assert!(raw(twice.get()).is_ok(), "a record that is not JSON");
    }
}

/// The text behind the first line end is a date.
fn date_pattern(input: &[u8]) {
    let input = lossy(input);
    let (pattern, date) = input.split_once('\n').unwrap_or((&input, ""));
    let zone = zone::find(pattern).unwrap_or(TimeZone::UTC);
    let others = ["2026-06-19T12:04:01.697000+00:00", "", "0", pattern];
    if let Ok(format) = DateFormat::parse(pattern) {
        for date in others.into_iter().chain([date]) {
            format.read(date, &zone);
        }
    }
    timestamp::parse(&input);
}

fn encoded_id(input: &[u8]) {
    let input = lossy(input);
    if let Ok(id) = InstanceId::from_base64(&input) {
        assert_eq!(InstanceId::from_base64(&id.to_base64()), Ok(id));
    }
    let _ = input.parse::<InstanceId>();
    let path = format!("/elements/api-v2/{input}");
    route::find(&lambda_http::http::Method::POST, &path);
}

fn instance(input: &[u8]) {
    let (old, settings) = &*INSTANCE;
    let policy = Policy {
        callbacks_enabled: true,
        ..Policy::default()
    };
    let results = [
        request::parse(input, &policy, None),
        request::parse(input, &policy, Some(old)),
        request::parse_patch(input, &policy, old),
    ];
    for result in results {
        match result {
            Err(error) => assert_short(&error),
            Ok(provision) => {
                let again = Settings::stored(&provision.configuration);
                assert!(again.is_ok(), "what is taken cannot be read again");
                let mut instance =
                    Instance::new(id(), &provision.name, provision.configuration, NOW);
                instance.tags = provision.tags;
                let shown = view::to_json(&instance, &provision.settings, "https://example.com");
                for (key, value) in shown["configuration"].as_object().into_iter().flatten() {
                    let may_be_shown =
                        known_keys().any(|known| known == key) && !SECRETS.contains(&key.as_str());
                    assert!(
                        may_be_shown || value == "" || value == MASK,
                        "{key} is shown"
                    );
                }
                let lines = provision.warnings.into_lines();
                assert!(lines.len() <= MAX_WARNINGS + 1 && lines.concat().len() <= MAX_ANSWER);
            }
        }
    }
    if let Ok(members) = members::parse_object(input) {
        let resources = settings
            .polling
            .as_ref()
            .map(|polling| &polling.resources[..]);
        let span = backfill_request::parse(&members, resources.unwrap_or_default(), NOW);
        if let Err(errors) = span {
            assert_short(&HandlerError::Invalid(errors));
        }
    }
}

fn assert_short(error: &HandlerError) {
    let body = serde_json::to_string(&error.body("id")).unwrap_or_default();
    assert!(
        body.len() <= MAX_ANSWER,
        "an answer of {} bytes",
        body.len()
    );
}

fn any_json(input: &[u8]) {
    let Ok(text) = text(input) else {
        return;
    };
    tokens::tokens(text).for_each(drop);
    string(text);
    let Ok(kept) = raw(text) else {
        assert!(tree(text).is_err(), "a tree of what is not JSON");
        return;
    };
    let mended = mended(&kept);
    assert!(!has_lone_half(mended.get()));
    assert!(read::<IgnoredAny>(mended.get()).is_ok());
    if let Ok(value) = tree(text) {
        let written = value.to_string();
        assert_eq!(tree(&written).ok(), Some(value), "{written}");
    }
    if path::suits_event_bridge(&kept) {
        assert!(!has_lone_half(kept.get()));
    }
}

fn poller_configuration(input: &[u8]) {
    if let Ok(resources) = poller_configuration::parse(&lossy(input)) {
        read_with(&resources);
    }
}

fn poller_urls(input: &[u8]) {
    if let Ok(resources) = urls::parse(&lossy(input)) {
        read_with(&resources);
    }
}

fn read_with(resources: &[Resource]) {
    for resource in resources.iter().take(10) {
        for record in RECORDS.iter().take(3) {
            path::text_at(record, &resource.id_field);
            resource.updated.read(record);
            resource.created.read(record);
            if let Some(filter) = &resource.query.filter {
                filter.matches(record);
            }
        }
    }
}

/// Lines of headers, and the body behind an empty line.
fn rate_limits(input: &[u8]) {
    let input = lossy(input);
    let (headers, body) = input.split_once("\n\n").unwrap_or((&input, ""));
    let headers = headers.lines().filter_map(|line| line.split_once(':'));
    let headers = headers.filter_map(|(name, value)| {
        let name = HeaderName::try_from(name).ok()?;
        Some((name, HeaderValue::try_from(value).ok()?))
    });
    let headers: HeaderMap = headers.collect();
    let wait = rate_limit::wait(&headers, body);
    assert!(wait.as_secs() <= 600, "{wait:?}");
    rate_limit::pause(&headers);
    if let Some(wait) = shared::text::http_time::retry_after(&headers, Some(NOW)) {
        let wait = wait.try_into().ok();
        for attempt in 0..7 {
            schedule::next(attempt, NOW, NOW, wait, 1.0);
        }
    }
    let keys = [
        SecretString::from("b9260244ef33625f"),
        SecretString::from("x"),
    ];
    let _ = signature::verify(&keys, &headers, body.as_bytes());
}

fn record(input: &[u8]) {
    if let Ok(record) = raw(&lossy(input)) {
        read_record(&record);
    }
}

/// All that is read of a record, or of an entry of the event log.
fn read_record(record: &RawValue) {
    for path in [
        "id",
        "date_updated",
        "contacts[0].emails[0].email",
        "custom.cf_1.a.b[0][1]",
        "data.name",
        "\u{fffd}",
    ] {
        path::text_at(record, path);
        path::at(record, path);
    }
    let keys = ["id", "date_updated", "\u{fffd}"];
    assert_eq!(
        path::texts(record, keys),
        keys.map(|key| path::text_at(record, key))
    );
    log_entry::object(record);
    drop(log_entry::to_change(
        record,
        Arc::from(record.to_owned()),
        NOW,
    ));
    path::suits_event_bridge(record);
    for condition in CONDITIONS.iter() {
        condition.matches(record);
    }
}

static CONDITIONS: LazyLock<Vec<Expr>> = LazyLock::new(|| {
    let conditions = seeds::ceql();
    let read = conditions.iter().filter_map(|text| Expr::parse(text).ok());
    read.collect()
});

fn sqs(input: &[u8]) {
    let Ok(event) = read::<SqsEvent>(&lossy(input)) else {
        return;
    };
    let (_, settings) = &*INSTANCE;
    for record in event.records {
        let message = Message::read(record, "https://sqs.example.com/1/retries");
        let failed = Attempt::Failed {
            reason: Reason::Timeout,
            retry_after: None,
        };
        decide::outcome(failed, &message, NOW, -1.0);
        if let Some(published) = Published::parse(&message.body) {
            let body = notification::body(&published, settings);
            assert!(raw(&body).is_ok(), "a notification that is not JSON");
            assert!(
                !has_lone_half(&body),
                "a notification that strict readers refuse"
            );
        }
    }
}

fn webhook_body(input: &[u8]) {
    let Ok(changes) = payload::to_changes(input, NOW) else {
        return;
    };
    let (instance, settings) = &*INSTANCE;
    for change in changes {
        let event = Event::new(instance, settings, Channel::Webhook, change);
        for (form, max_bytes) in [
            (RawForm::Json, DEFAULT_MAX_BYTES),
            (RawForm::Json, 1_000),
            (RawForm::Text, DEFAULT_MAX_BYTES),
        ] {
            let (entry, _) = event.to_entry(form, max_bytes);
            let detail = raw(&entry.detail).ok();
            let detail = detail.unwrap_or_else(|| panic!("a detail that is not JSON"));
            assert!(
                path::suits_event_bridge(&detail),
                "a detail that is refused"
            );
            assert!(entry.detail_type.chars().count() <= 128);
        }
    }
}
