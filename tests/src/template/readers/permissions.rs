//! What EventBridge may do: AWS would drop the events of a rule that may not reach its targets.

use anyhow::{Result, ensure};

use crate::template::language::node::{Node, as_list};
use crate::template::language::resolver::Resolver;
use crate::template::language::resources;
use crate::template::specs::bus::RuleSpec;

const EVENTBRIDGE: &str = "events.amazonaws.com";

/// Which rule may invoke or send to what.
pub(crate) struct Permissions {
    /// A function, by name or ARN, and the ARN of the rule that may invoke it.
    functions: Vec<(String, String)>,
    /// The ARN of a queue, and the ARN of the rule that may send to it.
    queues: Vec<(String, String)>,
}

impl Permissions {
    pub(crate) fn read(resolver: &Resolver) -> Result<Self> {
        Ok(Self {
            functions: read_functions(resolver)?,
            queues: read_queues(resolver)?,
        })
    }

    /// Refuses a rule that may not reach its targets and their dead-letter queues, which are listed in `targets`.
    pub(crate) fn check(&self, rule: &RuleSpec, targets: &Node) -> Result<()> {
        for (target, node) in rule.targets.iter().zip(targets.items()?) {
            let permitted = match target.arn.split_once(":function:") {
                Some((_, name)) => self.functions.iter().any(|(function, by)| {
                    (*function == target.arn || function == name) && *by == rule.arn
                }),
                None => self.may_send(rule, &target.arn),
            };
            ensure!(
                permitted,
                node.error("the template does not let this rule reach its target")
            );
            let dead_letters = target.dead_letters.as_ref();
            ensure!(
                dead_letters.is_none_or(|queue| self.may_send(rule, queue)),
                node.error("the template does not let this rule reach its dead-letter queue")
            );
        }
        Ok(())
    }

    fn may_send(&self, rule: &RuleSpec, queue: &str) -> bool {
        let mut queues = self.queues.iter();
        queues.any(|(to, by)| to == queue && *by == rule.arn)
    }
}

fn read_functions(resolver: &Resolver) -> Result<Vec<(String, String)>> {
    let mut permissions = Vec::new();
    for resource in resources::of_type(resolver, "AWS::Lambda::Permission")? {
        let properties = resolver.resolve(&resource.properties())?;
        let text = |key| properties.get(key).map(Node::text).transpose();
        if text("Principal")?.as_deref() == Some(EVENTBRIDGE)
            && let (Some(function), Some(rule)) = (text("FunctionName")?, text("SourceArn")?)
        {
            permissions.push((function, rule));
        }
    }
    Ok(permissions)
}

fn read_queues(resolver: &Resolver) -> Result<Vec<(String, String)>> {
    let mut permissions = Vec::new();
    for resource in resources::of_type(resolver, "AWS::SQS::QueuePolicy")? {
        let properties = resolver.resolve(&resource.properties())?;
        properties.only(&["PolicyDocument", "Queues"])?;
        let statements = properties.require("PolicyDocument")?.require("Statement")?;
        for statement in as_list(statements) {
            permissions.extend(read_statement(statement)?);
        }
    }
    Ok(permissions)
}

/// The queues that a statement lets rules send to, with the rules.
fn read_statement(statement: &Node) -> Result<Vec<(String, String)>> {
    let is = |node: Option<&Node>, expect: &str| {
        let nodes = node.map(as_list).unwrap_or_default();
        nodes
            .iter()
            .any(|node| node.text().is_ok_and(|text| text == expect))
    };
    let service = statement
        .get("Principal")
        .and_then(|all| all.get("Service"));
    let is_meant = is(statement.get("Effect"), "Allow")
        && is(service, EVENTBRIDGE)
        && is(statement.get("Action"), "sqs:SendMessage");
    let condition = statement.get("Condition");
    let rules = condition.and_then(|all| all.get("ArnEquals")?.get("aws:SourceArn"));
    let (true, Some(rules)) = (is_meant, rules) else {
        return Ok(Vec::new());
    };
    let mut permissions = Vec::new();
    for queue in as_list(statement.require("Resource")?) {
        for rule in as_list(rules) {
            permissions.push((queue.text()?, rule.text()?));
        }
    }
    Ok(permissions)
}
