//! What can go wrong, one after another, so that metrics and alarms have something to show.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Result;
use local_stack::aws::sqs::queue::message::Message;
use local_stack::close::CloseSimulator;
use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use local_stack::close::organization::Organization;
use local_stack::close::settings::ThrottleBody;
use local_stack::stack::LocalStack;
use serde_json::json;
use tokio::time::sleep;

use crate::receiver::Receiver;

/// How long all is well, before and between.
const QUIET: Duration = Duration::from_secs(30);

/// Makes the trouble of some five minutes, and then no more.
pub(crate) async fn make(
    stack: &LocalStack,
    close: &CloseSimulator,
    organization: &Organization,
    receiver: &Receiver,
) -> Result<Infallible> {
    sleep(QUIET).await;
    // Close pauses the subscription, drops what happens meanwhile, and lets nobody resume it for a while.
    for subscription in organization.webhooks() {
        let id = subscription["id"].as_str().unwrap_or_default();
        let changes = RequestMatch::to(&format!("/webhook/{id}/")).method("PUT");
        close.fail(changes.times(usize::MAX), CloseFault::status(503));
        organization.pause_webhook(id, "backlog_limit")?;
    }
    sleep(Duration::from_secs(20)).await;
    close.clear_faults();

    sleep(QUIET).await;
    // Requests that a moment later would have been answered.
    let throttled = CloseFault::throttled(Duration::from_millis(200), ThrottleBody::Empty);
    close.fail(RequestMatch::to("/data/search/").times(12), throttled);

    sleep(QUIET).await;
    // Close is down. What it has to tell it tells later.
    let all = RequestMatch::to("*").times(usize::MAX);
    close.fail(all, CloseFault::status(503));
    sleep(Duration::from_secs(45)).await;
    close.clear_faults();

    sleep(QUIET).await;
    // A callback URL is down.
    receiver.set_down(true);
    sleep(Duration::from_secs(20)).await;
    receiver.set_down(false);

    sleep(QUIET).await;
    // EventBridge takes nothing.
    stack.bus().refuse("ThrottlingException", |_| true);
    sleep(Duration::from_secs(20)).await;
    stack.bus().accept_all();

    sleep(QUIET).await;
    // An invocation fails, then there is no place to run, and a message is nobody's.
    let (poller, webhook) = (
        stack.function("PollerFunction")?,
        stack.function("WebhookFunction")?,
    );
    // That it fails is what it is for.
    let _ = poller.invoke(&json!("nonsense")).await;
    poller.throttle(3);
    webhook.throttle(3);
    let queue = stack.queue("CallbackQueue")?;
    queue.send(Message::new("nobody's"))?;
    std::future::pending().await
}
