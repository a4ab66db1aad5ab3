//! A function with a role of its own, and others who call.

use anyhow::Context as _;
use axum::http::HeaderValue;

use super::*;
use crate::template::Inputs;

const TEMPLATE: &str = "
Resources:
  Bus: {Type: AWS::Events::EventBus}
  Letters: {Type: AWS::SQS::Queue}
  Dead: {Type: AWS::SQS::Queue}
  Table:
    Type: AWS::DynamoDB::Table
    Properties: {KeySchema: [{AttributeName: id, KeyType: HASH}]}
  Role:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyDocument:
            Statement:
              - {Sid: Read, Effect: Allow, Action: [dynamodb:GetItem, dynamodb:Query], Resource: !GetAtt Table.Arn}
              - {Sid: Index, Effect: Allow, Action: dynamodb:Query, Resource: !Sub '${Table.Arn}/index/due'}
              - {Sid: Receive, Effect: Allow, Action: [sqs:DeleteMessage, sqs:GetQueueAttributes, sqs:ReceiveMessage], Resource: !GetAtt Letters.Arn}
              - {Sid: Send, Effect: Allow, Action: sqs:SendMessage, Resource: !GetAtt Dead.Arn}
              - {Sid: Traces, Effect: Allow, Action: xray:PutTraceSegments, Resource: '*'}
  Worker:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda}
    Properties:
      CodeUri: worker/
      Role: !GetAtt Role.Arn
      EventInvokeConfig: {DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Dead.Arn}}}
      Events: {Letters: {Type: SQS, Properties: {Queue: !GetAtt Letters.Arn}}}
";

/// An `Authorization` header of the account's own.
pub(crate) fn signed(service: &str) -> String {
    signed_by(ACCOUNT_KEY, service)
}

