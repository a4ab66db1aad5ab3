//! The `callback-fn` binary.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::value::RawValue;
use shared::function::env::EnvReader;
use shared::function::{aws, logging};
use webhook_fn::callback::app::App;
use webhook_fn::callback::config::Config;
use webhook_fn::callback::invocation;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = EnvReader::from_process();
    logging::init(&mut reader);
    let aws = aws::read_config(&mut reader)?;
    let app = App::new(Config::read(reader)?, &aws)?;
    run(service_fn(|event: LambdaEvent<Box<RawValue>>| {
        invocation::handle(&app, event)
    }))
    .await
}
