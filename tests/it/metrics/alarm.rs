//! The template's alarms, and whether what was measured would set one off.

use std::collections::{BTreeMap, BTreeSet};

use saphyr::{LoadableYamlNode as _, Yaml};

use crate::metric_lines::Line;

const TEMPLATE: &str = include_str!("../../../template.yaml");
const STACK: &str = "local";

/// An alarm on a metric, of ours or of AWS.
#[derive(Debug)]
pub(super) struct Alarm {
    metric: String,
    namespace: String,
    dimensions: BTreeMap<String, String>,
    statistic: String,
    comparison: String,
    threshold: f64,
    missing: String,
}

impl Alarm {
    /// The alarm of this name in the template.
    pub(super) fn of(name: &str) -> Self {
        let documents = Yaml::load_from_str(TEMPLATE).unwrap();
        let properties = &documents[0]["Resources"][name]["Properties"];
        let text = |key: &str| text(&properties[key]).to_owned();
        let dimension = |node: &Yaml| {
            let part = |key: &str| named(&node[key]);
            (part("Name"), part("Value"))
        };
        let dimensions = properties["Dimensions"].as_sequence().unwrap();
        Self {
            metric: text("MetricName"),
            namespace: text("Namespace").replace("${AWS::StackName}", STACK),
            dimensions: dimensions.iter().map(dimension).collect(),
            statistic: text("Statistic"),
            comparison: text("ComparisonOperator"),
            threshold: threshold(&documents[0], &properties["Threshold"]),
            missing: text("TreatMissingData"),
        }
    }

    /// Whether a period with these lines is one that the alarm counts as bad.
    pub(super) fn is_reached_by<'a>(&self, lines: impl IntoIterator<Item = &'a Line>) -> bool {
        let ours = lines
            .into_iter()
            .filter(|line| line.namespace == self.namespace && line.dimensions == self.dimensions);
        let values = ours.filter_map(|line| line.value(&self.metric));
        let value = match self.statistic.as_str() {
            "Maximum" => values.reduce(f64::max),
            "Sum" => values.reduce(|sum, value| sum + value),
            other => panic!("no test knows the statistic {other}"),
        };
        let Some(value) = value else {
            return self.missing == "breaching";
        };
        match self.comparison.as_str() {
            "GreaterThanOrEqualToThreshold" => self.threshold <= value,
            "LessThanThreshold" => value < self.threshold,
            other => panic!("no test knows the comparison {other}"),
        }
    }
}

/// The names of all alarms.
pub(crate) fn names() -> BTreeSet<String> {
    let documents = Yaml::load_from_str(TEMPLATE).unwrap();
    let resources = documents[0]["Resources"].as_mapping().unwrap();
    let is_alarm = |kind: &Yaml| kind.as_str() == Some("AWS::CloudWatch::Alarm");
    let alarms = resources
        .iter()
        .filter(|(_, resource)| is_alarm(&resource["Type"]));
    alarms
        .map(|(name, _)| name.as_str().unwrap().to_owned())
        .collect()
}

/// The period of an alarm in seconds, at how many it looks, and how many of these must be bad.
pub(super) fn timing(name: &str) -> [i64; 3] {
    let documents = Yaml::load_from_str(TEMPLATE).unwrap();
    let properties = &documents[0]["Resources"][name]["Properties"];
    ["Period", "EvaluationPeriods", "DatapointsToAlarm"]
        .map(|key| properties[key].as_integer().unwrap())
}

/// A dimension's value: as it stands there, or what the stack gives for a reference to a resource.
fn named(node: &Yaml) -> String {
    match node.get_tagged_node() {
        None => node.as_str().unwrap().to_owned(),
        Some(reference) => {
            let name = reference.as_str().unwrap();
            let name = name.strip_suffix(".QueueName").unwrap_or(name);
            format!("{STACK}-{name}")
        }
    }
}

/// A number, or the default of the parameter that is named.
fn threshold(template: &Yaml, node: &Yaml) -> f64 {
    let number = |node: &Yaml| {
        let whole = node.as_integer()?;
        Some(f64::from(u32::try_from(whole).ok()?))
    };
    let parameter = || number(&template["Parameters"][text(node)]["Default"]);
    number(node).or_else(parameter).unwrap()
}

/// The text of a node, with `!Ref` or `!Sub` before it or without.
fn text<'a>(node: &'a Yaml<'a>) -> &'a str {
    node.get_tagged_node().unwrap_or(node).as_str().unwrap()
}
