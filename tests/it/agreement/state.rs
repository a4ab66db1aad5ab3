//! What is stored, what Close has, and whether these agree.

use anyhow::{Context as _, Result, bail, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use local_stack::close::organization::Organization;
use reqwest::StatusCode;
use serde_json::Value;
use shared::instance::settings::{Settings, field};
use shared::instance::{Instance, Phase};

use super::scenario::{OTHER_KEY, Request, Stage, to_text};
use crate::subscription::{covered, names};

/// A subscription at Close.
struct Subscription {
    shown: Value,
    /// Of which organization it is.
    is_others: bool,
    signature_key: String,
}

/// Expects agreement, and that what the request says is stored. What was left half provisioned is removed first.
///
/// # Errors
/// What differs.
pub(super) async fn expect_agreement(stage: &Stage, request: &Request) -> Result<()> {
    for instance in stored(stage).await {
        if instance.phase == Phase::Provisioning && request.creates() {
            let path = format!("/instances/{}", instance.id);
            let answer = stage.world.call("DELETE", &path, None, "").await;
            ensure!(answer.status == StatusCode::OK, "{}", answer.body);
        }
    }
    compare(stage).await?;
    let instances = stored(stage).await;
    ensure!(instances.is_empty() == request.removes(), "{instances:?}");
    for instance in &instances {
        let is_as_said = request
            .disables()
            .is_none_or(|said| said == instance.disabled);
        ensure!(is_as_said, "it is not enabled or disabled");
        let said = request.configuration().as_object().into_iter().flatten();
        for (key, value) in said.filter(|(_, value)| !value.is_object()) {
            let value = to_text(value);
            ensure!(instance.configuration.get(key) == Some(&*value), "{key}");
        }
    }
    Ok(())
}

/// Compares what is stored with what Close has.
///
/// # Errors
/// What differs.
pub(super) async fn compare(stage: &Stage) -> Result<()> {
    let instances = stored(stage).await;
    let subscriptions = at_close(stage);
    for subscription in &subscriptions {
        let id = subscription.shown["id"].as_str();
        let names = |instance: &&Instance| instance.subscription_id.as_deref() == id;
        let is_named = instances.iter().any(|instance| names(&instance));
        ensure!(is_named, "no instance names {id:?} at Close");
    }
    for instance in &instances {
        compare_one(stage, instance, &subscriptions)?;
    }
    Ok(())
}

fn compare_one(stage: &Stage, instance: &Instance, subscriptions: &[Subscription]) -> Result<()> {
    ensure!(instance.phase == Phase::Ready, "it is {:?}", instance.phase);
    let formers = &instance.former_subscriptions;
    ensure!(formers.is_empty(), "it has {formers:?}");
    let settings = Settings::stored(&instance.configuration).unwrap();
    let (events, id) = match (&settings.subscription, &instance.subscription_id) {
        (None, None) => return Ok(()),
        (Some(events), Some(id)) => (events, id),
        (wanted, named) => bail!("it names {named:?}, and wants one: {}", wanted.is_some()),
    };
    let mut found = subscriptions.iter();
    let found = found.find(|one| one.shown["id"] == id.as_str());
    let found = found.context("it names a subscription that Close has not")?;
    let is_others = instance.configuration.get(field::USERNAME) == Some(OTHER_KEY);
    ensure!(found.is_others == is_others, "another organization has it");
    let status = if instance.disabled {
        "paused"
    } else {
        "active"
    };
    ensure!(found.shown["status"] == status, "it is not {status}");
    let key = instance.configuration.get(field::SIGNATURE_KEY);
    ensure!(
        key == Some(&*found.signature_key),
        "Close signs with another key"
    );
    let url = stage.world.webhook_url(&instance.id.to_base64());
    ensure!(found.shown["url"] == url, "it posts elsewhere");
    ensure!(
        covered(&found.shown) == names(events),
        "it covers other events"
    );
    Ok(())
}

/// Whether the API shows of some instance that something is wrong with it.
pub(super) async fn is_shown(stage: &Stage) -> bool {
    for instance in stored(stage).await {
        let path = format!("/instances/{}", instance.id);
        let shown = stage.world.call("GET", &path, None, "").await.body;
        if shown["valid"] == true {
            return false;
        }
    }
    true
}

/// Removes every instance and subscription.
pub(super) async fn remove_all(stage: &Stage) {
    stage.remove_subscriptions();
    let store = stage.world.stack.store();
    for instance in stored(stage).await {
        let delete = store.client().delete_item();
        let delete = delete.table_name(store.table("InstancesTable").unwrap());
        let key = AttributeValue::N(instance.id.to_string());
        delete.key("id", key).send().await.unwrap();
    }
}

async fn stored(stage: &Stage) -> Vec<Instance> {
    let table = stage.world.instance_table();
    let page = table.page(None, 100).await.unwrap();
    page.instances
}

fn at_close(stage: &Stage) -> Vec<Subscription> {
    let own = of(&stage.world.organization, false);
    own.into_iter().chain(of(&stage.other, true)).collect()
}

fn of(organization: &Organization, is_others: bool) -> Vec<Subscription> {
    let subscription = |shown: Value| Subscription {
        signature_key: organization
            .signature_key(shown["id"].as_str().unwrap())
            .unwrap(),
        shown,
        is_others,
    };
    organization
        .webhooks()
        .into_iter()
        .map(subscription)
        .collect()
}
