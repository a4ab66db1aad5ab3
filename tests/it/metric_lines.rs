//! Lines in embedded metric format, as CloudWatch reads them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

use local_stack::aws::cloudwatch::Datapoint;

use crate::world::{World, ago};

/// What CloudWatch demands of a line. Source: its specification of the embedded metric format.
static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let text = |most: u32| json!({"type": "string", "minLength": 1, "maxLength": most});
    let units = [
        "Bits",
        "Bytes",
        "Count",
        "Count/Second",
        "Microseconds",
        "Milliseconds",
        "None",
        "Percent",
        "Seconds",
    ];
    let metric = json!({
        "type": "object", "required": ["Name"], "additionalProperties": false,
        "properties": {"Name": text(1024), "Unit": {"enum": units}, "StorageResolution": {"enum": [1, 60]}},
    });
    let directive = json!({
        "type": "object", "required": ["Namespace", "Dimensions", "Metrics"], "additionalProperties": false,
        "properties": {
            "Namespace": {"type": "string", "pattern": "^[A-Za-z0-9._/#: -]{1,255}$"},
            "Dimensions": {"type": "array", "minItems": 1, "items": {"type": "array", "maxItems": 30, "items": text(250)}},
            "Metrics": {"type": "array", "minItems": 1, "maxItems": 100, "items": metric},
        },
    });
    let metadata = json!({
        "type": "object", "required": ["Timestamp", "CloudWatchMetrics"], "additionalProperties": false,
        "properties": {
            "Timestamp": {"type": "integer"},
            "CloudWatchMetrics": {"type": "array", "minItems": 1, "items": directive},
        },
    });
    let schema = json!({"type": "object", "required": ["_aws"], "properties": {"_aws": metadata}});
    jsonschema::validator_for(&schema).unwrap()
});

/// What one line says.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) namespace: String,
    pub(crate) dimensions: BTreeMap<String, String>,
    /// By metric, the unit and the value.
    pub(crate) values: BTreeMap<String, (String, f64)>,
    pub(crate) instance: Option<u64>,
}

impl Line {
    /// A metric's value, if the line has it.
    pub(crate) fn value(&self, metric: &str) -> Option<f64> {
        self.values.get(metric).map(|(_, value)| *value)
    }
}

/// What AWS has measured up to now, with a look at all queues.
pub(crate) fn of_aws(world: &World) -> Vec<Line> {
    world.stack.look_at_queues();
    let measured = world.stack.measured().snapshot();
    measured.iter().map(|datapoint| of(datapoint)).collect()
}

fn of(datapoint: &Datapoint) -> Line {
    let (name, value) = &datapoint.dimension;
    let measured = (
        datapoint.metric.to_owned(),
        ("None".to_owned(), datapoint.value),
    );
    Line {
        namespace: datapoint.namespace.to_owned(),
        dimensions: [((*name).to_owned(), value.clone())].into(),
        values: [measured].into(),
        instance: None,
    }
}

/// What a function has measured up to now, oldest first.
pub(crate) fn lines(world: &World, function: &str) -> Vec<Line> {
    let output = world.stack.function(function).unwrap().output();
    let lines = output.iter().filter(|line| line.contains("\"_aws\""));
    lines.map(|line| read(line)).collect()
}

/// The last of them.
pub(crate) fn last(world: &World, function: &str) -> Line {
    lines(world, function).pop().unwrap()
}

/// Reads a line and checks all that CloudWatch would refuse, or take otherwise than it is meant.
fn read(text: &str) -> Line {
    let line: Value = serde_json::from_str(text).unwrap();
    let errors: Vec<_> = SCHEMA
        .iter_errors(&line)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new(), "{text}");
    let millis = line["_aws"]["Timestamp"].as_i64().unwrap();
    assert!(millis.abs_diff(ago(0).as_millisecond()) < 600_000, "{text}");

    let [directive] = &line["_aws"]["CloudWatchMetrics"].as_array().unwrap()[..] else {
        panic!("expected one directive, but found {text}");
    };
    let [names] = &directive["Dimensions"].as_array().unwrap()[..] else {
        panic!("expected one set of dimensions, but found {text}");
    };
    let dimension = |name: &Value| {
        let name = name.as_str().unwrap();
        (name.to_owned(), line[name].as_str().unwrap().to_owned())
    };
    let metrics = directive["Metrics"].as_array().unwrap();
    let values: BTreeMap<_, _> = metrics.iter().map(|metric| value(&line, metric)).collect();
    assert_eq!(values.len(), metrics.len(), "a metric twice: {text}");
    Line {
        namespace: directive["Namespace"].as_str().unwrap().to_owned(),
        dimensions: names.as_array().unwrap().iter().map(dimension).collect(),
        values,
        instance: line["instanceId"].as_u64(),
    }
}

fn value(line: &Value, metric: &Value) -> (String, (String, f64)) {
    let (name, unit) = (metric["Name"].as_str().unwrap(), &metric["Unit"]);
    let value = line[name].as_f64().unwrap();
    (name.to_owned(), (unit.as_str().unwrap().to_owned(), value))
}
