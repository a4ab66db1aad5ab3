//! How often and how long a delivery is tried again.

use std::time::Duration;

use anyhow::Result;

use crate::template::language::node::Node;

/// A retry policy's two limits, or the service's defaults.
pub(crate) fn retry_limits(
    policy: Option<&Node>,
    default_retries: u64,
    default_age: Duration,
) -> Result<(u64, Duration)> {
    let number = |key| policy.and_then(|policy| policy.get(key)).map(Node::number);
    let retries = number("MaximumRetryAttempts").transpose()?;
    let age = number("MaximumEventAgeInSeconds").transpose()?;
    Ok((
        retries.unwrap_or(default_retries),
        age.map_or(default_age, Duration::from_secs),
    ))
}
