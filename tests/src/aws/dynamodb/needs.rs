//! The permissions that a call takes.

use serde_json::Value;

use crate::aws::iam::need::Need;
use crate::plumbing::ids::arn;

/// What DynamoDB asks of a caller's role.
///
/// A batch has an action of its own. A transaction has not: it takes those of its parts
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html>).
pub(crate) fn of(operation: &str, request: &Value) -> Vec<Need> {
    match operation {
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = request["RequestItems"].as_object().into_iter().flatten();
            tables
                .map(|(name, _)| need(operation, table(name)))
                .collect()
        }
        "TransactGetItems" | "TransactWriteItems" => {
            let items = request["TransactItems"].as_array().into_iter().flatten();
            let parts = items.filter_map(Value::as_object).flatten();
            parts
                .map(|(kind, part)| need(&format!("{kind}Item"), resource(part)))
                .collect()
        }
        _ => vec![need(operation, resource(request))],
    }
}

fn need(operation: &str, resource: String) -> Need {
    Need::new(format!("dynamodb:{operation}"), resource)
}

/// The index that a request goes by, else its table, else everything: so much does a request need that names none.
fn resource(request: &Value) -> String {
    match (request["TableName"].as_str(), request["IndexName"].as_str()) {
        (Some(name), Some(index)) => format!("{}/index/{index}", table(name)),
        (Some(name), None) => table(name),
        (None, _) => "*".to_owned(),
    }
}

fn table(name: &str) -> String {
    arn("dynamodb", &format!("table/{name}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(operation: &str, request: &Value, expect: &[&str]) {
        let needs = of(operation, request).into_iter();
        let needs: Vec<_> = needs
            .map(|need| {
                let resource = need.resource.rsplit(':').next().unwrap_or_default();
                format!("{} {resource}", need.action)
            })
            .collect();
        assert_eq!(needs, expect, "{operation}");
    }

    #[test]
    fn a_call_takes_its_own_permission_on_its_table_or_index() {
        let put = json!({"TableName": "T", "Item": {}});
        check("PutItem", &put, &["dynamodb:PutItem table/T"]);
        let query = json!({"TableName": "T", "IndexName": "due"});
        check("Query", &query, &["dynamodb:Query table/T/index/due"]);
        check("ListTables", &json!({}), &["dynamodb:ListTables *"]);
    }

    #[test]
    fn a_batch_takes_its_own_on_each_table() {
        let batch = json!({"RequestItems": {"A": [], "B": []}});
        let expect = [
            "dynamodb:BatchWriteItem table/A",
            "dynamodb:BatchWriteItem table/B",
        ];
        check("BatchWriteItem", &batch, &expect);
    }

    #[test]
    fn a_transaction_takes_those_of_its_parts() {
        let on = |kind: &str| json!({kind: {"TableName": "T"}});
        let items = ["ConditionCheck", "Put", "Update", "Delete"].map(on);
        let expect = [
            "dynamodb:ConditionCheckItem table/T",
            "dynamodb:PutItem table/T",
            "dynamodb:UpdateItem table/T",
            "dynamodb:DeleteItem table/T",
        ];
        check(
            "TransactWriteItems",
            &json!({"TransactItems": items}),
            &expect,
        );
        let gets = json!({"TransactItems": [on("Get")]});
        check("TransactGetItems", &gets, &["dynamodb:GetItem table/T"]);
    }
}
