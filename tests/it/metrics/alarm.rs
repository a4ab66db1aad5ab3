//! The template's alarms, and whether what was measured would set one off.

use std::collections::{BTreeMap, BTreeSet};

use saphyr::{LoadableYamlNode as _, Yaml};

use super::line::Line;

const TEMPLATE: &str = include_str!("../../../template.yaml");
const STACK: &str = "local";

/// An alarm on a metric of ours.
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
            let part = |key: &str| node[key].as_str().unwrap().to_owned();
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

/// The names of all alarms on metrics of ours.
pub(super) fn names() -> BTreeSet<String> {
    let documents = Yaml::load_from_str(TEMPLATE).unwrap();
    let resources = documents[0]["Resources"].as_mapping().unwrap();
    let ours = resources.iter().filter(|(_, resource)| {
        resource["Type"].as_str() == Some("AWS::CloudWatch::Alarm")
            && text(&resource["Properties"]["Namespace"]).starts_with("closeio-events/")
    });
    ours.map(|(name, _)| name.as_str().unwrap().to_owned())
        .collect()
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
