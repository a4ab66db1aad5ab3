//! What tests and the local stack do to an organization's data.

pub(crate) mod activities;
pub(crate) mod custom_fields;
pub(crate) mod events;
pub(crate) mod leads;
pub(crate) mod opportunities;
pub(crate) mod tasks;

use std::sync::Arc;

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::close::api::webhooks;
use crate::close::data::change::{Change, Changed};
use crate::close::data::ids;
use crate::close::data::moment::Moment;
use crate::close::data::objects::record::{Family, ObjectKind};
use crate::close::data::tenant::Tenant;
use crate::close::data::user::{Owner, Role};
use crate::close::deliveries::delivery;
use crate::close::subscriptions::subscription::Subscription;
use crate::close::wire::answer::{Answer, Refusal};
use crate::close::world::Shared;
use crate::close::world::account::{Account, ApiKey};

/// A handle of one organization.
#[derive(Debug, Clone)]
pub struct Organization {
    shared: Arc<Shared>,
    position: usize,
    id: String,
}

/// A webhook subscription that was created for a test.
#[derive(Debug, Clone)]
pub struct WebhookSubscription {
    /// `whsub_…`
    pub id: String,
    /// The key of its signatures: 64 hexadecimal digits.
    pub signature_key: String,
}

impl Organization {
    pub(crate) fn create(shared: &Arc<Shared>, name: &str, api_key: &str) -> Self {
        let mut world = shared.lock();
        let account = Account::new(name, api_key, world.clock.now());
        let id = account.data.identity.organization_id.clone();
        world.accounts.push(account);
        Self {
            shared: Arc::clone(shared),
            position: world.accounts.len() - 1,
            id,
        }
    }

    /// `orga_…`
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `user_…`, whose the API keys are.
    pub fn user_id(&self) -> String {
        self.with(|tenant| tenant.identity.user_id.clone())
    }

    /// Adds an API key of an administrator.
    pub fn add_key(&self, api_key: &str) {
        self.add(api_key, Role::Admin);
    }

    /// Adds an API key of somebody who is no administrator: after the first hour, the event log hides the objects' data, and
    /// of subscriptions such a user may change only those that the user has made.
    pub fn add_user_key(&self, api_key: &str) {
        self.add(api_key, Role::User);
    }

    fn add(&self, api_key: &str, role: Role) {
        let owner = Owner {
            id: ids::object("user"),
            role,
        };
        self.account(|account| account.keys.push(ApiKey::new(api_key, owner)));
    }

    /// Revokes an API key: from now on it gets 401.
    pub fn revoke_key(&self, api_key: &str) {
        self.account(|account| account.keys.retain(|key| !key.is(api_key)));
    }

    /// Lets every change reach the search index that still waits for it.
    pub fn release_index(&self) {
        self.with(|tenant| {
            for family in Family::ALL {
                tenant.collection_mut(family).index.release();
            }
        });
    }

    /// Subscribes `url` to events, given as object type and action.
    ///
    /// # Errors
    ///
    /// If Close refuses the subscription.
    pub fn create_webhook(
        &self,
        url: &str,
        events: &[(&str, &str)],
    ) -> anyhow::Result<WebhookSubscription> {
        let event = |(object_type, action): &(&str, &str)| json!({ "object_type": object_type, "action": action });
        let events: Vec<_> = events.iter().map(event).collect();
        let body = json!({ "url": url, "events": events }).to_string();
        let mut guard = self.shared.lock();
        let world = &mut *guard;
        let now = world.clock.now_micros();
        let account = &mut world.accounts[self.position];
        let owner = account.data.admin();
        let created =
            webhooks::create(account, &owner, &world.settings, now, &body).map_err(refused)?;
        let text = |key: &str| {
            created[key]
                .as_str()
                .map(str::to_owned)
                .with_context(|| format!("no {key}"))
        };
        Ok(WebhookSubscription {
            id: text("id")?,
            signature_key: text("signature_key")?,
        })
    }

    /// Pauses a webhook subscription as Close does by itself: what waits is dropped.
    ///
    /// # Errors
    ///
    /// If there is no such subscription.
    pub fn pause_webhook(&self, id: &str, reason: &str) -> anyhow::Result<()> {
        self.subscription(id, |subscription, now| {
            subscription.pause(Some(reason.to_owned()), now);
        })
    }

    /// Resumes a webhook subscription.
    ///
    /// # Errors
    ///
    /// If there is no such subscription.
    pub fn resume_webhook(&self, id: &str) -> anyhow::Result<()> {
        self.subscription(id, |subscription, _| subscription.resume())
    }

