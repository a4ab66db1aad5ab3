//! What tests and the local stack do to an organization's data.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::auth::{ApiKey, Role};
use super::change::{Change, Changed};
use super::delivery;
use super::entry::Entry;
use super::record::Kind;
use super::shape;
use super::tenant::{Moment, Tenant};
use super::webhooks;
use super::world::Shared;

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
    pub(super) fn create(shared: &Arc<Shared>, name: &str, api_key: &str) -> Self {
        let mut world = shared.lock();
        let tenant = Tenant::new(name, api_key, world.clock.now());
        let id = tenant.identity.organization_id.clone();
        world.tenants.push(tenant);
        Self {
            shared: Arc::clone(shared),
            position: world.tenants.len() - 1,
            id,
        }
    }

    /// `orga_…`
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Adds an API key of an administrator.
    pub fn add_key(&self, api_key: &str) {
        self.with(|tenant| tenant.keys.push(ApiKey::new(api_key, Role::Admin)));
    }

    /// Adds an API key of somebody who is no administrator: after the first hour, the event log hides the objects' data.
    pub fn add_user_key(&self, api_key: &str) {
        self.with(|tenant| tenant.keys.push(ApiKey::new(api_key, Role::User)));
    }

    /// Revokes an API key: from now on it gets 401.
    pub fn revoke_key(&self, api_key: &str) {
        self.with(|tenant| tenant.keys.retain(|key| !key.is(api_key)));
    }

    /// Creates a lead, with the contacts in the list `contacts` of its fields, and returns its id.
    ///
    /// # Errors
    ///
    /// If a field cannot be set.
    pub fn create_lead(&self, fields: Value, change: Change) -> anyhow::Result<String> {
        self.change(change, |tenant, moment| {
            text(tenant.create_lead(fields, moment))
        })
    }

    /// Creates many leads at one moment and returns their ids.
    ///
    /// # Errors
    ///
    /// As [`Self::create_lead`].
    pub fn create_leads(&self, count: usize, change: Change) -> anyhow::Result<Vec<String>> {
        self.change(change, |tenant, moment| {
            let create =
                |n| text(tenant.create_lead(json!({ "name": format!("Lead {n}") }), moment));
            (1..=count).map(create).collect()
        })
    }

    /// Changes fields of a lead and returns its `date_updated`; setting what is already set changes nothing.
    ///
    /// # Errors
    ///
    /// If there is no such lead or a field cannot be set.
    pub fn edit_lead(&self, id: &str, patch: Value, change: Change) -> anyhow::Result<Timestamp> {
        self.change(change, |tenant, moment| {
            tenant.edit(Kind::Lead, id, patch, moment)
        })
    }

    /// Deletes a lead and its contacts.
    ///
    /// # Errors
    ///
    /// If there is no such lead.
    pub fn delete_lead(&self, id: &str, change: Change) -> anyhow::Result<()> {
        self.change(change, |tenant, moment| {
            tenant.delete(Kind::Lead, id, moment)
        })
    }

    /// Merges the lead `source` into `destination`.
    ///
    /// # Errors
    ///
    /// If one of them does not exist or they are the same.
    pub fn merge_leads(
        &self,
        source: &str,
        destination: &str,
        change: Change,
    ) -> anyhow::Result<()> {
        self.change(change, |tenant, moment| {
            tenant.merge(source, destination, moment)
        })
    }

    /// Adds a contact to a lead and returns its id.
    ///
    /// # Errors
    ///
    /// If there is no such lead or a field cannot be set.
    pub fn create_contact(
        &self,
        lead_id: &str,
        fields: Value,
        change: Change,
    ) -> anyhow::Result<String> {
        self.change(change, |tenant, moment| {
            text(tenant.create_contact(lead_id, fields, moment))
        })
    }

    /// Adds many contacts to a lead at one moment and returns their ids.
    ///
    /// # Errors
    ///
    /// As [`Self::create_contact`].
    pub fn create_contacts(
        &self,
        lead_id: &str,
        count: usize,
        change: Change,
    ) -> anyhow::Result<Vec<String>> {
        self.change(change, |tenant, moment| {
            let create = |n| {
                let fields = json!({ "name": format!("Contact {n}") });
                text(tenant.create_contact(lead_id, fields, moment))
            };
            (1..=count).map(create).collect()
        })
    }

    /// Changes fields of a contact and returns its `date_updated`; its lead is stamped some milliseconds later.
    ///
    /// # Errors
    ///
    /// If there is no such contact or a field cannot be set.
    pub fn edit_contact(
        &self,
        id: &str,
        patch: Value,
        change: Change,
    ) -> anyhow::Result<Timestamp> {
        self.change(change, |tenant, moment| {
            tenant.edit(Kind::Contact, id, patch, moment)
        })
    }

    /// Deletes a contact.
    ///
    /// # Errors
    ///
    /// If there is no such contact.
    pub fn delete_contact(&self, id: &str, change: Change) -> anyhow::Result<()> {
        self.change(change, |tenant, moment| {
            tenant.delete(Kind::Contact, id, moment)
        })
    }

    /// A lead as the API shows it.
    pub fn lead(&self, id: &str) -> Option<Value> {
        self.object(Kind::Lead, id)
    }

    /// A contact as the API shows it.
    pub fn contact(&self, id: &str) -> Option<Value> {
        self.object(Kind::Contact, id)
    }

    /// A lead as events and the notifications of 2014 carry it: without what hangs on it.
    pub fn lead_data(&self, id: &str) -> Option<Value> {
        self.with(|tenant| {
            let record = tenant.get(Kind::Lead, id).ok()?;
            Some(shape::bare(&record, &tenant.identity).into())
        })
    }

    /// The ids of all leads, sorted.
    pub fn lead_ids(&self) -> Vec<String> {
        self.ids(Kind::Lead)
    }

    /// The ids of all contacts, sorted.
    pub fn contact_ids(&self) -> Vec<String> {
        self.ids(Kind::Contact)
    }

    /// The event log in the order in which things happened, with what the API does not show yet or no longer.
    pub fn events(&self) -> Vec<Value> {
        self.with(|tenant| {
            let entries = tenant.log.entries.iter();
            entries
                .map(|entry| tenant.render_entry(entry).into())
                .collect()
        })
    }

    /// Logs something that is not simulated: `object_type`, `object_id`, `action`, and what else the entry is to show of
    /// `lead_id`, `changed_fields`, `data`, `previous_data` and `meta`. Webhooks are sent as about any other change.
    ///
    /// # Errors
    ///
    /// If one of the first three is missing, or something is given that Close sets itself.
    pub fn log(&self, entry: &Value, change: Change) -> anyhow::Result<()> {
        self.change(change, |tenant, moment| {
            let date = moment.logged_at.or(moment.date_updated);
            let entry = Entry::foreign(entry, date.unwrap_or(moment.now))?;
            tenant.log_entry(entry, moment);
            Ok(())
        })
    }

    /// Lets the event log show every change that it does not show yet.
    pub fn release_events(&self) {
        self.with(|tenant| tenant.log.release());
    }

    /// Lets every change reach the search index that still waits for it.
    pub fn release_index(&self) {
        self.with(|tenant| {
            for kind in [Kind::Lead, Kind::Contact] {
                tenant.collection_mut(kind).index.release();
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
        let mut world = self.shared.lock();
        let now = world.clock.now_micros();
        let created =
            webhooks::create(&mut world.tenants[self.position], now, &body).map_err(refused)?;
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
        let mut world = self.shared.lock();
        let now = world.clock.now_micros();
        let mut subscriptions = world.tenants[self.position].subscriptions.iter_mut();
        let subscription = subscriptions.find(|one| one.id == id);
        let subscription = subscription.with_context(|| format!("there is no webhook {id}"))?;
        subscription.pause(Some(reason.to_owned()), now);
        Ok(())
    }

    /// Deletes a webhook subscription.
    ///
    /// # Errors
    ///
    /// If there is no such subscription.
    pub fn delete_webhook(&self, id: &str) -> anyhow::Result<()> {
        self.with(|tenant| webhooks::delete(tenant, id))
            .map(drop)
            .map_err(refused)
    }

    /// The webhook subscriptions as the API lists them, oldest first.
    pub fn webhooks(&self) -> Vec<Value> {
        let list = self.with(|tenant| webhooks::list(tenant));
        list["data"].as_array().cloned().unwrap_or_default()
    }

    /// A webhook subscription as the API shows it.
    pub fn webhook(&self, id: &str) -> Option<Value> {
        self.with(|tenant| webhooks::read(tenant, id).ok())
    }

    fn object(&self, kind: Kind, id: &str) -> Option<Value> {
        self.with(|tenant| {
            let record = tenant.get(kind, id).ok()?;
            Some(tenant.render(&record).into())
        })
    }

    fn ids(&self, kind: Kind) -> Vec<String> {
        self.with(|tenant| {
            let records = &tenant.collection(kind).records;
            let mut ids: Vec<_> = records.keys().map(ToString::to_string).collect();
            ids.sort_unstable();
            ids
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Tenant) -> T) -> T {
        act(&mut self.shared.lock().tenants[self.position])
    }

    /// Makes a change, plans the webhooks for it and spreads the news.
    fn change<T>(
        &self,
        change: Change,
        act: impl FnOnce(&mut Tenant, &Moment) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let mut world = self.shared.lock();
        let moment = world.moment(change);
        let tenant = &mut world.tenants[self.position];
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

fn text(id: anyhow::Result<Arc<str>>) -> anyhow::Result<String> {
    id.map(|id| id.to_string())
}

fn refused(refusal: Refusal) -> anyhow::Error {
    let body = Answer::from(refusal).body.unwrap_or_default();
    anyhow!("Close refused the subscription: {body}")
}
