//! The AWS SDK, pointed at the stack.

use anyhow::Result;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_types::SdkConfig;
use shared::function::aws;

use super::iam::credential::ACCOUNT_KEY;
use crate::plumbing::ids::REGION;

/// A configuration whose every call goes to `endpoint`.
///
/// # Errors
/// When the TLS library cannot be set up.
pub fn config(endpoint: &str) -> Result<SdkConfig> {
    let credentials = Credentials::new(ACCOUNT_KEY, "local", None, None, "local");
    let builder = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws::http_client()?)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .region(Region::new(REGION));
    Ok(builder.build())
}
