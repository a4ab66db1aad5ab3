//! The template and the code say the same: settings, routes, permissions.

use std::collections::BTreeSet;

use local_stack::aws::lambda::invocation::FunctionError;
use local_stack::stack::LocalStack;
use reqwest::StatusCode;
use serde_json::json;

use crate::world::{PATIENCE, World};

mod callbacks;
mod permissions;

/// A function, and where it reads its settings.
struct Settings {
    function: &'static str,
    source: &'static str,
    /// Without these it cannot start.
    required: &'static [&'static str],
}

const SETTINGS: [Settings; 3] = [
    Settings {
        function: "WebhookFunction",
        source: include_str!("../../webhook-fn/src/config.rs"),
        required: &[
            "EVENT_BUS_NAME",
            "INSTANCES_TABLE",
            "WATERMARKS_TABLE",
            "LEDGER_TABLE",
            "USER_SECRET",
            "ORGANIZATION_SECRET",
        ],
    },
    Settings {
        function: "PollerFunction",
        source: include_str!("../../poller-fn/src/config.rs"),
        required: &[
            "EVENT_BUS_NAME",
            "INSTANCES_TABLE",
            "WATERMARKS_TABLE",
            "LEDGER_TABLE",
        ],
    },
    Settings {
        function: "CallbackFunction",
        source: include_str!("../../webhook-fn/src/callback/config.rs"),
        required: &[
            "INSTANCES_TABLE",
            "CALLBACK_WAITS_TABLE",
            "CALLBACK_RETRY_QUEUE_URL",
            "CALLBACK_DEAD_LETTER_QUEUE_URL",
            "CALLBACK_FAILURE_QUEUE_URL",
        ],
    },
];

/// What the runtime's own logging reads.
const LOGGING: &str = "RUST_LOG";
/// What only a stack on this machine sets: to let events be posted to it.
const LOCAL: &str = "CALLBACK_ALLOW_LOOPBACK";

/// The variables that a function's `Config` reads on AWS: the names in upper case among its string literals.
fn read_by(source: &str) -> BTreeSet<&str> {
    let is_name = |text: &&str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
            && *text != LOCAL
    };
    source.split('"').filter(is_name).collect()
}

/// The variables that the template gives to a function.
fn given_to(stack: &LocalStack, function: &str) -> BTreeSet<String> {
    let environment = &stack.function(function).unwrap().spec.environment;
    environment.keys().cloned().collect()
}

/// Starts the function, if it can be started, by something that it refuses.
async fn start(world: &World, function: &str) -> Result<(), FunctionError> {
    let event = json!({
        "version": "2.0", "rawPath": "/", "headers": {}, "isBase64Encoded": false,
        "requestContext": {"http": {"method": "GET", "path": "/"}, "stage": "$default"},
    });
    match world.stack.function(function).unwrap().invoke(&event).await {
        // What has been started fails in other ways.
        Err(error) if error.error_type == "Runtime.ExitError" => Err(error),
        _ => Ok(()),
    }
}

#[tokio::test]
async fn the_template_sets_each_variable_that_its_function_reads_and_no_other() {
    let world = World::start().await;
    for Settings {
        function, source, ..
    } in SETTINGS
    {
        let mut read = read_by(source);
        for name in &read {
            let documented = format!("`{name}`: ");
            assert!(source.contains(&documented), "{function}: {name}");
        }
        read.insert(LOGGING);
        let read: BTreeSet<_> = read.into_iter().map(str::to_owned).collect();
        assert_eq!(given_to(&world.stack, function), read, "{function}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_function_without_a_variable_that_it_needs_does_not_start_and_names_it() {
    for Settings {
        function,
        source,
        required,
    } in SETTINGS
    {
        for name in read_by(source) {
            let world =
                World::start_with(|builder| builder.without_environment(function, name)).await;
            let started = start(&world, function).await;
            if required.contains(&name) {
                let error = started.unwrap_err();
                assert_eq!(error.error_type, "Runtime.ExitError", "{name}");
                let problem = format!("{name} is not set");
                let function = world.stack.function(function).unwrap();
                let names_it = |line: &str| line.contains(&problem);
                function.wait_for_output(PATIENCE, names_it).await.unwrap();
            } else {
                started.unwrap();
            }
            world.finish().await;
        }
    }
}

#[tokio::test]
async fn all_that_is_wrong_with_the_environment_is_said_in_one_line() {
    for Settings {
        function,
        source,
        required,
    } in SETTINGS
    {
        let mut problems: Vec<_> = required
            .iter()
            .map(|name| format!("{name} is not set"))
            .collect();
        for (name, problem) in [
            ("EVENT_MAX_BYTES", "is not a number of bytes"),
            ("DISPATCH_PER_SECOND", "is not a whole number from 1"),
        ] {
            if read_by(source).contains(name) {
                problems.push(format!("{name} {problem}"));
            }
        }
        let world = World::start_with(|builder| {
            let builder = required.iter().fold(builder, |builder, name| {
                builder.without_environment(function, name)
            });
            let builder = builder.environment(function, "EVENT_MAX_BYTES", "many");
            builder.environment(function, "DISPATCH_PER_SECOND", "0")
        })
        .await;

        start(&world, function).await.unwrap_err();

        let function = world.stack.function(function).unwrap();
        let names_all = |line: &str| problems.iter().all(|problem| line.contains(problem));
        function.wait_for_output(PATIENCE, names_all).await.unwrap();
        world.finish().await;
    }
}

#[tokio::test]
async fn the_templates_routes_are_those_that_the_function_knows() {
    let world = World::start().await;
    // Each route of the function is documented by its method and path.
    let source = include_str!("../../webhook-fn/src/http/route.rs");
    let known: BTreeSet<_> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("/// `")?.strip_suffix('`'))
        .map(|route| route.replacen(" /", " /elements/api-v2/", 1))
        .collect();
    let routes = &world.stack.function("WebhookFunction").unwrap().spec.routes;
    let in_template: BTreeSet<_> = routes
        .iter()
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    assert_eq!(in_template, known);
    let poller = world.stack.function("PollerFunction").unwrap();
    assert_eq!(poller.spec.routes, []);

    for route in routes {
        let path = route.path.replacen("/elements/api-v2", "", 1);
        let path = path.replace("{encodedId}", "MTI=").replace("{id}", "12");
        let answer = world.call(&route.method, &path, None, "").await;
        assert!(answer.headers.contains_key("elements-request-id"), "{path}");
        let unknown = "there is nothing at this method and path";
        assert_ne!(answer.body["message"], unknown);
    }
    world.finish().await;
}

#[tokio::test]
async fn what_the_template_does_not_route_the_function_refuses_itself() {
    let world = World::start().await;
    let event = json!({
        "version": "2.0", "rawPath": "/elements/api-v2/instances", "headers": {}, "isBase64Encoded": false,
        "requestContext": {"http": {"method": "PATCH", "path": "/elements/api-v2/instances"}, "stage": "$default"},
    });
    let function = world.stack.function("WebhookFunction").unwrap();
    let answer = function.invoke(&event).await.unwrap();
    assert_eq!(answer["statusCode"], StatusCode::NOT_FOUND.as_u16());
    world.finish().await;
}
