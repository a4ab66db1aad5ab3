//! The `webhook-fn` binary.

use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Error, LambdaEvent, Request, Service, lambda_runtime, service_fn};
use shared::function::env::EnvReader;
use shared::function::{aws, logging};
use webhook_fn::app::App;
use webhook_fn::config::Config;
use webhook_fn::handle;
use webhook_fn::http::gateway;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = EnvReader::from_process();
    logging::init(&mut reader);
    let aws = aws::read_config(&mut reader)?;
    let app = App::new(Config::read(reader)?, &aws)?;
    let mut handler = Adapter::from(service_fn(|request: Request| handle::handle(&app, request)));
    let service = service_fn(|event: LambdaEvent<LambdaRequest>| {
        let LambdaEvent {
            payload, context, ..
        } = event;
        handler.call(LambdaEvent::new(gateway::sanitize(payload), context))
    });
    lambda_runtime::run(service).await
}
