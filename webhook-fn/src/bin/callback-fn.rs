//! The `callback-fn` binary.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use shared::env::Reader;
use shared::{aws, logging};
use webhook_fn::callback::app::{self, App};
use webhook_fn::callback::config::Config;
use webhook_fn::callback::message::SqsEvent;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::from_process();
    logging::init(&mut reader);
    let aws = aws::read_config(&mut reader)?;
    let app = App::new(Config::read(reader)?, &aws)?;
    run(service_fn(|event: LambdaEvent<SqsEvent>| {
        app::handle(&app, event)
    }))
    .await
}
