//! Good inputs. What is recorded of Close is in `tests/it/samples` and `tests/src/close/samples`.

use serde_json::json;

fn owned<const N: usize>(seeds: [&str; N]) -> Vec<String> {
    seeds.map(str::to_owned).to_vec()
}

pub(super) fn records() -> Vec<String> {
    owned([
        include_str!("../../close/samples/lead.json"),
        include_str!("../../close/samples/contact.json"),
        include_str!("../../../it/samples/event-lead-updated-consolidated.json"),
        include_str!("../../close/samples/opportunity.json"),
        include_str!("../../close/samples/task.json"),
        include_str!("../../close/samples/activity-email.json"),
        include_str!("../../../it/samples/event-lead-deleted-by-merge.json"),
        include_str!("../../../it/samples/event-phone_number-updated.json"),
    ])
}

pub(super) fn webhooks() -> Vec<String> {
    owned([
        include_str!("../../../it/samples/webhook-delivery-lead-created.json"),
        include_str!("../../../it/samples/webhook-delivery-lead-deleted.json"),
        include_str!("../../../it/samples/webhook-delivery-opportunity-updated.json"),
        include_str!("../../../it/samples/legacy-webhook-create.json"),
        include_str!("../../../it/samples/legacy-webhook-delete.json"),
        include_str!("../../../it/samples/legacy-webhook-merge.json"),
    ])
}

pub(super) fn close_answers() -> Vec<String> {
    owned([
        include_str!("../../close/samples/response-search-leads.json"),
        include_str!("../../close/samples/list-opportunities.json"),
        include_str!("../../close/samples/list-events.json"),
        include_str!("../../close/samples/list-tasks.json"),
        include_str!("../../close/samples/list-empty.json"),
        include_str!("../../close/samples/webhook-subscription-created.json"),
        include_str!("../../close/samples/list-webhook-subscriptions.json"),
        include_str!("../../close/samples/error-400-field.json"),
        r#"{"fields":[{"id":"cf_1","name":"Owner","type":"text","accepts_multiple_values":false,"custom":{"Owner":["a"],"New":1},"custom.cf_1":{}}]}"#,
        include_str!("../../close/samples/error-429-2017.json"),
        "Duplicate active subscription: whsub_1aB",
        "accounts, activity.call,task",
    ])
}

pub(super) fn jsons() -> Vec<String> {
    [records(), webhooks(), instances()].concat()
}

pub(super) fn encoded_ids() -> Vec<String> {
    owned([
        "MjA5MzE=",
        "MjA5MzE",
        "MjA5MzE%3D",
        "MjA5MzEK",
        "20931",
        "instances/20931/enabled",
        "//events/closeio/MQ==",
    ])
}

pub(super) fn authorization() -> Vec<String> {
    owned([
        "User user-secret, Organization organization-secret",
        "User a, Organization b, Element dG9rZW4=",
        "Element dG9rZW4=",
        "Bearer x",
    ])
}

pub(super) fn instances() -> Vec<String> {
    let polling = json!({
        "element": {"key": "closeio"},
        "name": "By polling",
        "tags": ["Sales", "é"],
        "configuration": {
            "username": "api_secret",
            "password": "",
            "event.notification.enabled": "true",
            "event.notification.callback.url": "https://example.com/events",
            "event.notification.callback.headers": {"X-Tenant": "acme", "x-number": 7},
            "event.notification.basic.username": "Aladdin",
            "event.notification.basic.password": "open sesame api_secret",
            "event.notification.signature.key": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "event.vendor.type": "polling",
            "event.poller.start": "2026-01-01T00:00:00Z",
            "event.poller.refresh_interval": 5,
            "event.poller.configuration": {
                "contacts": {
                    "url": "/hubs/crm/contacts?where=date_updated>'${gmtDate:yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX}' AND name LIKE 'A%'",
                    "idField": "id",
                    "datesConfiguration": {
                        "updatedDateField": "date_updated",
                        "updatedDateFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
                        "updatedDateTimezone": "GMT",
                        "createdDateField": "$.date_created",
                        "createdDateFormat": "milliseconds"
                    },
                    "filterByUpdatedDate": true,
                    "createdCheckTolerance": 60,
                    "pageSize": "200",
                    "pollDelay": 60
                },
                "all": {"url": "/hubs/crm/events", "source": "event-log", "other": [{}]},
            }
        }
    });
    let webhook = json!({
        "element": {"key": "closeio"},
        "name": "By webhook",
        "configuration": {
            "username": "api_secret",
            "base.url": "https://api.close.com/api/v1/",
            "event.notification.enabled": true,
            "event.notification.type": "eventbridge",
            "event.vendor.type": "webhook",
            "event.webhook.subscribe": "true",
            "event.webhook.signature.key": "b9260244ef33625f",
            "event.objects": "accounts, activity.call"
        }
    });
    let patch = json!({"name": "New", "configuration": {"username": "********", "event.poller.urls": "contacts|leads", "base.url": null}});
    let backfill = json!({"resource": "contacts", "from": "2026-01-01T00:00:00Z", "to": null});
    [polling, webhook, patch, backfill]
        .map(|seed| seed.to_string())
        .to_vec()
}

