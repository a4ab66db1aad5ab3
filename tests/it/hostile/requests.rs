//! Requests as no API Gateway should hand them over.

use serde_json::{Value, json};

use super::Processes;
use crate::world::World;

fn request(host: &Value, path: &Value, query: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "GET /x", "rawPath": path, "rawQueryString": query,
        "headers": {"host": "a b", "x-forwarded-proto": "gopher"},
        "requestContext": {"stage": "$default", "domainName": host, "http": {"method": "GET", "path": "/"}},
        "isBase64Encoded": true, "body": "not base64",
    })
}

#[tokio::test]
async fn what_makes_no_url_is_answered_and_the_function_lives() {
    let world = World::start().await;
    world.call("GET", "/instances", None, "").await;
    let processes = Processes::of(&world, "WebhookFunction");
    let good = json!("/elements/api-v2/instances");
    let long = "/x".repeat(100_000);
    let hosts = [
        "", "a b", ":", "[", "@", "\"a\"", "a:99999", "\u{ff0f}", &long,
    ];
    let hosts = hosts.map(|host| (json!(host), good.clone(), 401));
    let paths = [
        "",
        "x",
        "?",
        "elements/api-v2/instances",
        ":1/",
        "\\",
        &long,
    ];
    let paths = paths.map(|path| (json!("example.com"), json!(path), 404));
    let missing = [
        (json!(null), good.clone(), 401),
        (json!("example.com"), json!(null), 404),
    ];
    let all = hosts.into_iter().chain(paths).chain(missing);
    for (host, path, status) in all {
        for query in ["", "a[]=\" <>\\^`{|}\u{0}é", &long] {
            let answer = processes
                .function
                .invoke(&request(&host, &path, query))
                .await;
            let answer = answer.unwrap_or_else(|error| panic!("{host} {path}: {error}"));
            assert_eq!(answer["statusCode"], status, "{host:.40} {path:.40}");
            processes.assert_alive();
        }
    }
    world.finish().await;
}
