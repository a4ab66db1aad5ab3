//! The removal of subscriptions at Close, and those that stay.

use std::collections::BTreeSet;

use secrecy::SecretString;

use super::error::{SubscriptionError, is_shut_out};
use super::outside::{Outside, Webhooks as _};
use crate::close::client::Account;
use crate::instance::FormerSubscription;

/// The ids of subscriptions that no API key of an instance may remove.
#[derive(Debug, Default)]
pub struct Staying(BTreeSet<String>);

impl Staying {
    /// Notes whether a removal has worked. What one key may not remove, another may.
    pub fn note(&mut self, id: &str, is_gone: bool) {
        if is_gone {
            self.0.remove(id);
        } else {
            self.0.insert(id.to_owned());
        }
    }

    /// Each of them.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// Removes a subscription. Returns whether Close has it no more: there is nothing to be done about one whose account has shut
/// us out, or lets only its creator change it.
///
/// # Errors
/// Where Close cannot be reached.
pub async fn remove<O: Outside>(
    outside: &O,
    account: Account<'_>,
    id: &str,
) -> Result<bool, SubscriptionError> {
    match outside.close().delete_webhook(account, id).await {
        Ok(()) => Ok(true),
        Err(error) if is_shut_out(&error) => {
            tracing::warn!(subscription.id = id, %error, "the subscription stays at Close");
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Removes a subscription, and whatever else posts to `url` but for the one to `keep`. Notes those that stay.
///
/// # Errors
/// Where Close cannot be reached.
pub async fn remove_all<O: Outside>(
    outside: &O,
    account: Account<'_>,
    id: Option<&str>,
    url: &str,
    keep: Option<&str>,
    staying: &mut Staying,
) -> Result<(), SubscriptionError> {
    let listed = match outside.close().webhooks(account).await {
        Err(error) if is_shut_out(&error) => Vec::new(),
        listed => listed?,
    };
    let others = listed.iter().filter(|one| one.url == url);
    let others = others.map(|one| one.id.as_str());
    let others = others.filter(|other| Some(*other) != id && Some(*other) != keep);
    for id in id.into_iter().chain(others) {
        staying.note(id, remove(outside, account, id).await?);
    }
    Ok(())
}

/// Removes a former subscription of an instance whose webhooks go to `url`, but not the one to `keep`. Notes those that stay.
///
/// # Errors
/// As [`remove_all`].
pub async fn remove_former<O: Outside>(
    outside: &O,
    former: &FormerSubscription,
    url: &str,
    keep: Option<&str>,
    staying: &mut Staying,
) -> Result<(), SubscriptionError> {
    let account = Account {
        base_url: &former.base_url,
        api_key: &SecretString::from(former.api_key.as_str()),
    };
    remove_all(outside, account, Some(&former.id), url, keep, staying).await
}
