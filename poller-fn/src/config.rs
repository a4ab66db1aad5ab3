//! The function's settings.

use std::num::NonZeroU32;

use shared::close::base_url::BaseUrls;
use shared::event::bus::DEFAULT_MAX_BYTES;
use shared::function::env::{ConfigError, EnvReader};
use shared::function::metrics::DEFAULT_NAMESPACE;
use shared::instance::policy::Policy;

const DEFAULT_DISPATCH_PER_SECOND: NonZeroU32 = NonZeroU32::new(200).unwrap();

/// The environment of `poller-fn`.
#[derive(Debug, Clone)]
pub struct Config {
    /// `EVENT_BUS_NAME`: the bus's name.
    pub event_bus_name: String,
    /// `INSTANCES_TABLE`: the table's name.
    pub instances_table: String,
    /// `WATERMARKS_TABLE`: the table's name.
    pub watermarks_table: String,
    /// `LEDGER_TABLE`: the table's name.
    pub ledger_table: String,
    /// `PUBLIC_URL`: what webhook URLs begin with. Without it, poller-fn uses the URL that is stored with each instance.
    pub public_url: Option<String>,
    /// `EVENT_MAX_BYTES`: what an entry may hold, default 983040.
    pub event_max_bytes: usize,
    /// `DISPATCH_PER_SECOND`: instances dispatched in a second, default 200.
    pub dispatch_per_second: NonZeroU32,
    /// `METRICS_NAMESPACE`: the namespace of the metrics, default `closeio-events`.
    pub metrics_namespace: String,
    /// `CLOSE_BASE_URLS`: base URLs beside Close's own, divided by commas.
    pub policy: Policy,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or cannot be parsed, by name.
    pub fn read(mut reader: EnvReader) -> Result<Self, ConfigError> {
        let config = Self {
            event_bus_name: reader.required("EVENT_BUS_NAME"),
            instances_table: reader.required("INSTANCES_TABLE"),
            watermarks_table: reader.required("WATERMARKS_TABLE"),
            ledger_table: reader.required("LEDGER_TABLE"),
            public_url: reader
                .optional("PUBLIC_URL")
                .map(|url| url.trim_end_matches('/').to_owned()),
            event_max_bytes: reader.parsed(
                "EVENT_MAX_BYTES",
                DEFAULT_MAX_BYTES,
                "a number of bytes",
            ),
            dispatch_per_second: reader.parsed(
                "DISPATCH_PER_SECOND",
                DEFAULT_DISPATCH_PER_SECOND,
                "a whole number from 1",
            ),
            metrics_namespace: reader
                .optional("METRICS_NAMESPACE")
                .unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
            // A stored instance was checked when it was provisioned: callbacks are no longer in question.
            policy: Policy {
                base_urls: BaseUrls::new(reader.list("CLOSE_BASE_URLS")),
                any_base_url: false,
                ..Policy::of_stored()
            },
        };
        reader.finish(config)
    }
}
