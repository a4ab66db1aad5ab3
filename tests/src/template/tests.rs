//! A small template, read whole.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::*;

const TEMPLATE: &str = "
Transform: AWS::Serverless-2016-10-31
Parameters:
  LogLevel: {Type: String, Default: INFO}
Globals:
  Function:
    Runtime: provided.al2023
    Handler: bootstrap
    LoggingConfig: {LogFormat: JSON, ApplicationLogLevel: !Ref LogLevel}
    Environment:
      Variables: {TABLE: !Ref Table, EVENT_BUS_NAME: !Ref Bus}
Resources:
  Bus:
    Type: AWS::Events::EventBus
    Properties: {Name: !Ref AWS::StackName}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: N}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      TimeToLiveSpecification: {AttributeName: expiresAt, Enabled: true}
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties:
      GenerateSecretString: {PasswordLength: 43, ExcludePunctuation: true}
  Role: {Type: AWS::IAM::Role, Properties: {}}
  Dead: {Type: AWS::SQS::Queue, Properties: {SqsManagedSseEnabled: true}}
  Function:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: worker}}
    Properties:
      CodeUri: package/
      Role: !GetAtt Role.Arn
      Timeout: 10
      Environment:
        Variables:
          SECRET: !Sub '{{resolve:secretsmanager:${Secret}:SecretString}}'
      EventInvokeConfig:
        MaximumRetryAttempts: 0
        MaximumEventAgeInSeconds: 120
        DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Dead.Arn}}
      Events:
        Get: {Type: HttpApi, Properties: {Path: '/things/{id}', Method: get}}
        Minute: {Type: Schedule, Properties: {Schedule: rate(1 minute)}}
  Permission:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref Function
      Principal: events.amazonaws.com
      SourceArn: !GetAtt Rule.Arn
  DeadPolicy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Dead]
      PolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {Service: events.amazonaws.com}
            Action: sqs:SendMessage
            Resource: !GetAtt Dead.Arn
            Condition: {ArnEquals: {aws:SourceArn: !GetAtt Rule.Arn}}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref Bus
      EventPattern: {source: [a]}
      Targets:
        - Id: Function
          Arn: !GetAtt Function.Arn
          RetryPolicy: {MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 120}
          DeadLetterConfig: {Arn: !GetAtt Dead.Arn}
";

fn read(text: &str) -> Result<Template> {
    let inputs = Inputs {
        stack_name: "local".to_owned(),
        secrets: [("Secret".to_owned(), "known".to_owned())].into(),
        ..Inputs::default()
    };
    Template::parse(text, &inputs)
}

#[test]
fn a_function_has_its_own_properties_over_the_globals() -> Result<()> {
    let template = read(TEMPLATE)?;
    let function = template.functions.first().context("no function")?;
    assert_eq!(function.name, "local-Function");
    assert_eq!(
        (function.package.as_str(), function.binary.as_str()),
        ("package", "worker")
    );
    let variables: Vec<_> = function.environment.iter().collect();
    assert_eq!(
        format!("{variables:?}"),
        r#"[("EVENT_BUS_NAME", "local"), ("SECRET", "known"), ("TABLE", "local-Table")]"#
    );
    assert_eq!(function.timeout, Duration::from_secs(10));
    assert_eq!(function.logging.format.as_deref(), Some("JSON"));
    assert_eq!(function.logging.application_level.as_deref(), Some("INFO"));
    assert_eq!(function.asynchronous.maximum_retries, 0);
    let dead = template.queues.first().context("no queue")?;
    assert_eq!(function.asynchronous.on_failure.as_ref(), Some(&dead.arn));
    assert_eq!(function.routes[0].method, "GET");
    assert_eq!(function.schedules[0].every, Duration::from_mins(1));
    Ok(())
}