/// The key, a line end and the value.
pub(super) fn configuration_values() -> Vec<String> {
    owned([
        "base.url\nhttps://api.close.com/api/v1",
        "base.url\nhttp://127.0.0.1:8000",
        "event.notification.enabled\ntrue",
        "event.notification.callback.url\nhttps://user:password@example.com:8443/a?b=c",
        "event.notification.callback.url\nhttps://[2606:4700::1111]/",
        "event.notification.basic.username\nAladdin",
        "event.notification.signature.key\nwhsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        "event.webhook.signature.key\nb9260244ef33625f9b4b26a27db08758",
        "event.objects\naccounts, activity.call",
        "event.poller.start\n2026-01-01T00:00:00+01:00",
        "event.poller.refresh_interval\n15",
        "event.vendor.type\npolling",
        "event.poller.configuration\n{\"leads\":{\"url\":\"/hubs/crm/leads\"}}",
        "event.poller.urls\ncontacts|leads",
    ])
}

pub(super) fn callback_headers() -> Vec<String> {
    owned([
        r#"{"X-Tenant": "acme", "x-number": 7, "x-yes": true}"#,
        r#"{"Authorization": "Bearer secret"}"#,
    ])
}

pub(super) fn ceql() -> Vec<String> {
    owned([
        "date_updated>'${gmtDate:yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX}'",
        "/hubs/crm/contacts?where=date_updated>=${date} AND name LIKE 'A & B%'",
        "name LIKE 'A%' AND (value >= 100 OR status_label IN ('x', 2, TRUE))",
        "((a=1 OR b!='it''s')AND `c.d[0]` IS NOT NULL) or 'e f' is null",
        "date_created < '2026-06-19' and 2017-02-28 <= date_created",
        "1<a AND b = -1.5e3 AND 'x ${date}' != c AND d > ${epoch:ms}",
        "date_updated>${dateTimeZone:{America/Denver}:yyyy-MM-dd HH:mm:ss}",
        "contacts[0].emails[0].email LIKE '%@%.com'",
        "custom.cf_1 = true",
    ])
}

/// The pattern, a line end and a date.
pub(super) fn date_patterns() -> Vec<String> {
    owned([
        "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX\n2026-06-19T12:04:01.697000+00:00",
        "MM/dd/yy hh:mm:ss a z\n06/19/26 12:04:01 PM PDT",
        "EEEE, d MMMM yyyy HH:mm ZZZ\nFriday, 19 June 2026 12:04 -0600",
        "yyyyMMddHHmmssnnnnnnnnn X\n20260619120401697000000 -06",
        "yyyy-MM-dd HH:mm VV\n2026-03-08 02:30 America/Denver",
        "''yyyy''\n'2026'",
        "milliseconds\n1781870641697",
        "10 digit integer Unix time\n1781870641",
        "America/Denver\n",
        "GMT-8:00\n",
    ])
}

pub(super) fn poller_configurations() -> Vec<String> {
    let of_instance = json!({
        "contacts": {
            "url": "/hubs/crm/contacts?where=m.updated>'${epoch}' AND (name LIKE 'A%' OR a.b[0] IS NULL)",
            "idField": "$.emails[0].email",
            "datesConfiguration": {"updatedDateField": "m.updated", "updatedDateFormat": "milliseconds", "createdDateField": "m.created", "createdDateTimezone": "PST"},
            "filterByUpdateDate": "TRUE", "useLastPollDate": true, "objectName": "contacts", "createdCheckTolerance": "60"
        },
        "leads": {"url": "/hubs/crm/leads", "source": "event-log", "pageSize": 500, "pollDelay": 5, "other": {"x": [1]}}
    });
    vec![of_instance.to_string()]
}