fn signed_by(key_id: &str, service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={key_id}/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

fn read(text: &str) -> Result<Access> {
    let inputs = Inputs {
        stack_name: "local".to_owned(),
        ..Inputs::default()
    };
    Access::new(&Template::parse(text, &inputs)?)
}

fn authorize(access: &Access, authorization: &str, needs: &[(&str, &str)]) -> Result<(), Denial> {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(authorization) {
        headers.insert("authorization", value);
    }
    let needs: Vec<_> = needs
        .iter()
        .map(|(action, tail)| {
            let resource = format!("arn:aws:dynamodb:us-east-1:000000000000:table/{tail}");
            Need::new(*action, resource)
        })
        .collect();
    access.authorize("dynamodb", &headers, &needs)
}

#[test]
fn what_a_role_grants_is_counted_by_its_statement() -> Result<()> {
    let access = read(TEMPLATE)?;
    let worker = signed_by("ASIAWorker", "dynamodb");
    let due = ("dynamodb:Query", "local-Table/index/due");
    let get = ("dynamodb:GetItem", "local-Table");
    for needs in [&[due][..], &[due, get, get]] {
        assert_eq!(authorize(&access, &worker, needs), Ok(()));
    }
    let used = access.used();
    let shown: Vec<_> = used
        .iter()
        .map(|(grant, count)| {
            let Grant {
                role,
                statement,
                action,
                resource,
            } = grant;
            format!("{role}.{statement} {action} {resource} {count}")
        })
        .collect();
    assert_eq!(
        shown,
        [
            "Role.Index dynamodb:Query Table/index/due 2",
            "Role.Read dynamodb:GetItem Table 1"
        ]
    );
    assert!(access.refused().snapshot().is_empty());
    Ok(())
}

#[test]
fn what_no_statement_grants_is_refused_whole_in_the_words_of_aws() -> Result<()> {
    let access = read(TEMPLATE)?;
    let worker = signed_by("ASIAWorker", "dynamodb");
    let get = ("dynamodb:GetItem", "local-Table");
    for (need, name) in [
        (("dynamodb:Scan", "local-Table"), "dynamodb:Scan on Table"),
        (
            ("dynamodb:GetItem", "local-Table/index/due"),
            "dynamodb:GetItem on Table/index/due",
        ),
        (
            ("dynamodb:GetItem", "other"),
            "dynamodb:GetItem on arn:aws:dynamodb:us-east-1:000000000000:table/other",
        ),
    ] {
        let refusal = authorize(&access, &worker, &[get, need]).expect_err("must be refused");
        assert_eq!(refusal.code(), "AccessDeniedException");
        let (action, tail) = need;
        assert_eq!(
            refusal.message(),
            format!(
                "User: arn:aws:sts::000000000000:assumed-role/local-Role/local-Worker is not authorized to perform: {action} on resource: arn:aws:dynamodb:us-east-1:000000000000:table/{tail} because no identity-based policy allows the {action} action"
            )
        );
        let refused = access.refused().snapshot();
        let last = refused.last().context("nothing was refused")?;
        assert_eq!(**last, format!("no statement of Role allows {name}"));
    }
    assert!(access.used().is_empty());
    Ok(())
}

#[test]
fn the_account_may_do_everything_and_strangers_nothing() -> Result<()> {
    let access = read(TEMPLATE)?;
    let all = [("dynamodb:DeleteTable", "local-Table")];
    assert_eq!(authorize(&access, &signed("dynamodb"), &all), Ok(()));
    for (authorization, code) in [
        ("", "MissingAuthenticationTokenException"),
        ("User secret", "MissingAuthenticationTokenException"),
        (
            &signed_by("ASIANobody", "dynamodb"),
            "UnrecognizedClientException",
        ),
        (&signed_by("ASIAWorker", "sqs"), "InvalidSignatureException"),
    ] {
        let refused = authorize(&access, authorization, &[]);
        assert_eq!(refused.map_err(|refusal| refusal.code()), Err(code));
    }
    assert_eq!(access.refused().snapshot().len(), 4);
    Ok(())
}

#[test]
fn a_role_that_lambda_cannot_work_with_is_refused() {
    for (action, expect) in [
        (
            "sqs:GetQueueAttributes, ",
            "no statement of Role allows sqs:GetQueueAttributes on Letters, which Lambda does for Worker",
        ),
        (
            "sqs:SendMessage",
            "no statement of Role allows sqs:SendMessage on Dead, which Lambda does for Worker",
        ),
    ] {
        let other = if action.ends_with(' ') {
            ""
        } else {
            "sqs:PurgeQueue"
        };
        let error = read(&TEMPLATE.replace(action, other)).expect_err("must be refused");
        assert_eq!(error.to_string(), expect);
    }
}

#[test]
fn a_statement_that_cannot_be_judged_is_refused_with_its_line() {
    for (find, replace, expect) in [
        (
            "Action: dynamodb:Query",
            "Action: dynamodb:*",
            "line 16: a role names each action and each resource",
        ),
        (
            "index/due",
            "index/*",
            "line 16: a role names each action and each resource",
        ),
        (
            "{Sid: Index, Effect: Allow",
            "{Sid: Index, Effect: Deny",
            "line 16: the local stack only knows statements that allow",
        ),
        (
            "{Sid: Index,",
            "{Sid: Index, Condition: {},",
            "line 16: the local stack does not know the conditions of statements",
        ),
        (
            "{Sid: Index,",
            "{Sid: Index, NotAction: a,",
            "line 16: the local stack does not know the property NotAction",
        ),
        ("{Sid: Index,", "{", "line 16: Sid is missing"),
        (
            "      Policies:",
            "      ManagedPolicyArns: [a]\n      Policies:",
            "line 12: the local stack does not know the property ManagedPolicyArns",
        ),
        (
            "Role: !GetAtt Role.Arn",
            "Role: arn:other",
            "line 25: no role of the template has the ARN arn:other",
        ),
    ] {
        let changed = TEMPLATE.replace(find, replace);
        assert_ne!(changed, TEMPLATE, "{find}");
        let error = read(&changed).expect_err("must be refused");
        assert_eq!(format!("{error:#}"), expect);
    }
}
