//! One organization: its data, and who may read them and is told of them.

use jiff::Timestamp;

use crate::close::data::tenant::Tenant;
use crate::close::data::user::Owner;
use crate::close::subscriptions::subscription::Subscription;

/// An organization with its API keys and webhook subscriptions.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) data: Tenant,
    pub(crate) keys: Vec<ApiKey>,
    pub(crate) subscriptions: Vec<Subscription>,
}

impl Account {
    /// An organization without objects.
    pub(crate) fn new(name: &str, api_key: &str, date_created: Timestamp) -> Self {
        let data = Tenant::new(name, date_created);
        Self {
            keys: vec![ApiKey::new(api_key, data.admin())],
            data,
            subscriptions: Vec::new(),
        }
    }
}

/// An API key of an organization.
#[derive(Debug, Clone)]
pub(crate) struct ApiKey {
    pub(crate) owner: Owner,
    secret: String,
}

impl ApiKey {
    /// A key with this secret.
    pub(crate) fn new(secret: &str, owner: Owner) -> Self {
        Self {
            owner,
            secret: secret.to_owned(),
        }
    }

    /// Whether `secret` is this key's.
    pub(crate) fn is(&self, secret: &str) -> bool {
        self.secret == secret
    }
}
