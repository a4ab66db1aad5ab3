//! A provisioned connection to one Close organization.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::instance::backfill::Backfill;
use crate::instance::callback_state::CallbackState;
use crate::instance::configuration::Configuration;
use crate::instance::health::Health;
use crate::instance::id::InstanceId;
use crate::instance::stream::{ReconciledFrom, Stream};

pub mod backfill;
pub mod callback_origin;
pub mod callback_state;
pub mod configuration;
pub mod health;
pub mod id;
pub mod last_poll;
pub mod policy;
pub mod settings;
pub mod signature_keys;
pub mod stream;

/// The hash of no token.
const NO_TOKEN: &str = "-";

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
    /// As its owner wrote it; [`crate::instance::settings::Settings`] is what it means.
    pub configuration: Configuration,
    /// SHA-256 of the Element token, in hex. The token itself is shown once and never kept.
    pub token_hash: String,
    /// When it was provisioned; polling starts here.
    pub created_date: Timestamp,
    /// Takes no webhooks and is not polled.
    #[serde(default)]
    pub disabled: bool,
    /// Is not ready, because it is being set up, or never will be again, because it is being removed.
    #[serde(default)]
    pub phase: Phase,
    /// Counts the changes, so that two at once cannot undo each other.
    #[serde(default)]
    pub version: u64,
    /// The webhook subscription at Close that was made for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<String>,
    /// The URL that its subscription posts to. Absent where an earlier version made the subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
    /// Subscriptions that were made for it and are to be removed at Close.
    #[serde(default)]
    pub former_subscriptions: Vec<FormerSubscription>,
    /// Signature keys that are good for a while beside the configured one.
    #[serde(default)]
    pub previous_keys: Vec<PreviousKey>,
    /// Replaced keys that still sign notifications for a while, the newest last.
    #[serde(default)]
    pub previous_callback_keys: Vec<PreviousKey>,
    /// Whether Close lets it poll. Every change of the instance by its owner begins anew.
    #[serde(default)]
    pub health: Health,
    /// The counts of the last poll, as the JSON of a [`crate::instance::last_poll::LastPoll`]. A change of the instance removes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_poll: Option<String>,
    /// The last backfill that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill: Option<Backfill>,
    /// From when on its webhooks are reconciled. Nothing is stored of one that an earlier version has provisioned.
    #[serde(default)]
    pub reconciled_from: ReconciledFrom,
    /// How its webhooks and its polls stand as one stream.
    #[serde(default)]
    pub stream: Box<Stream>,
    /// How its notifications fare.
    #[serde(default)]
    pub callback: CallbackState,
    /// The version that set the callback URL, so that what was found of another URL is not said of this one.
    #[serde(default)]
    pub callback_since: u64,
}

/// Where in its life an instance is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It is stored, but its subscription is not.
    Provisioning,
    /// It works.
    #[default]
    Ready,
    /// Its parts are being removed.
    Removing,
}

/// A subscription that is not wanted any more, until it is gone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FormerSubscription {
    /// `whsub_…`
    pub id: String,
    /// Where Close's API is.
    pub base_url: String,
    /// The key that it was made with: another may be one of another organization.
    pub api_key: String,
}

/// A signature key that was replaced.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviousKey {
    /// As it was configured.
    pub key: String,
    /// The key is not used from this time on.
    pub good_until: Timestamp,
}

impl Instance {
    /// A new instance, tagged with its name, that works at once.
    pub fn new(id: InstanceId, name: &str, configuration: Configuration, now: Timestamp) -> Self {
        Self {
            id,
            name: name.to_owned(),
            tags: vec![name.to_owned()],
            configuration,
            token_hash: NO_TOKEN.to_owned(),
            created_date: now,
            disabled: false,
            phase: Phase::Ready,
            version: 0,
            subscription_id: None,
            webhook_url: None,
            former_subscriptions: Vec::new(),
            previous_keys: Vec::new(),
            previous_callback_keys: Vec::new(),
            health: Health::default(),
            last_poll: None,
            backfill: None,
            reconciled_from: ReconciledFrom::now(now),
            stream: Box::default(),
            callback: CallbackState::default(),
            callback_since: 0,
        }
    }

    /// The instance after a change by its owner: what Close answered to polls before, and what they found, says nothing of it.
    #[must_use]
    pub fn renewed(self) -> Self {
        Self {
            health: self.health.renewed(),
            last_poll: None,
            ..self
        }
    }
}

impl PreviousKey {
    /// Those of `keys` that are still good.
    pub fn good(keys: &[Self], now: Timestamp) -> impl DoubleEndedIterator<Item = &Self> {
        keys.iter()
            .filter(move |previous| now < previous.good_until)
    }
}

impl fmt::Debug for FormerSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormerSubscription")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PreviousKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreviousKey")
            .field("good_until", &self.good_until)
            .finish_non_exhaustive()
    }
}
