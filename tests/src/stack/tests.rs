//! A whole stack from a small template, with the echoing function of the other tests.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::builder::Builder;
use super::*;
use crate::aws::iam::tests::signed;
use crate::aws::lambda::function::tests::Script;

const SOON: Duration = Duration::from_secs(10);

const TEMPLATE: &str = "
Transform: AWS::Serverless-2016-10-31
Parameters:
  PublicUrl: {Type: String, Default: ''}
Resources:
  EventBus: {Type: AWS::Events::EventBus, Properties: {Name: !Ref AWS::StackName}}
  Dead: {Type: AWS::SQS::Queue}
  Things:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
  Worker:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda}
    Properties:
      CodeUri: worker/
      Timeout: 10
      Environment: {Variables: {PUBLIC_URL: !Ref PublicUrl, SPARE: '1'}}
      EventInvokeConfig:
        MaximumRetryAttempts: 0
        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Dead.Arn}}
      Events:
        Get: {Type: HttpApi, Properties: {Path: /things, Method: GET}}
        Minute: {Type: Schedule, Properties: {Schedule: rate(1 minute)}}
  Permission:
    Type: AWS::Lambda::Permission
    Properties:
      FunctionName: !GetAtt Worker.Arn
      Principal: events.amazonaws.com
      SourceArn: !GetAtt Rule.Arn
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref EventBus
      EventPattern: {source: [test]}
      Targets: [{Id: Worker, Arn: !GetAtt Worker.Arn, Input: '\"fail\"'}]
";

/// The script, and the template in a file beside it.
struct Files(Script);

impl Files {
    fn new() -> Result<Self> {
        let files = Self(Script::new()?);
        std::fs::write(files.template(), TEMPLATE)?;
        Ok(files)
    }

    fn template(&self) -> PathBuf {
        self.0.0.with_extension("yaml")
    }

    fn builder(&self) -> Builder {
        let builder = LocalStack::builder().template(self.template());
        builder.binaries([("worker".to_owned(), self.0.0.clone())].into())
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // What is left in the temporary directory does no harm.
        let _ = std::fs::remove_file(self.template());
    }
}

#[tokio::test]
async fn the_function_is_invoked_by_http_by_schedule_and_by_rule() -> Result<()> {
    let files = Files::new()?;
    let stack = files.builder().start().await?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let event: Value = http
        .get(format!("{}/things", stack.url()))
        .send()
        .await?
        .json()
        .await?;
    assert_eq!(event["routeKey"], "GET /things");
    assert_eq!(
        stack.tick("Worker").await?["detail-type"],
        "Scheduled Event"
    );
    let entry =
        json!({"Source": "test", "DetailType": "t", "Detail": "{}", "EventBusName": "local"});
    let put = http
        .post(stack.bus().url())
        .header("x-amz-target", "AWSEvents.PutEvents")
        .header("authorization", signed("events"));
    put.body(json!({"Entries": [entry]}).to_string())
        .send()
        .await?;
    let records = stack
        .queue("Dead")?
        .messages()
        .wait_for_count(1, SOON)
        .await?;
    let record: Value = serde_json::from_str(&records[0].body)?;
    assert_eq!(record["requestPayload"], "fail");
    assert_eq!(record["responsePayload"]["errorType"], "Sad");
    stack.shutdown().await
}

#[tokio::test]
async fn the_environment_can_be_changed_and_knows_the_stacks_address() -> Result<()> {
    let files = Files::new()?;
    let builder = files.builder().environment("Worker", "EXTRA", "2");
    let stack = builder
        .without_environment("Worker", "SPARE")
        .start()
        .await?;
    let environment = stack
        .function("Worker")?
        .invoke(&json!("environment"))
        .await?;
    assert_eq!(environment["PUBLIC_URL"], stack.url());
    assert_eq!(environment["EXTRA"], "2");
    assert_eq!(environment.get("SPARE"), None);
    assert_eq!(
        environment["AWS_ENDPOINT_URL_DYNAMODB"],
        stack.store().url()
    );
    stack.shutdown().await
}

#[tokio::test]
async fn schedules_tick_by_themselves_when_asked_to() -> Result<()> {
    let files = Files::new()?;
    let mode = Mode::Every(Duration::from_millis(1));
    let stack = files.builder().schedule(mode).start().await?;
    stack.output().wait_for_count(2, SOON).await?;
    stack.shutdown().await
}

#[tokio::test]
async fn dropping_the_stack_leaves_no_process() -> Result<()> {
    let files = Files::new()?;
    let stack = files.builder().start().await?;
    let function = stack.function("Worker")?.clone();
    function.invoke(&json!(1)).await?;
    drop(stack);
    function.kill().await;
    assert_eq!(function.process_count(), 0);
    assert!(function.invoke(&json!(1)).await.is_err());
    Ok(())
}
