//! `Authorization: User <secret>, Organization <secret>[, Element <token>]`

use lambda_http::http::{HeaderMap, header};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use shared::instance::Instance;
use subtle::ConstantTimeEq;

use super::error::HandlerError;
use crate::config::Config;

/// The credentials in a request's `Authorization` header, by scheme. Every secret is kept, because each must be right.
#[derive(Debug, Default)]
pub struct Credentials {
    user: Vec<SecretString>,
    organization: Vec<SecretString>,
    element: Vec<SecretString>,
    /// Whether a part has another scheme. It may hide a credential, so it opens nothing.
    has_others: bool,
}

impl Credentials {
    /// Reads the header's parts between commas; empty ones are left out.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let mut credentials = Self::default();
        for value in headers.get_all(header::AUTHORIZATION) {
            match value.to_str() {
                Ok(text) => text
                    .split(',')
                    .for_each(|part| credentials.add(part.trim())),
                Err(_) => credentials.has_others = true,
            }
        }
        credentials
    }

    fn add(&mut self, part: &str) {
        if part.is_empty() {
            return;
        }
        let (scheme, secret) = part.split_once(char::is_whitespace).unwrap_or((part, ""));
        let secret = SecretString::from(secret.trim());
        match scheme.to_ascii_lowercase().as_str() {
            "user" => self.user.push(secret),
            "organization" => self.organization.push(secret),
            "element" => self.element.push(secret),
            _ => self.has_others = true,
        }
    }

    /// Passes whoever has the User and the Organization secret.
    ///
    /// # Errors
    /// [`HandlerError::Unauthorized`], whichever is missing or wrong.
    pub fn require_account(&self, config: &Config) -> Result<(), HandlerError> {
        let user = are_same(&self.user, &config.user_secret);
        let organization = are_same(&self.organization, &config.organization_secret);
        if user & organization && !self.has_others {
            Ok(())
        } else {
            Err(HandlerError::Unauthorized)
        }
    }

    /// Passes whoever has both secrets or the instance's own token. What is given besides must be right as well.
    ///
    /// # Errors
    /// [`HandlerError::Unauthorized`], whichever is missing or wrong, and also where there is no instance to have a token.
    pub fn require_account_or_token(
        &self,
        config: &Config,
        instance: Option<&Instance>,
    ) -> Result<(), HandlerError> {
        if self.element.is_empty() || !self.user.is_empty() || !self.organization.is_empty() {
            self.require_account(config)?;
        }
        self.require_right_token(instance)
    }

    /// Passes whoever gives no token, or the instance's own.
    ///
    /// # Errors
    /// [`HandlerError::Unauthorized`] where a token is another's, and also where there is no instance to have one.
    pub fn require_right_token(&self, instance: Option<&Instance>) -> Result<(), HandlerError> {
        let is_right = |token| instance.is_some_and(|instance| is_token_of(token, instance));
        if self.element.iter().all(is_right) && !self.has_others {
            Ok(())
        } else {
            Err(HandlerError::Unauthorized)
        }
    }

    /// The hash of the token, if there is one.
    pub fn token_hash(&self) -> Option<String> {
        self.element.first().map(hash_token)
    }
}

fn is_token_of(token: &SecretString, instance: &Instance) -> bool {
    let hash = hash_token(token);
    hash.as_bytes().ct_eq(instance.token_hash.as_bytes()).into()
}

/// What is stored of a token: its SHA-256, in hex. It is random, so no salt is needed.
pub fn hash_token(token: &SecretString) -> String {
    hex::encode(Sha256::digest(token.expose_secret()))
}

/// Whether there are secrets and each is the expected one. Compares in constant time, by hashes, so that not even the length
/// shows.
fn are_same(given: &[SecretString], expected: &SecretString) -> bool {
    let hash = |secret: &SecretString| Sha256::digest(secret.expose_secret());
    let expected = hash(expected);
    let wrong = given
        .iter()
        .filter(|given| !bool::from(hash(given).ct_eq(&expected)));
    !given.is_empty() && wrong.count() == 0
}