    fn subscription(
        &self,
        id: &str,
        change: impl FnOnce(&mut Subscription, Timestamp),
    ) -> anyhow::Result<()> {
        let mut world = self.shared.lock();
        let now = world.clock.now_micros();
        let mut subscriptions = world.accounts[self.position].subscriptions.iter_mut();
        let subscription = subscriptions.find(|one| one.id == id);
        let subscription = subscription.with_context(|| format!("there is no webhook {id}"))?;
        change(subscription, now);
        Ok(())
    }

    /// Deletes a webhook subscription.
    ///
    /// # Errors
    ///
    /// If there is no such subscription.
    pub fn delete_webhook(&self, id: &str) -> anyhow::Result<()> {
        self.account(|account| webhooks::delete(account, &account.data.admin(), id))
            .map(drop)
            .map_err(refused)
    }

    /// The webhook subscriptions as the API lists them, oldest first.
    pub fn webhooks(&self) -> Vec<Value> {
        let list = self.account(|account| webhooks::list(account));
        list["data"].as_array().cloned().unwrap_or_default()
    }

    /// The key that a subscription's deliveries are signed with, which the API shows once.
    pub fn signature_key(&self, id: &str) -> Option<String> {
        self.account(|account| {
            let mut subscriptions = account.subscriptions.iter();
            let found = subscriptions.find(|subscription| subscription.id == id);
            found.map(|found| found.signature_key.clone())
        })
    }

    /// A webhook subscription as the API shows it.
    pub fn webhook(&self, id: &str) -> Option<Value> {
        self.account(|account| webhooks::read(account, id).ok())
    }

    fn object(&self, family: Family, id: &str) -> Option<Value> {
        self.with(|tenant| {
            let record = tenant.get(family, id).ok()?;
            Some(tenant.render(&record).into())
        })
    }

    fn ids(&self, family: Family) -> Vec<String> {
        self.with(|tenant| {
            let records = &tenant.collection(family).records;
            let mut ids: Vec<_> = records.keys().map(ToString::to_string).collect();
            ids.sort_unstable();
            ids
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Tenant) -> T) -> T {
        self.account(|account| act(&mut account.data))
    }

    fn account<T>(&self, act: impl FnOnce(&mut Account) -> T) -> T {
        act(&mut self.shared.lock().accounts[self.position])
    }

    /// Creates an object of a lead.
    fn create_of(
        &self,
        kind: ObjectKind,
        lead_id: &str,
        fields: Value,
        change: Change,
    ) -> anyhow::Result<String> {
        let id = self.change(change, |tenant, moment| {
            tenant.create(kind, lead_id, fields, moment)
        })?;
        Ok(id.to_string())
    }

    /// Creates many objects of a lead, at one moment or spread.
    fn create_many_of(
        &self,
        kind: ObjectKind,
        lead_id: &str,
        count: usize,
        fields: impl Fn(usize) -> Value,
        change: Change,
    ) -> anyhow::Result<Vec<String>> {
        self.change(change, |tenant, moment| {
            let create = |n| {
                let id = tenant.create(kind, lead_id, fields(n + 1), &moment.nth(n))?;
                Ok(id.to_string())
            };
            (0..count).map(create).collect()
        })
    }

    /// Makes a change, plans the webhooks for it and spreads the news.
    fn change<T>(
        &self,
        change: Change,
        act: impl FnOnce(&mut Tenant, &Moment) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let mut world = self.shared.lock();
        let moment = world.moment(change);
        let tenant = &mut world.accounts[self.position].data;
        let result = act(tenant, &moment);
        let news = std::mem::take(&mut tenant.news);
        let changed: Vec<_> = news
            .iter()
            .map(|position| self.news(tenant, *position))
            .collect();
        delivery::schedule(&self.shared, &mut world, self.position, &news);
        drop(world);
        for changed in changed {
            // An error means that nobody listens.
            let _ = self.shared.changes.send(changed);
        }
        self.shared.notify();
        result
    }

    fn news(&self, tenant: &Tenant, position: usize) -> Changed {
        let entry = &tenant.log.entries[position];
        Changed {
            organization_id: self.id.clone(),
            object_type: entry.object_type.to_string(),
            object_id: entry.object_id.to_string(),
            action: entry.action.to_string(),
        }
    }
}

fn refused(refusal: Refusal) -> anyhow::Error {
    anyhow!(
        "Close refused the subscription: {:?}",
        Answer::from(refusal).body
    )
}
