//! The `callback-fn` binary.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use shared::env::Reader;
use webhook_fn::callback::app::{self, App};
use webhook_fn::callback::config::Config;
use webhook_fn::callback::message::SqsEvent;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let config = Config::read(Reader::from_process())?;
    let app = App::new(config, &shared::aws::load_config().await)?;
    run(service_fn(|event: LambdaEvent<SqsEvent>| {
        app::handle(&app, event)
    }))
    .await
}
