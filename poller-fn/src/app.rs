//! The adapters of the poller: Close, the tables, the bus and the metrics.

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

/// Close answers a search in well under a second; a page of large leads may take some.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// The settings and the adapters of the function, set up once.
#[derive(Debug, Clone)]
pub struct App {
    /// The settings.
    pub config: Config,
    /// Close.
    pub close: CloseClient,
    /// The Instances table.
    pub instances: InstanceTable,
    /// The Watermarks table.
    pub watermarks: WatermarkTable,
    /// The Ledger table.
    pub ledger: LedgerTable,
    /// The bus.
    pub bus: EventBus,
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
            watermarks: WatermarkTable::new(aws, config.watermarks_table.clone()),
            ledger: LedgerTable::new(aws, config.ledger_table.clone()),
            bus: EventBus::new(aws, config.event_bus_name.clone(), config.event_max_bytes),
            metrics: Metrics::new(config.metrics_namespace.clone(), Service::Poller),
            config,
        })
    }

    /// The same for one invocation, so that what it publishes bears its trace.
    #[must_use]
    pub fn traced(&self, header: Option<&str>) -> Self {
        Self {
            bus: self.bus.traced(header),
            ..self.clone()
        }
    }
}
