//! The `webhook-fn` binary.

use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Error, LambdaEvent, Request, Service, lambda_runtime, service_fn};
use shared::env::Reader;
use webhook_fn::app::{self, App};
use webhook_fn::config::Config;
use webhook_fn::gateway;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_http::tracing::init_default_subscriber();
    let config = Config::read(Reader::from_process())?;
    let app = App::new(config, &shared::aws::load_config().await)?;
    let mut handler = Adapter::from(service_fn(|request: Request| app::handle(&app, request)));
    let service = service_fn(|event: LambdaEvent<LambdaRequest>| {
        let LambdaEvent {
            payload, context, ..
        } = event;
        handler.call(LambdaEvent::new(gateway::tame(payload), context))
    });
    lambda_runtime::run(service).await
}