#[test]
fn tables_and_rules_are_read() -> Result<()> {
    let template = read(TEMPLATE)?;
    let table = template.tables.first().context("no table")?;
    assert_eq!(
        table.request.to_string(),
        r#"{"TableName":"local-Table","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"N"}],"BillingMode":"PAY_PER_REQUEST","KeySchema":[{"AttributeName":"id","KeyType":"HASH"}]}"#
    );
    assert_eq!(table.ttl_attribute.as_deref(), Some("expiresAt"));
    let rule = template.rules.first().context("no rule")?;
    assert_eq!(rule.bus, "local");
    assert_eq!(rule.pattern.to_string(), r#"{"source":["a"]}"#);
    assert_eq!(rule.targets[0].arn, template.functions[0].arn);
    assert_eq!(rule.targets[0].maximum_retries, 0);
    Ok(())
}

#[test]
fn what_the_stack_would_have_to_guess_is_refused_with_its_line() {
    for (find, replace, expect) in [
        (
            "Role: {Type: AWS::IAM::Role",
            "Role: {Type: AWS::EC2::Instance",
            "the local stack does not know the resource type AWS::EC2::Instance",
        ),
        (
            "CodeUri: package/",
            "Layers: [a]",
            "the local stack does not know the property Layers",
        ),
        (
            "Type: Schedule,",
            "Type: Kinesis,",
            "the local stack does not know the event source Kinesis",
        ),
        (
            "EventPattern: {source: [a]}",
            "ScheduleExpression: rate(1 minute)",
            "the local stack does not know the property ScheduleExpression",
        ),
        (
            "Arn: !GetAtt Function.Arn",
            "Arn: !Ref Function",
            "expected an ARN",
        ),
        (
            "Id: Function\n          Arn: !GetAtt Function.Arn",
            "Id: Function\n          Arn: arn:aws:lambda:us-east-1:000000000000:function:other",
            "the template does not let this rule reach its target",
        ),
    ] {
        let before = TEMPLATE.find(find).map(|position| &TEMPLATE[..position]);
        let line = before.map_or(0, |before| before.lines().count());
        let error = read(&TEMPLATE.replace(find, replace)).expect_err("must be refused");
        assert_eq!(error.to_string(), format!("line {line}: {expect}"));
    }
}

const ARCHIVE: &str = "
Resources:
  Bus: {Type: AWS::Events::EventBus, Properties: {Name: bus}}
  Archive:
    Type: AWS::Events::Archive
    Properties:
      SourceArn: !GetAtt Bus.Arn
      EventPattern: {source: [a]}
      RetentionDays: 30
";

#[test]
fn archives_are_read_and_what_would_be_kept_for_ever_is_refused() -> Result<()> {
    let template = read_queues(ARCHIVE)?;
    let archive = template.archives.first().context("no archive")?;
    assert_eq!(archive.bus, "bus");
    assert_eq!(archive.pattern.to_string(), r#"{"source":["a"]}"#);
    for (find, replace, expect) in [
        (
            "RetentionDays: 30",
            "RetentionDays: 0",
            "line 9: expected RetentionDays from 1 to 4294967295, but found 0",
        ),
        (
            "!GetAtt Bus.Arn",
            "!Ref Bus",
            "line 7: expected the ARN of a bus of the template",
        ),
        (
            "RetentionDays: 30",
            "Retention: 30",
            "line 9: the local stack does not know the property Retention",
        ),
    ] {
        let error = read_queues(&ARCHIVE.replace(find, replace)).expect_err("must be refused");
        assert_eq!(error.to_string(), expect);
    }
    let nameless = ARCHIVE.replace("RetentionDays: 30", "Description: text");
    assert!(read_queues(&nameless).is_err());
    Ok(())
}

const QUEUES: &str = "
Resources:
  Letters:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 60
      DelaySeconds: 5
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5}
  Dead: {Type: AWS::SQS::Queue}
  Function:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda}
    Properties:
      CodeUri: package/
      Timeout: 10
      Events:
        Letters:
          Type: SQS
          Properties:
            Queue: !GetAtt Letters.Arn
            BatchSize: 5
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: {MaximumConcurrency: 2}
";

#[test]
fn queues_and_what_they_feed_are_read() -> Result<()> {
    let template = read_queues(QUEUES)?;
    let (letters, dead) = (&template.queues[0], &template.queues[1]);
    assert_eq!(letters.visibility_timeout, Duration::from_mins(1));
    assert_eq!(letters.delay, Duration::from_secs(5));
    let redrive = letters.redrive.as_ref().context("no redrive policy")?;
    assert_eq!(redrive.dead_letters, dead.arn);
    assert_eq!(redrive.maximum_receives, 5);
    assert_eq!(dead.visibility_timeout, Duration::from_secs(30));
    let mapping = &template.functions[0].mappings[0];
    assert_eq!(
        (mapping.name.as_str(), &mapping.queue),
        ("Letters", &letters.arn)
    );
    assert_eq!(
        (mapping.batch_size, mapping.maximum_concurrency),
        (5, Some(2))
    );
    assert!(mapping.reports_failures);
    Ok(())
}

