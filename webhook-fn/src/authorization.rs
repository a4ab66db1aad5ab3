//! `Authorization: User <secret>, Organization <secret>[, Element <token>]`

use lambda_http::http::{HeaderMap, header};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use shared::instance::Instance;
use subtle::ConstantTimeEq;

use crate::config::Config;
use crate::error::HandlerError;

/// What a request's header claims.
#[derive(Debug, Default)]
pub struct Credentials {
    user: Option<SecretString>,
    organization: Option<SecretString>,
    element: Option<SecretString>,
}

impl Credentials {
    /// Reads the header; what it has not, or has in another form, is absent.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let mut credentials = Self::default();
        let text = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        for part in text.split(',') {
            let (scheme, secret) = part
                .trim()
                .split_once(char::is_whitespace)
                .unwrap_or((part, ""));
            let secret = Some(SecretString::from(secret.trim()));
            match scheme.to_ascii_lowercase().as_str() {
                "user" => credentials.user = secret,
                "organization" => credentials.organization = secret,
                "element" => credentials.element = secret,
                _ => {}
            }
        }
        credentials
    }

    /// Passes whoever has the User and the Organization secret.
    ///
    /// # Errors
    /// [`HandlerError::Unauthorized`], whichever is missing or wrong.
    pub fn require_account(&self, config: &Config) -> Result<(), HandlerError> {
        let user = is_same(self.user.as_ref(), &config.user_secret);
        let organization = is_same(self.organization.as_ref(), &config.organization_secret);
        if user & organization {
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
        let names_account = self.user.is_some() || self.organization.is_some();
        let account = !names_account || self.require_account(config).is_ok();
        let token =
            self.element.is_none() || instance.is_some_and(|instance| self.has_token_of(instance));
        let names_any = names_account || self.element.is_some();
        if account && token && names_any {
            Ok(())
        } else {
            Err(HandlerError::Unauthorized)
        }
    }

    /// The hash of the token, if there is one.
    pub fn token_hash(&self) -> Option<String> {
        self.element.as_ref().map(hash_token)
    }

    fn has_token_of(&self, instance: &Instance) -> bool {
        let hash = self.element.as_ref().map(hash_token);
        hash.is_some_and(|hash| hash.as_bytes().ct_eq(instance.token_hash.as_bytes()).into())
    }
}

/// What is stored of a token: its SHA-256, in hex. It is random, so no salt is needed.
pub fn hash_token(token: &SecretString) -> String {
    hex::encode(Sha256::digest(token.expose_secret()))
}

/// Compares in constant time, by hashes, so that not even the length shows.
fn is_same(given: Option<&SecretString>, expected: &SecretString) -> bool {
    let hash = |secret: &SecretString| Sha256::digest(secret.expose_secret());
    given.is_some_and(|given| hash(given).ct_eq(&hash(expected)).into())
}
