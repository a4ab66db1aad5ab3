//! What both functions of closeio-events use.
//!
//! Pure modules decide and do no I/O: [`event`], [`change`], [`instance`], [`health`], [`backfill`], [`callback`],
//! [`instance_id`], [`address`], [`configuration`], [`settings`], [`json`], [`http_time`], [`last_poll`],
//! [`nearest`], [`warnings`],
//! [`poller_configuration`], [`query_url`], [`ceql`], [`date_pattern`] and all of [`close`] but its client.
//! Adapters do: [`event_bus`] speaks to EventBridge, [`instance_table`] and [`watermark_table`] to DynamoDB,
//! [`close::client`] to Close. [`mod@env`] is the only module that reads the environment and [`clock`] the only one that
//! reads the time.

pub mod address;
pub mod aws;
pub mod backfill;
pub mod callback;
pub mod ceql;
pub mod change;
pub mod clock;
pub mod close;
pub mod configuration;
pub mod date_pattern;
pub mod env;
pub mod event;
pub mod event_bus;
pub mod health;
pub mod http_time;
pub mod instance;
pub mod instance_id;
pub mod instance_table;
pub mod json;
pub mod last_poll;
pub mod logging;
pub mod metrics;
pub mod nearest;
pub mod objects;
pub mod poller_configuration;
pub mod query_url;
pub mod settings;
pub mod shortened;
pub mod table;
pub mod warnings;
pub mod watermark_table;