pub(super) fn poller_urls() -> Vec<String> {
    owned([
        "contacts|leads",
        "accounts|/hubs/crm/accounts?where=LastModifiedDate>=${date} AND name='x'||LastModifiedDate|yyyy-MM-dd'T'HH:mm:ssZ|-8:00|CreatedDate|yyyy-MM-dd",
        "\r\n contacts | /hubs/crm/contacts \r\n\nleads|/hubs/crm/leads|||||||\ntasks||||||date_created",
    ])
}

/// Headers, an empty line and a body.
pub(super) fn rate_limits() -> Vec<String> {
    owned([
        "ratelimit:limit=100, remaining=0, reset=0.25\nretry-after:1\ndate:Fri, 19 Jun 2026 12:00:00 GMT\n\n",
        "ratelimit:limit=100; remaining=100; reset=1\nratelimit-reset:1\n\n",
        "retry-after:Sunday, 06-Nov-94 08:49:37 GMT\ndate:Sun, 06 Nov 1994 08:49:37 GMT\n\n<html>",
        "retry-after:Sun Nov  6 08:49:37 1994\nx-rate-limit-reset:5\n\n",
        "retry-after:120\n\n{\"error\":{\"rate_reset\":0.87}}",
        "\n\n{\"message\":\"API call count exceeded\",\"rate_reset\":\"0.595956\"}",
        "close-sig-hash:b9260244ef33625f9b4b26a27db08758cdd39478b852c73f2d33ab042eb8abb4\nclose-sig-timestamp:1544037700\n\n{}",
    ])
}

pub(super) fn sqs() -> Vec<String> {
    let detail = json!({
        "id": "479e76ad29a077976e08103ed6e66062", "instanceId": 20_931, "instanceName": "Test", "instanceTags": ["Test"],
        "elementKey": "closeio", "objectType": "contact", "objectId": "cont_1", "eventType": "UPDATED", "action": "updated",
        "date": "2026-06-19T12:06:45.242Z", "channel": "polling", "callback": true, "raw": {"id": "cont_1", "n": 1.50},
        "dataHidden": true, "current": {"id": "cont_1"}
    });
    let message = |detail: serde_json::Value, queue: &str| {
        let body = json!({"version": "0", "id": "6a7e8feb", "detail-type": "contact.updated", "source": "closeio", "time": "2026-06-19T12:06:52Z", "resources": [], "detail": detail});
        json!({"Records": [{
            "messageId": "m1", "receiptHandle": "r1", "body": body.to_string(),
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1781870000000"},
            "messageAttributes": {"attempt": {"stringValue": "2", "dataType": "Number"}, "firstFailure": {"stringValue": "1781870346000"}},
            "eventSource": "aws:sqs", "eventSourceARN": format!("arn:aws:sqs:eu-central-1:123456789012:{queue}"),
        }]})
        .to_string()
    };
    let mut with_text = detail.clone();
    with_text["raw"] = json!(null);
    with_text["rawText"] = json!(r#"{"name": "cut \ud83d"}"#);
    let mut without = detail.clone();
    without["raw"] = json!(null);
    without["channel"] = json!("webhook");
    without["rawOmitted"] =
        json!({"bytes": 7, "href": "https://api.close.com/api/v1/lead/lead_1/"});
    vec![
        message(detail, "retries"),
        message(with_text, "callbacks"),
        message(without, "retries"),
    ]
}

pub(super) fn api_gateway() -> Vec<String> {
    let seed = |path: &str, query: &str, body: Option<&str>, is_base64_encoded: bool| {
        json!({
            "version": "2.0", "routeKey": "POST /x", "rawPath": path, "rawQueryString": query,
            "cookies": ["a=b"], "headers": {"host": "example.com", "x-forwarded-proto": "https", "content-type": "application/json"},
            "queryStringParameters": {"tags[]": "a,b"}, "pathParameters": {"encodedId": "MjA5MzE="},
            "requestContext": {
                "accountId": "1", "apiId": "a", "domainName": "a.execute-api.eu-central-1.amazonaws.com", "stage": "$default", "timeEpoch": 1,
                "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "x"},
            },
            "body": body, "isBase64Encoded": is_base64_encoded,
        })
        .to_string()
    };
    vec![
        seed(
            "/elements/api-v2/instances",
            "tags%5B%5D=a&pageSize=1",
            Some("{}"),
            false,
        ),
        seed(
            "/elements/api-v2/events/closeio/MjA5MzE=",
            "",
            Some("e30="),
            true,
        ),
        seed("/é/ |\"<>`{}", "a[]=\"é <>", None, false),
    ]
}
