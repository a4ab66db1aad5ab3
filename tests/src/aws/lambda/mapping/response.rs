//! What a function's answer means for its batch, where the mapping has `ReportBatchItemFailures`.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use crate::aws::sqs::queue::Received;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Response {
    #[serde(default)]
    batch_item_failures: Option<Vec<ItemFailure>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ItemFailure {
    item_identifier: String,
}

/// The messages that are done. An answer that Lambda cannot follow fails them all.
pub(crate) fn successes(answer: &str, batch: Vec<Received>) -> Vec<Received> {
    match failures(answer) {
        Some(failed) if failed.iter().all(|id| is_among(&batch, id)) => {
            let done = batch.into_iter();
            done.filter(|received| !failed.contains(&received.message.id))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn is_among(batch: &[Received], id: &str) -> bool {
    batch.iter().any(|received| received.message.id == id)
}

/// The ids of what failed; `None` if the answer is no answer. Nothing at all is a success.
fn failures(answer: &str) -> Option<BTreeSet<String>> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    let response = match answer {
        Value::Null => Response::default(),
        Value::Object(_) => serde_json::from_value(answer).ok()?,
        _ => return None,
    };
    let failed = response.batch_item_failures.unwrap_or_default();
    Some(
        failed
            .into_iter()
            .map(|failure| failure.item_identifier)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::aws::sqs::queue::message::Message;

    #[test]
    fn an_answer_names_what_failed() {
        for (answer, expect) in [
            (r#"{"batchItemFailures": []}"#, "a b"),
            (r#"{"batchItemFailures": null}"#, "a b"),
            ("{}", "a b"),
            ("null", "a b"),
            (r#"{"batchItemFailures": [{"itemIdentifier": "a"}]}"#, "b"),
            (
                r#"{"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "a"}]}"#,
                "",
            ),
            (r#"{"batchItemFailures": [{"itemIdentifier": ""}]}"#, ""),
            (r#"{"batchItemFailures": [{"itemIdentifier": null}]}"#, ""),
            (r#"{"batchItemFailures": [{"itemIdentifier": "c"}]}"#, ""),
            (r#"{"batchItemFailures": [{"id": "a"}]}"#, ""),
            (r#"{"batchItemFailures": "a"}"#, ""),
            ("not JSON", ""),
            ("", ""),
        ] {
            let batch = ["a", "b"].map(|id| Received {
                handle: String::new(),
                message: Arc::new(Message {
                    id: id.to_owned(),
                    ..Message::new("x")
                }),
                attributes: Vec::new(),
            });
            let done = successes(answer, batch.into());
            let ids: Vec<_> = done.iter().map(|done| done.message.id.as_str()).collect();
            assert_eq!(ids.join(" "), expect, "{answer}");
        }
    }
}
