//! What Lambda stops as a recursive loop: a chain of messages and invocations, each because of the one before.
//!
//! Lambda writes into the trace header of an invocation how long its chain is. The SDK sends that header with each call, and
//! SQS keeps it with the message. Source: docs.aws.amazon.com, Lambda, "Use Lambda recursive loop detection to prevent
//! infinite loops"; how the count is written is not documented.

use crate::plumbing::clock;
use crate::plumbing::ids::trace_header;

/// What is longer is stopped. Lambda itself does so after about as many.
pub(crate) const MAXIMUM_HOPS: u32 = 16;

/// How many invocations led to the message with this trace header.
pub(crate) fn hops(trace: Option<&str>) -> u32 {
    let mut fields = trace.into_iter().flat_map(|trace| trace.split(';'));
    let count = fields.find_map(|field| {
        let lineage = field.trim().strip_prefix("Lineage=")?;
        lineage.rsplit(':').next()?.parse().ok()
    });
    count.unwrap_or_default()
}

/// The trace header of an invocation of a function by messages that so many invocations led to.
pub(crate) fn after(hops: u32, function_arn: &str) -> String {
    let header = trace_header(clock::now().as_second());
    let id = format!("{:x}", md5::compute(function_arn));
    format!("{header};Lineage={}:{}", &id[..8], hops + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_invocation_is_a_hop() {
        assert_eq!(hops(None), 0);
        assert_eq!(hops(Some("Root=1-0-0;Parent=0;Sampled=0")), 0);
        assert_eq!(hops(Some("Root=1-0-0;Lineage=many")), 0);
        assert_eq!(hops(Some(&after(0, "arn:of-a-function"))), 1);
        assert_eq!(hops(Some(&after(16, "arn:of-a-function"))), 17);
    }
}
