//! The progress of the round through all instances, stored in the Watermarks table under an id that no instance has.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::instance::id::InstanceId;
use crate::store::error::TableError;
use crate::store::retry::write;
use crate::store::watermarks::WatermarkTable;

/// Instances have ids from 1 on.
const NOBODY: &str = "0";
const ROUND: &str = "round";
const AFTER: &str = "after";

impl WatermarkTable {
    /// The instance after which the round continues. Without one, the round begins again.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn round(&self) -> Result<Option<InstanceId>, TableError> {
        let query = self.client().query().table_name(self.name());
        let query = query
            .key_condition_expression("instanceId = :id AND #resource = :round")
            .expression_attribute_names("#resource", "resource")
            .expression_attribute_values(":id", AttributeValue::N(NOBODY.to_owned()))
            .expression_attribute_values(":round", AttributeValue::S(ROUND.to_owned()));
        let output = query.send().await.map_err(TableError::unavailable)?;
        let after = output
            .items()
            .first()
            .and_then(|item| item.get(AFTER)?.as_n().ok());
        let after = after.and_then(|after| after.parse::<u64>().ok());
        Ok(after.and_then(|after| after.try_into().ok()))
    }

    /// Stores the instance after which the round continues.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn set_round(&self, after: Option<InstanceId>) -> Result<(), TableError> {
        let mut item = HashMap::from([
            (
                "instanceId".to_owned(),
                AttributeValue::N(NOBODY.to_owned()),
            ),
            ("resource".to_owned(), AttributeValue::S(ROUND.to_owned())),
        ]);
        if let Some(after) = after {
            item.insert(AFTER.to_owned(), AttributeValue::N(after.to_string()));
        }
        let put = self.client().put_item().table_name(self.name());
        let put = put.set_item(Some(item));
        let put = write(|| put.clone().send()).await;
        put.map(drop).map_err(TableError::unavailable)
    }
}
