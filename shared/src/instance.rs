//! A provisioned connection to one Close organization.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::configuration::Configuration;
use crate::instance_id::InstanceId;

/// An instance as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// Its number.
    pub id: InstanceId,
    /// What its owner calls it; not unique.
    pub name: String,
    /// Labels, the name unless others were given.
    pub tags: Vec<String>,
    /// As its owner wrote it; [`crate::settings::Settings`] is what it means.
    pub configuration: Configuration,
    /// SHA-256 of the Element token, in hex. The token itself is shown once and never kept.
    pub token_hash: String,
    /// When it was provisioned; polling starts here.
    pub created_date: Timestamp,
    /// Takes no webhooks and is not polled.
    #[serde(default)]
    pub disabled: bool,
}
