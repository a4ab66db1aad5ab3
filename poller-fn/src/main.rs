//! The `poller-fn` binary.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use poller_fn::config::Config;
use poller_fn::invocation::{self, Poller};
use serde_json::Value;
use shared::env::Reader;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let config = Config::read(Reader::from_process())?;
    let poller = Poller::new(config, &shared::aws::load_config().await)?;
    run(service_fn(|event: LambdaEvent<Value>| {
        invocation::handle(&poller, event)
    }))
    .await
}
