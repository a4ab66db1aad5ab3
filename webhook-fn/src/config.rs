//! The function's settings.

use secrecy::SecretString;
use shared::close::base_url::BaseUrls;
use shared::event::bus::DEFAULT_MAX_BYTES;
use shared::function::env::{ConfigError, EnvReader};
use shared::function::metrics::DEFAULT_NAMESPACE;
use shared::instance::policy::{Origin, Policy};

/// The environment of `webhook-fn`.
#[derive(Debug)]
pub struct Config {
    /// `EVENT_BUS_NAME`: the bus's name.
    pub event_bus_name: String,
    /// `INSTANCES_TABLE`: the table's name.
    pub instances_table: String,
    /// `WATERMARKS_TABLE`: the table's name.
    pub watermarks_table: String,
    /// `LEDGER_TABLE`: the table's name.
    pub ledger_table: String,
    /// `EVENT_MAX_BYTES`: what an entry may hold, default 983040.
    pub event_max_bytes: usize,
    /// `METRICS_NAMESPACE`: the namespace of the metrics, default `closeio-events`.
    pub metrics_namespace: String,
    /// `PUBLIC_URL`: what webhook URLs begin with; by default the request's own domain name, over https.
    pub public_url: Option<String>,
    /// `USER_SECRET`: what `Authorization: User …` must carry.
    pub user_secret: SecretString,
    /// `ORGANIZATION_SECRET`: what `Authorization: …, Organization …` must carry.
    pub organization_secret: SecretString,
    /// `CLOSE_BASE_URLS`: base URLs beside Close's own, divided by commas. `CALLBACKS_ENABLED`: `true` or `false`, default
    /// `true`. `CALLBACK_ALLOW_LOOPBACK`: `true` for callback URLs of this machine, over http, default `false`.
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
            event_max_bytes: reader.parsed(
                "EVENT_MAX_BYTES",
                DEFAULT_MAX_BYTES,
                "a number of bytes",
            ),
            metrics_namespace: reader
                .optional("METRICS_NAMESPACE")
                .unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
            public_url: reader
                .optional("PUBLIC_URL")
                .map(|url| url.trim_end_matches('/').to_owned()),
            user_secret: reader.secret("USER_SECRET"),
            organization_secret: reader.secret("ORGANIZATION_SECRET"),
            policy: Policy {
                base_urls: BaseUrls::new(reader.list("CLOSE_BASE_URLS")),
                callbacks_enabled: reader.parsed("CALLBACKS_ENABLED", true, "true or false"),
                local_callbacks: reader.parsed("CALLBACK_ALLOW_LOOPBACK", false, "true or false"),
                any_base_url: false,
                origin: Origin::Request,
            },
        };
        reader.finish(config)
    }
}