#[test]
fn queues_that_aws_would_refuse_are_refused_with_their_line() {
    for (find, replace, expect) in [
        (
            "DelaySeconds: 5",
            "DelaySeconds: 901",
            "expected DelaySeconds from 0 to 900, but found 901",
        ),
        (
            "VisibilityTimeout: 60",
            "FifoQueue: true",
            "the local stack does not know the property FifoQueue",
        ),
        (
            "RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn",
            "RedrivePolicy: {deadLetterTargetArn: !Ref Dead",
            "expected an ARN",
        ),
        (
            "BatchSize: 5",
            "BatchSize: 11",
            "expected BatchSize from 1 to 10, but found 11",
        ),
        (
            "MaximumConcurrency: 2",
            "MaximumConcurrency: 1",
            "expected MaximumConcurrency from 2 to 1000, but found 1",
        ),
        (
            "[ReportBatchItemFailures]",
            "[All]",
            "expected ReportBatchItemFailures, but found All",
        ),
        (
            "Queue: !GetAtt Letters.Arn",
            "Queue: !GetAtt Function.Arn",
            "expected the ARN of a queue, but found arn:aws:lambda:us-east-1:000000000000:function:local-Function",
        ),
    ] {
        let before = QUEUES.find(find).map(|position| &QUEUES[..position]);
        let line = before.map_or(0, |before| before.lines().count());
        let error = read_queues(&QUEUES.replace(find, replace)).expect_err("must be refused");
        assert_eq!(error.to_string(), format!("line {line}: {expect}"));
    }
    let slow = QUEUES.replace("Timeout: 10", "Timeout: 61");
    let error = read_queues(&slow).expect_err("must be refused").to_string();
    let expect = "the queue's visibility timeout is less than the function's timeout";
    assert!(error.ends_with(expect), "{error}");
}

fn read_queues(text: &str) -> Result<Template> {
    let inputs = Inputs {
        stack_name: "local".to_owned(),
        ..Inputs::default()
    };
    Template::parse(text, &inputs)
}

#[test]
fn a_rule_that_may_not_send_to_a_queue_is_refused() {
    let text = TEMPLATE.replace("Action: sqs:SendMessage", "Action: sqs:ReceiveMessage");
    let error = read(&text).expect_err("must be refused").to_string();
    let expect = "the template does not let this rule reach its dead-letter queue";
    assert!(error.ends_with(expect), "{error}");
}

#[test]
fn the_projects_own_template_can_be_run() -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let inputs = Inputs {
        stack_name: "local".to_owned(),
        ..Inputs::default()
    };
    let template = Template::load(&path, &inputs)?;
    let ids = |mut ids: Vec<&str>| {
        ids.sort_unstable();
        ids.join(" ")
    };
    let functions = template.functions.iter();
    let functions = functions.map(|function| function.logical_id.as_str());
    assert_eq!(
        ids(functions.collect()),
        "CallbackFunction PollerFunction WebhookFunction"
    );
    let tables = template
        .tables
        .iter()
        .map(|table| table.logical_id.as_str());
    assert_eq!(
        ids(tables.collect()),
        "CallbackWaitsTable InstancesTable LedgerTable WatermarksTable"
    );
    let archives = template.archives.iter();
    let archives = archives.map(|archive| archive.pattern.to_string());
    assert_eq!(archives.collect::<Vec<_>>(), [r#"{"source":["closeio"]}"#]);
    Ok(())
}

#[test]
fn with_0_days_there_is_no_archive_and_nothing_of_it() -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let inputs = Inputs {
        stack_name: "local".to_owned(),
        parameters: [("ArchiveRetentionDays".to_owned(), "0".to_owned())].into(),
        ..Inputs::default()
    };
    let template = Template::load(&path, &inputs)?;
    assert!(template.archives.is_empty());
    let mut names = template.resources.keys();
    assert!(!names.any(|name| name.contains("Archive")));
    Ok(())
}

#[test]
fn a_pattern_may_be_json() -> Result<()> {
    let pattern = "EventPattern: {source: [a]}";
    let json = TEMPLATE.replace(pattern, r#"EventPattern: '{"source": ["a"]}'"#);
    assert_eq!(
        read(&json)?.rules[0].pattern,
        read(TEMPLATE)?.rules[0].pattern
    );
    for wrong in ["'{'", "'[]'", "[a]"] {
        let wrong = TEMPLATE.replace(pattern, &format!("EventPattern: {wrong}"));
        let error = read(&wrong).expect_err("must be refused").to_string();
        assert!(error.contains("line "), "{error}");
    }
    Ok(())
}

#[test]
fn a_function_may_be_let_loop() -> Result<()> {
    for (value, expected) in [("", false), ("Allow", true), ("Terminate", false)] {
        let timeout = "      Timeout: 10\n";
        let given = format!("{timeout}      RecursiveLoop: {value}\n");
        let given = if value.is_empty() { timeout } else { &given };
        let template = read(&TEMPLATE.replace(timeout, given))?;
        assert_eq!(template.functions[0].allows_loops, expected, "{value}");
    }
    Ok(())
}

#[test]
fn a_property_of_a_function_may_be_left_out_by_a_condition() -> Result<()> {
    let timeout = "      Timeout: 10\n";
    let reserved = "ReservedConcurrentExecutions: !If [Never, 5, !Ref AWS::NoValue]";
    let template = TEMPLATE.replace(timeout, &format!("{timeout}      {reserved}\n"));
    let template = read(&format!("Conditions:\n  Never: !Equals [a, b]\n{template}"))?;
    assert_eq!(template.functions[0].concurrency, None);
    Ok(())
}
