//! The removal of subscriptions at Close, and those that stay.

use std::collections::BTreeSet;

use secrecy::SecretString;
use shared::close::client::Account;
use shared::instance::FormerSubscription;
use shared::polling::warnings::Warnings;

use super::error::{is_shut_out, to_handler_error};
use crate::app::App;
use crate::http::error::HandlerError;

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

    /// Warns of each.
    pub fn warn(&self, warnings: &mut Warnings) {
        for id in &self.0 {
            warnings.note("webhook", || {
                format!("{id} stays at Close: no API key of this instance may remove the subscription; remove it with its user's key or an admin's")
            });
        }
    }
}

/// Removes a subscription. Returns whether Close has it no more: there is nothing to be done about one whose account has shut
/// us out, or lets only its creator change it.
///
/// # Errors
/// 503 where Close cannot be reached.
pub async fn remove(app: &App, account: Account<'_>, id: &str) -> Result<bool, HandlerError> {
    match app.close.delete_webhook(account, id).await {
        Ok(()) => Ok(true),
        Err(error) if is_shut_out(&error) => {
            tracing::warn!(subscription.id = id, %error, "the subscription stays at Close");
            Ok(false)
        }
        Err(error) => Err(to_handler_error(error)),
    }
}

/// Removes a subscription, and whatever else posts to `url` but for the one to `keep`. Notes those that stay.
///
/// # Errors
/// 503 where Close cannot be reached.
pub async fn remove_all(
    app: &App,
    account: Account<'_>,
    id: Option<&str>,
    url: &str,
    keep: Option<&str>,
    staying: &mut Staying,
) -> Result<(), HandlerError> {
    let listed = match app.close.webhooks(account).await {
        Err(error) if is_shut_out(&error) => Vec::new(),
        listed => listed.map_err(to_handler_error)?,
    };
    let others = listed.iter().filter(|one| one.url == url);
    let others = others.map(|one| one.id.as_str());
    let others = others.filter(|other| Some(*other) != id && Some(*other) != keep);
    for id in id.into_iter().chain(others) {
        staying.note(id, remove(app, account, id).await?);
    }
    Ok(())
}

/// Removes a former subscription of an instance whose webhooks go to `url`, but not the one to `keep`. Notes those that stay.
///
/// # Errors
/// As [`remove_all`].
pub async fn remove_former(
    app: &App,
    former: &FormerSubscription,
    url: &str,
    keep: Option<&str>,
    staying: &mut Staying,
) -> Result<(), HandlerError> {
    let account = Account {
        base_url: &former.base_url,
        api_key: &SecretString::from(former.api_key.as_str()),
    };
    remove_all(app, account, Some(&former.id), url, keep, staying).await
}
