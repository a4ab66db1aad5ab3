//! A function whose binary is this very test program, running [`bootstrap`] alone.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::*;
use crate::template::specs::function::{AsyncSpec, LoggingSpec};

const SOON: Duration = Duration::from_secs(10);

/// What the function does with each payload. It runs in the other tests' processes, never by itself.
#[test]
#[ignore = "the function that the other tests run"]
fn bootstrap() -> Result<()> {
    let mut environment: BTreeMap<String, String> = std::env::vars().collect();
    let api = environment
        .remove("AWS_LAMBDA_RUNTIME_API")
        .context("no Runtime API")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(
        &format!("http://{api}/2018-06-01/runtime"),
        &environment,
    ))
}

async fn serve(api: &str, environment: &BTreeMap<String, String>) -> Result<()> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    if environment.contains_key("BROKEN") {
        let report = json!({"errorType": "Broken", "errorMessage": "cannot start"});
        http.post(format!("{api}/init/error"))
            .json(&report)
            .send()
            .await?;
        std::process::exit(1);
    }
    loop {
        let next = http.get(format!("{api}/invocation/next")).send().await?;
        let id = next.headers()["lambda-runtime-aws-request-id"]
            .to_str()?
            .to_owned();
        let payload: Value = next.json().await?;
        let post = |end| http.post(format!("{api}/invocation/{id}/{end}"));
        eprintln!("asked to {payload}");
        if let Some(records) = payload["Records"].as_array() {
            match handle(records).await {
                Some(answer) => post("response").json(&answer).send().await?,
                None => post("error").json(&json!({})).send().await?,
            };
            continue;
        }
        match payload.as_str().unwrap_or_default() {
            "fail" => {
                let report = json!({"errorType": "Sad", "errorMessage": "no luck"});
                post("error").json(&report).send().await?;
            }
            "exit" => std::process::exit(3),
            "hang" => std::future::pending().await,
            "environment" => drop(post("response").json(environment).send().await?),
            _ => drop(post("response").json(&payload).send().await?),
        }
    }
}

/// Does with messages what their bodies say. `None` is a failure of the whole batch.
async fn handle(records: &[Value]) -> Option<Value> {
    let mut failures = Vec::new();
    for record in records {
        match record["body"].as_str().unwrap_or_default() {
            "throw" => return None,
            "fail" => failures.push(json!({"itemIdentifier": record["messageId"]})),
            body if body.starts_with("hang") => std::future::pending().await,
            _ => {}
        }
    }
    Some(json!({"batchItemFailures": failures}))
}

/// A script that runs [`bootstrap`], for a binary gets no arguments.
pub(crate) struct Script(pub(crate) PathBuf);

impl Script {
    pub(crate) fn new() -> Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;

        let path = std::env::temp_dir().join(format!("bootstrap-{}", crate::plumbing::ids::uuid()));
        let program = std::env::current_exe()?;
        let program = program.display();
        let arguments = "--exact aws::lambda::function::tests::bootstrap --ignored --nocapture";
        std::fs::write(&path, format!("#!/bin/sh\nexec '{program}' {arguments}\n"))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        Ok(Self(path))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // What is left in the temporary directory does no harm.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn function(binary: &Path, timeout: Duration, environment: &[(&str, &str)]) -> Arc<Function> {
    let environment = environment.iter();
    let environment = environment.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    start(
        binary,
        FunctionSpec {
            environment: environment.collect(),
            timeout,
            ..spec()
        },
    )
}

/// A function that nothing invokes.
pub(crate) fn spec() -> FunctionSpec {
    FunctionSpec {
        allows_loops: false,
        logical_id: "Worker".to_owned(),
        name: "local-Worker".to_owned(),
        arn: "arn:aws:lambda:us-east-1:000000000000:function:local-Worker".to_owned(),
        package: "worker".to_owned(),
        binary: "worker".to_owned(),
        role: None,
        environment: BTreeMap::new(),
        timeout: SOON,
        memory: 256,
        concurrency: None,
        logging: LoggingSpec::default(),
        asynchronous: AsyncSpec {
            maximum_retries: 0,
            maximum_age: SOON,
            on_failure: None,
        },
        routes: Vec::new(),
        schedules: Vec::new(),
        mappings: Vec::new(),
    }
}

pub(crate) fn start(binary: &Path, spec: FunctionSpec) -> Arc<Function> {
    start_measured(binary, spec, &Arc::new(Journal::new(usize::MAX)))
}

