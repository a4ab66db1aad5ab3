//! The environment of a function's process: Lambda's own variables, where AWS is, and the template's.

use std::collections::BTreeMap;

use crate::aws::iam::credential::key_id;
use crate::plumbing::ids::REGION;
use crate::template::specs::function::FunctionSpec;

/// Where a function finds the local AWS services.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    pub(crate) dynamodb: String,
    pub(crate) eventbridge: String,
    pub(crate) sqs: String,
}

/// Everything but `AWS_LAMBDA_RUNTIME_API`, which differs from process to process.
pub(crate) fn full(spec: &FunctionSpec, endpoints: &Endpoints) -> BTreeMap<String, String> {
    let memory = spec.memory.to_string();
    let key_id = key_id(&spec.logical_id);
    let log_format = spec.logging.format.as_deref().unwrap_or("Text");
    let fixed = [
        ("AWS_ACCESS_KEY_ID", key_id.as_str()),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_ENDPOINT_URL_DYNAMODB", &endpoints.dynamodb),
        ("AWS_ENDPOINT_URL_EVENTBRIDGE", &endpoints.eventbridge),
        ("AWS_ENDPOINT_URL_SQS", &endpoints.sqs),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
        ("AWS_LAMBDA_FUNCTION_NAME", &spec.name),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_FORMAT", log_format),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "local"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "local"),
        ("AWS_REGION", REGION),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_SESSION_TOKEN", "local"),
        ("LANG", "en_US.UTF-8"),
        ("TZ", ":UTC"),
        ("_HANDLER", "bootstrap"),
    ];
    let mut environment: BTreeMap<String, String> = fixed
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    if let Some(level) = &spec.logging.application_level {
        environment.insert("AWS_LAMBDA_LOG_LEVEL".to_owned(), level.clone());
    }
    environment.extend(spec.environment.clone());
    environment
}
