//! The AWS SDK, pointed at the stack.

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_types::SdkConfig;

use crate::ids::REGION;

/// A configuration whose every call goes to `endpoint`.
pub fn config(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("test", "local", None, None, "local");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .region(Region::new(REGION))
        .build()
}