pub(crate) fn start_measured(
    binary: &Path,
    spec: FunctionSpec,
    measured: &Arc<Journal<Datapoint>>,
) -> Arc<Function> {
    let endpoints = Endpoints {
        dynamodb: "http://127.0.0.1:1".to_owned(),
        eventbridge: "http://127.0.0.1:2".to_owned(),
        sqs: "http://127.0.0.1:3".to_owned(),
    };
    let output = Arc::new(Journal::new(usize::MAX));
    let function = Function::new(spec, binary.to_owned(), &endpoints, output, measured);
    Arc::new(function)
}

#[tokio::test]
async fn answers_and_errors_come_back_and_the_process_is_used_again() -> Result<()> {
    let script = Script::new()?;
    let function = function(&script.0, SOON, &[]);
    assert_eq!(function.invoke(&json!({"a": 1})).await, Ok(json!({"a": 1})));
    let error = FunctionError::new("Sad", "no luck");
    assert_eq!(function.invoke(&json!("fail")).await, Err(error));
    assert_eq!(function.process_count(), 1);
    function
        .wait_for_output(SOON, |line| line == r#"asked to "fail""#)
        .await
}

#[tokio::test]
async fn what_finds_no_place_to_run_is_refused_and_the_next_is_not() -> Result<()> {
    let script = Script::new()?;
    let function = function(&script.0, SOON, &[]);
    function.throttle(1);
    let error = FunctionError::new("TooManyRequestsException", "Rate Exceeded.");
    assert_eq!(function.invoke(&json!(1)).await, Err(error));
    assert_eq!(function.process_count(), 0);
    assert_eq!(function.invoke(&json!(2)).await, Ok(json!(2)));
    Ok(())
}

#[tokio::test]
async fn the_environment_is_lambdas_and_the_templates_alone() -> Result<()> {
    let script = Script::new()?;
    let function = function(&script.0, SOON, &[("OWN", "value")]);
    let environment = function.invoke(&json!("environment")).await?;
    assert_eq!(environment["OWN"], "value");
    assert_eq!(environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "256");
    assert_eq!(
        environment["AWS_ENDPOINT_URL_EVENTBRIDGE"],
        "http://127.0.0.1:2"
    );
    assert_eq!(environment.get("HOME"), None);
    Ok(())
}

#[tokio::test]
async fn concurrent_invocations_have_processes_of_their_own() -> Result<()> {
    let script = Script::new()?;
    let function = function(&script.0, SOON, &[]);
    let (first, second) = (json!(1), json!(2));
    let (first, second) = tokio::join!(function.invoke(&first), function.invoke(&second));
    assert_eq!((first, second), (Ok(json!(1)), Ok(json!(2))));
    assert_eq!(function.process_count(), 2);
    Ok(())
}

#[tokio::test]
async fn an_end_in_the_middle_is_reported_and_a_new_process_follows() -> Result<()> {
    let script = Script::new()?;
    let function = function(&script.0, SOON, &[]);
    let error = function
        .invoke(&json!("exit"))
        .await
        .expect_err("must fail");
    assert_eq!(error.error_type, "Runtime.ExitError");
    assert!(error.message.ends_with("exit status 3"), "{error}");
    assert_eq!(function.invoke(&json!(1)).await, Ok(json!(1)));
    Ok(())
}

#[tokio::test]
async fn an_invocation_over_its_time_is_killed() -> Result<()> {
    let script = Script::new()?;
    let function = function(&script.0, Duration::from_millis(50), &[]);
    let error = function
        .invoke(&json!("hang"))
        .await
        .expect_err("must fail");
    assert_eq!(error.error_type, "Sandbox.Timedout");
    assert!(
        error.message.ends_with("Task timed out after 0.05 seconds"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn a_kill_fails_what_is_in_flight_and_leaves_no_process() -> Result<()> {
    let script = Script::new()?;
    let function = function(&script.0, SOON, &[]);
    let running = tokio::spawn({
        let function = function.clone();
        async move { function.invoke(&json!("hang")).await }
    });
    function
        .wait_for_output(SOON, |line| line == r#"asked to "hang""#)
        .await?;
    function.kill().await;
    let error = running.await?.expect_err("must fail");
    assert!(error.message.ends_with("signal: killed"), "{error}");
    assert_eq!(function.process_count(), 0);
    Ok(())
}

#[tokio::test]
async fn a_failed_start_is_reported() -> Result<()> {
    let script = Script::new()?;
    let broken = function(&script.0, SOON, &[("BROKEN", "1")]);
    let error = FunctionError::new("Broken", "cannot start");
    assert_eq!(broken.invoke(&json!(1)).await, Err(error));
    let missing = function(Path::new("/nowhere"), SOON, &[]);
    let error = missing.invoke(&json!(1)).await.expect_err("must fail");
    assert_eq!(error.error_type, "Runtime.InvalidEntrypoint");
    Ok(())
}
