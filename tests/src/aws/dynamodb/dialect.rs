//! How DynamoDB spells its answers.

use crate::aws::json_protocol::Dialect;

/// DynamoDB's content type and codes.
pub(crate) const DIALECT: Dialect = Dialect {
    content_type: "application/x-amz-json-1.0",
    throttled: "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
    internal: "com.amazonaws.dynamodb.v20120810#InternalServerError",
    refused: "com.amazon.coral.service#",
};
