//! The origin of a callback URL, to which its secrets belong.

use url::{Origin, Url};

use crate::instance::configuration::Configuration;
use crate::instance::settings::field;

/// The origin of the callback URL of `new`, where it is another than that of `old`. While there is no callback URL, the origin
/// is unknown, so a URL that follows is another.
pub fn other(old: &Configuration, new: &Configuration) -> Option<Origin> {
    origin(new).filter(|new| origin(old).as_ref() != Some(new))
}

fn origin(configuration: &Configuration) -> Option<Origin> {
    let url = Url::parse(configuration.get(field::CALLBACK_URL)?).ok()?;
    Some(url.origin())
}
