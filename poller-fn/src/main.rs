//! The `poller-fn` binary.

// The futures of an invocation are nested deeper than the compiler follows types by default.
#![recursion_limit = "256"]

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use poller_fn::app::App;
use poller_fn::config::Config;
use poller_fn::handle::handle;
use serde_json::value::RawValue;
use shared::function::env::EnvReader;
use shared::function::{aws, logging};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = EnvReader::from_process();
    logging::init(&mut reader);
    let aws = aws::read_config(&mut reader)?;
    let app = App::new(Config::read(reader)?, &aws)?;
    run(service_fn(|event: LambdaEvent<Box<RawValue>>| {
        handle(&app, event)
    }))
    .await
}
