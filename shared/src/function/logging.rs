//! Log lines, where and as Lambda wants them.
//!
//! As the Lambda runtime's own subscriber writes them. That one's filter takes regular expressions, which are a twentieth of a
//! function.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::function::env::EnvReader;

/// From here on, writes what `RUST_LOG` lets through to stdout, and by default all from INFO on. As JSON where the function's
/// log format is JSON.
pub fn init(reader: &mut EnvReader) {
    let default = Targets::new().with_default(LevelFilter::INFO);
    let targets = reader.parsed("RUST_LOG", default, "a list of levels by target");
    let lines = tracing_subscriber::fmt::layer()
        .with_target(false)
        .without_time();
    let format = reader.optional("AWS_LAMBDA_LOG_FORMAT");
    let registry = tracing_subscriber::registry().with(targets);
    if format.is_some_and(|format| format.eq_ignore_ascii_case("json")) {
        registry.with(lines.json()).init();
    } else {
        registry.with(lines).init();
    }
}
