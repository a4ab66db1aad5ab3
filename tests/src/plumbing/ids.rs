//! Identifiers in the shapes AWS gives them.

/// The account everything local belongs to.
pub(crate) const ACCOUNT: &str = "000000000000";
/// The region everything local lives in.
pub(crate) const REGION: &str = "us-east-1";

/// The ARN of a resource of a service, such as `table/Things`.
pub(crate) fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}

/// A random UUID, for requests and events.
pub(crate) fn uuid() -> String {
    let hex = format!("{:032x}", fastrand::u128(..));
    format!(
        "{}-{}-4{}-a{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..]
    )
}

/// A random X-Ray trace header for an invocation that came without one.
pub(crate) fn trace_header(epoch_seconds: i64) -> String {
    let root = fastrand::u128(..) >> 32;
    let parent = fastrand::u64(..);
    format!("Root=1-{epoch_seconds:08x}-{root:024x};Parent={parent:016x};Sampled=0")
}
