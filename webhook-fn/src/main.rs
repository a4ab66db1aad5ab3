//! The `webhook-fn` binary.

use lambda_http::{Error, Request, run, service_fn};
use shared::env::Reader;
use webhook_fn::app::{self, App};
use webhook_fn::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_http::tracing::init_default_subscriber();
    let config = Config::read(Reader::from_process())?;
    let app = App::new(config, &shared::aws::load_config().await)?;
    run(service_fn(|request: Request| app::handle(&app, request))).await
}
