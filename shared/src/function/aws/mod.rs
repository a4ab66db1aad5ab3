//! The AWS SDK's clients, with timeouts that leave a function time to answer.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, HttpClient, Region, SharedCredentialsProvider,
};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_types::SdkConfig;
use aws_types::origin::Origin;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use secrecy::ExposeSecret;

use crate::function::env::EnvReader;
use crate::text::causes::causes;

mod http;

/// One attempt of one call. DynamoDB and EventBridge answer in milliseconds; one that takes longer than this is retried.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1_500);
/// One call with its retries. A webhook makes at most four calls in its 10 s.
pub(crate) const OPERATION_TIMEOUT: Duration = Duration::from_millis(2_400);
/// The SDK's default of 1 s makes two throttles cost over 3 s.
const INITIAL_BACKOFF: Duration = Duration::from_millis(50);

/// What begins the names of the variables that say where a service is.
const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// Endpoints by variable: `AWS_ENDPOINT_URL_DYNAMODB` for one service, `AWS_ENDPOINT_URL` for all others.
#[derive(Debug)]
struct Endpoints(HashMap<String, String>);

/// The HTTP client that the SDK is to use: it has none of its own here.
///
/// # Errors
/// When the TLS library cannot be set up.
pub fn http_client() -> reqwest::Result<impl HttpClient + 'static> {
    http::Http::new()
}

/// Region, credentials and endpoints from the variables that Lambda sets and that every AWS SDK reads.
///
/// Not by the crate aws-config: it looks for credentials in files, containers and services as well, and what it needs for
/// that is a tenth of a function that never uses it.
///
/// # Errors
/// When the TLS library cannot be set up. What is missing or wrong is the reader's to tell.
pub fn read_config(reader: &mut EnvReader) -> reqwest::Result<SdkConfig> {
    let mut builder = SdkConfig::builder()
        .http_client(http_client()?)
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(reader.required("AWS_REGION")))
        .credentials_provider(SharedCredentialsProvider::new(credentials(reader)))
        .use_fips(reader.parsed("AWS_USE_FIPS_ENDPOINT", false, "true or false"))
        .use_dual_stack(reader.parsed("AWS_USE_DUALSTACK_ENDPOINT", false, "true or false"))
        .service_config(Endpoints(reader.starting_with(ENDPOINT)))
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(3)
                .with_initial_backoff(INITIAL_BACKOFF),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .operation_timeout(OPERATION_TIMEOUT)
                .build(),
        );
    // Without this a service's client may choose its own number of attempts.
    builder.insert_origin("retry_config", Origin::shared_config());
    Ok(builder.build())
}

/// The role's credentials. A sandbox lives shorter than they do.
fn credentials(reader: &mut EnvReader) -> Credentials {
    let access_key = reader.required("AWS_ACCESS_KEY_ID");
    let secret_key = reader.secret("AWS_SECRET_ACCESS_KEY");
    let session_token = reader.optional("AWS_SESSION_TOKEN");
    Credentials::new(
        access_key,
        secret_key.expose_secret(),
        session_token,
        None,
        "environment",
    )
}

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace(' ', "_");
        let of_service = self.0.get(&format!("{}_{service}", key.env()));
        of_service.or_else(|| self.0.get(key.env())).cloned()
    }
}

/// What went wrong with a call, in AWS's words. The SDK's own way to print an error prints the whole answer, which may
/// hold what was stored.
pub fn describe<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata,
    SdkError<E, R>: std::error::Error,
{
    match error.as_service_error() {
        Some(service) => {
            let code = service.code().unwrap_or("an error without a code");
            format!("{code}: {}", service.message().unwrap_or("no message"))
        }
        None => causes(error),
    }
}

#[cfg(test)]
mod tests {
    use super::{EnvReader, ServiceConfigKey, credentials, read_config};

    fn reader(variables: &[(&str, &str)]) -> EnvReader {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        EnvReader::new(variables.iter().map(owned))
    }

    #[test]
    fn a_services_own_endpoint_comes_before_the_one_for_all() {
        let config = read_config(&mut reader(&[
            ("AWS_ENDPOINT_URL", "http://all"),
            ("AWS_ENDPOINT_URL_DYNAMODB", "http://dynamodb"),
        ]))
        .unwrap();
        let endpoint = |service| {
            let key = ServiceConfigKey::builder()
                .service_id(service)
                .env("AWS_ENDPOINT_URL")
                .profile("endpoint_url")
                .build()
                .unwrap();
            config.service_config().unwrap().load_config(key)
        };
        assert_eq!(endpoint("DynamoDB").unwrap(), "http://dynamodb");
        assert_eq!(endpoint("EventBridge").unwrap(), "http://all");
    }

    #[test]
    fn the_roles_credentials_are_whole() {
        let credentials = credentials(&mut reader(&[
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_SESSION_TOKEN", "token"),
        ]));
        let found = (credentials.access_key_id(), credentials.session_token());
        assert_eq!(found, ("key", Some("token")));
        assert_eq!(credentials.secret_access_key(), "secret");
    }

    #[test]
    fn what_lambda_always_sets_is_required() {
        let mut reader = reader(&[]);
        read_config(&mut reader).unwrap();
        assert_eq!(
            reader.finish(()).unwrap_err().to_string(),
            "cannot start: AWS_REGION is not set; AWS_ACCESS_KEY_ID is not set; AWS_SECRET_ACCESS_KEY is not set"
        );
    }
}
