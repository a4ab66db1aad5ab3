//! `docs/openapi.json`, and what it says of an answer.

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use crate::world::Answer;

/// What all paths begin with.
pub(super) const BASE_PATH: &str = "/elements/api-v2";

/// What an `OpenAPI` document may have as methods of a path.
const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];
/// What the document's schemas are written in.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The document.
pub(super) struct Document(Value);

/// One method of one path.
pub(super) struct Operation<'a> {
    pub(super) id: &'a str,
    /// Upper case.
    pub(super) method: String,
    /// With `{name}` where a parameter stands.
    pub(super) path: &'a str,
    json: &'a Value,
}

impl Document {
    pub(super) fn read() -> Self {
        Self(serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap())
    }

    pub(super) fn operations(&self) -> Vec<Operation<'_>> {
        let mut operations = Vec::new();
        for (path, item) in self.0["paths"].as_object().unwrap() {
            for method in METHODS {
                if let Some(json) = item.get(method) {
                    operations.push(Operation {
                        id: json["operationId"].as_str().unwrap(),
                        method: method.to_ascii_uppercase(),
                        path,
                        json,
                    });
                }
            }
        }
        operations
    }

    pub(super) fn operation(&self, id: &str) -> Operation<'_> {
        let mut operations = self.operations().into_iter();
        operations.find(|operation| operation.id == id).unwrap()
    }

    /// Checks an answer's status, headers and body.
    #[track_caller]
    pub(super) fn check(&self, operation: &Operation<'_>, answer: &Answer) {
        let status = answer.status.as_str();
        let context = format!("{} {status}: {:#}", operation.id, answer.body);
        let response = operation.json["responses"].get(status);
        let response = self.resolve(response.unwrap_or_else(|| panic!("undocumented: {context}")));
        let json = HeaderValue::from_static("application/json");
        assert_eq!(answer.headers.get(CONTENT_TYPE), Some(&json), "{context}");
        let schema = &response["content"]["application/json"]["schema"];
        assert_eq!(
            self.errors(schema, &answer.body),
            Vec::<String>::new(),
            "{context}"
        );
        let headers = response["headers"].as_object();
        for (name, header) in headers.into_iter().flatten() {
            let header = self.resolve(header);
            let Some(value) = answer.headers.get(name) else {
                assert_ne!(header["required"], true, "{name} is missing: {context}");
                continue;
            };
            let text = value.to_str().unwrap();
            let value = match header["schema"]["type"].as_str() {
                Some("integer") => serde_json::from_str(text).unwrap(),
                _ => Value::from(text),
            };
            let errors = self.errors(&header["schema"], &value);
            assert_eq!(errors, Vec::<String>::new(), "{name}: {context}");
        }
    }

    /// What a schema finds wrong with a value.
    pub(super) fn errors(&self, schema: &Value, value: &Value) -> Vec<String> {
        let components = &self.0["components"];
        let whole = json!({"$schema": DIALECT, "allOf": [schema], "components": components});
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        let validator = options.build(&whole).unwrap();
        let errors = validator.iter_errors(value);
        errors.map(|error| error.to_string()).collect()
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.0.pointer(reference.trim_start_matches('#')).unwrap(),
            None => value,
        }
    }
}

impl Operation<'_> {
    /// The schema of the request's body, and its examples with their names.
    pub(super) fn body(&self) -> Option<(&Value, Vec<(&str, &Value)>)> {
        let media = &self.json["requestBody"]["content"]["application/json"];
        let examples = media["examples"].as_object()?.iter();
        let examples = examples.map(|(name, example)| (name.as_str(), &example["value"]));
        Some((&media["schema"], examples.collect()))
    }

    /// The documented statuses.
    pub(super) fn statuses(&self) -> Vec<u16> {
        let responses = self.json["responses"].as_object().unwrap();
        responses
            .keys()
            .map(|status| status.parse().unwrap())
            .collect()
    }
}
