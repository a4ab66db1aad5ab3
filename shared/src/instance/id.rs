//! The number of an instance, and its spelling in a webhook URL.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

/// JSON readers hold integers exactly up to 2^53 - 1, so an id is never larger.
pub const MAX_INSTANCE_ID: u64 = (1 << 53) - 1;

/// An id has at most this many digits, `9007199254740991`.
const MAX_DIGITS: usize = 16;

/// Accepts `MjA5MzE=` and `MjA5MzE`: people and proxies drop the padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The number of an instance: 1 to 2^53 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct InstanceId(u64);

/// The text in a webhook URL or an instance path is not an instance's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InstanceIdError {
    /// Not base64.
    #[error("expected the base64 of an instance id, such as MjA5MzE= for 20931")]
    NotBase64,
    /// Base64 of something else than a number, or a number out of range.
    #[error("expected an instance id of 1 to 16 digits, 1 to 9007199254740991")]
    NotAnId,
}

impl InstanceId {
    /// The base64 of the decimal number, as it stands in the instance's webhook URL.
    pub fn to_base64(self) -> String {
        BASE64.encode(self.0.to_string())
    }

    /// Where Close must post the instance's webhooks. `public_url` is what the URL begins with, without a slash at the end.
    pub fn webhook_url(self, public_url: &str) -> String {
        format!(
            "{public_url}/elements/api-v2/events/closeio/{}",
            self.to_base64()
        )
    }

    /// Reads [`Self::to_base64`]'s text, padded or not, with at most one percent-encoding left on it, and also the
    /// encoding of a number with a line end, which `echo 20931 | base64` makes.
    ///
    /// # Errors
    /// When the text is not base64 or what it holds is not an id.
    pub fn from_base64(text: &str) -> Result<Self, InstanceIdError> {
        let text = text.replace("%3D", "=").replace("%3d", "=");
        let bytes = BASE64
            .decode(text)
            .map_err(|_| InstanceIdError::NotBase64)?;
        let digits = std::str::from_utf8(&bytes).map_err(|_| InstanceIdError::NotAnId)?;
        digits.trim_end_matches(['\r', '\n']).parse()
    }
}

impl std::str::FromStr for InstanceId {
    type Err = InstanceIdError;

    fn from_str(digits: &str) -> Result<Self, Self::Err> {
        let is_decimal =
            digits.len() <= MAX_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = if is_decimal {
            digits.parse().ok()
        } else {
            None
        };
        number
            .ok_or(InstanceIdError::NotAnId)
            .and_then(|number: u64| number.try_into())
    }
}

impl TryFrom<u64> for InstanceId {
    type Error = InstanceIdError;

    fn try_from(number: u64) -> Result<Self, Self::Error> {
        if (1..=MAX_INSTANCE_ID).contains(&number) {
            Ok(Self(number))
        } else {
            Err(InstanceIdError::NotAnId)
        }
    }
}

impl From<InstanceId> for u64 {
    fn from(id: InstanceId) -> Self {
        id.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{InstanceId, InstanceIdError, MAX_INSTANCE_ID};

    fn decoded(text: &str) -> Result<u64, InstanceIdError> {
        InstanceId::from_base64(text).map(u64::from)
    }

    #[test]
    fn reads_every_spelling_of_an_encoded_id() {
        for text in [
            "MjA5MzE=",
            "MjA5MzE",
            "MjA5MzE%3D",
            "MjA5MzE%3d",
            "MjA5MzEK",
            "MjA5MzENCg==",
        ] {
            assert_eq!(decoded(text), Ok(20931), "{text}");
        }
        assert_eq!(decoded("Nzk1MDY0Nw=="), Ok(7_950_647));
        assert_eq!(decoded("OTAwNzE5OTI1NDc0MDk5MQ=="), Ok(MAX_INSTANCE_ID));
    }

    #[test]
    fn refuses_what_is_no_id() {
        assert_eq!(decoded("M!"), Err(InstanceIdError::NotBase64));
        // "", "0", "-1", " 12", "2^53", 17 digits, "1a" and four bytes that are not UTF-8.
        for text in [
            "",
            "MA==",
            "LTE=",
            "IDEy",
            "OTAwNzE5OTI1NDc0MDk5Mg==",
            "MTIzNDU2Nzg5MDEyMzQ1Njc=",
            "MWE=",
            "/////w==",
        ] {
            assert_eq!(decoded(text), Err(InstanceIdError::NotAnId), "{text}");
        }
    }

    #[test]
    fn encodes_as_the_documented_example_does() {
        assert_eq!(InstanceId::try_from(20931).unwrap().to_base64(), "MjA5MzE=");
        assert_eq!(InstanceId::try_from(12).unwrap().to_base64(), "MTI=");
    }
}
