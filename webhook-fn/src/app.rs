//! The settings and the adapters of webhook-fn.

use std::time::Duration;

use aws_types::SdkConfig;
use shared::close::client::CloseClient;
use shared::close::error::CloseError;
use shared::event::bus::EventBus;
use shared::function::metrics::{Metrics, Service};
use shared::store::instances::InstanceTable;
use shared::store::ledger::LedgerTable;
use shared::store::watermarks::WatermarkTable;

use crate::config::Config;
use crate::instance_cache::InstanceCache;

/// Close makes a subscription in well under a second, and the whole answer must come within the function's 10 s.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// The settings and the adapters of the function, set up once.
#[derive(Debug)]
pub struct App {
    /// The settings.
    pub config: Config,
    /// The Instances table.
    pub instances: InstanceTable,
    /// What was read of it lately.
    pub cache: InstanceCache,
    /// The Watermarks table.
    pub watermarks: WatermarkTable,
    /// The Ledger table.
    pub ledger: LedgerTable,
    /// The bus.
    pub bus: EventBus,
    /// Close.
    pub close: CloseClient,
    /// The writer of metrics.
    pub metrics: Metrics,
}

impl App {
    /// Sets up the adapters; no call is made.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(config: Config, aws: &SdkConfig) -> Result<Self, CloseError> {
        Ok(Self {
            close: CloseClient::new(CLOSE_TIMEOUT, config.policy.base_urls.clone())?,
            instances: InstanceTable::new(aws, config.instances_table.clone()),
            cache: InstanceCache::default(),
            watermarks: WatermarkTable::new(aws, config.watermarks_table.clone()),
            ledger: LedgerTable::new(aws, config.ledger_table.clone()),
            bus: EventBus::new(aws, config.event_bus_name.clone(), config.event_max_bytes),
            metrics: Metrics::new(config.metrics_namespace.clone(), Service::Webhook),
            config,
        })
    }
}
