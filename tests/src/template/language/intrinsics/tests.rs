//! Each intrinsic, and what is refused.

use std::collections::BTreeMap;

use super::*;
use crate::template::language::node::parse;
use crate::template::language::parameters::Parameters;

const TEMPLATE: &str = "
Parameters:
  Bus: {Type: String, Default: ''}
Conditions:
  OwnName: !Not [!Equals [!Ref Bus, '']]
Mappings:
  Size: {small: {memory: 128}}
Resources:
  EventBus:
    Type: AWS::Events::EventBus
    Properties: {Name: !If [OwnName, !Ref Bus, !Ref AWS::StackName]}
  Table: {Type: AWS::DynamoDB::Table, Properties: {}}
  Extra: {Type: AWS::SQS::Queue, Condition: OwnName, Properties: {}}
";

fn check(yaml: &str, expect: &str) -> Result<()> {
    let value = resolver(&[])?.resolve(&parse(yaml)?)?;
    assert_eq!(value.to_json().to_string(), expect, "{yaml}");
    Ok(())
}

fn check_error(yaml: &str, expect: &str) -> Result<()> {
    let error = resolver(&[])?
        .resolve(&parse(yaml)?)
        .expect_err("must be refused");
    assert_eq!(error.to_string(), expect, "{yaml}");
    Ok(())
}

fn resolver(given: &[(&str, &str)]) -> Result<Resolver> {
    let root = parse(TEMPLATE)?;
    let given: BTreeMap<_, _> = given
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let parameters = Parameters::read(root.get("Parameters"), &given)?;
    Ok(Resolver::new(root, parameters, "closeio"))
}

#[test]
fn intrinsics_become_values() -> Result<()> {
    check("!Ref AWS::Region", r#""us-east-1""#)?;
    check("!Ref EventBus", r#""closeio""#)?;
    check("!Ref Table", r#""closeio-Table""#)?;
    check(
        "!GetAtt Table.Arn",
        r#""arn:aws:dynamodb:us-east-1:000000000000:table/closeio-Table""#,
    )?;
    check(
        "!Sub '${AWS::StackName}/${Table}/${!kept}'",
        r#""closeio/closeio-Table/${kept}""#,
    )?;
    check(
        "!Sub ['${a}-${EventBus}', {a: !Ref Table}]",
        r#""closeio-Table-closeio""#,
    )?;
    check("!Join ['-', [a, !Ref EventBus]]", r#""a-closeio""#)?;
    check("!Select [1, !Split [',', 'a,b']]", r#""b""#)?;
    check("!FindInMap [Size, small, memory]", "128")?;
    check("{kept: 1, gone: !Ref AWS::NoValue}", r#"{"kept":1}"#)?;
    check("[!If [OwnName, a, !Ref 'AWS::NoValue'], b]", r#"["b"]"#)
}

#[test]
fn parameters_decide_conditions() -> Result<()> {
    let resolver = resolver(&[("Bus", "mine")])?;
    assert_eq!(resolver.text(&parse("!Ref EventBus")?)?, "mine");
    assert_eq!(resolver.text(&parse("!Ref Extra")?)?.split('/').count(), 5);
    Ok(())
}

#[test]
fn what_is_unknown_is_named_with_its_line() -> Result<()> {
    check_error(
        "\n\na: !Ref Nothing",
        "line 3: no parameter or resource is called Nothing",
    )?;
    check_error(
        "a:\n  Fn::ImportValue: x",
        "line 2: the local stack does not know the function Fn::ImportValue",
    )?;
    check_error(
        "!GetAtt Table.Colour",
        "line 1: AWS::DynamoDB::Table has no attribute Colour",
    )?;
    check_error(
        "!Ref Extra",
        "line 1: Extra is left out by its condition OwnName",
    )?;
    check_error("!Select [2, [a]]", "line 1: the list has no item 2")
}
