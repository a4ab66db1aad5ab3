//! The function's settings.

use shared::function::env::{ConfigError, EnvReader};
use shared::function::metrics::DEFAULT_NAMESPACE;

/// The environment of `callback-fn`.
#[derive(Debug)]
pub struct Config {
    /// `INSTANCES_TABLE`: the table's name.
    pub instances_table: String,
    /// `CALLBACK_WAITS_TABLE`: the table of the notifications whose next attempt is more than 15 minutes away.
    pub waits_table: String,
    /// `CALLBACK_RETRY_QUEUE_URL`: where the others wait for another attempt.
    pub retry_queue_url: String,
    /// `CALLBACK_DEAD_LETTER_QUEUE_URL`: where those end that are given up.
    pub dead_letter_queue_url: String,
    /// `CALLBACK_FAILURE_QUEUE_URL`: where those end for which the operator must do something.
    pub failure_queue_url: String,
    /// `METRICS_NAMESPACE`: the namespace of the metrics, default `closeio-events`.
    pub metrics_namespace: String,
    /// `CALLBACK_ALLOW_LOOPBACK`: `true` to deliver over http and to this machine too, for local use; default `false`.
    pub allow_loopback: bool,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or cannot be parsed, by name.
    pub fn read(mut reader: EnvReader) -> Result<Self, ConfigError> {
        let config = Self {
            instances_table: reader.required("INSTANCES_TABLE"),
            waits_table: reader.required("CALLBACK_WAITS_TABLE"),
            retry_queue_url: reader.required("CALLBACK_RETRY_QUEUE_URL"),
            dead_letter_queue_url: reader.required("CALLBACK_DEAD_LETTER_QUEUE_URL"),
            failure_queue_url: reader.required("CALLBACK_FAILURE_QUEUE_URL"),
            metrics_namespace: reader
                .optional("METRICS_NAMESPACE")
                .unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
            allow_loopback: reader.parsed("CALLBACK_ALLOW_LOOPBACK", false, "true or false"),
        };
        reader.finish(config)
    }
}
