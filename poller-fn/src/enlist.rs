//! The schedule's tick: finds the instances that are to be polled and are not in the index `due`.
//!
//! An earlier version stored instances as not polled whose webhooks this version reconciles. While both versions run, that may
//! happen again, so the round through all instances has no end.

use shared::function::clock::Clock;
use shared::instance::settings::Settings;
use shared::instance::{Instance, Phase};
use shared::store::error::TableError;

use crate::app::App;

/// Pages of instances that one tick looks at, of 500 instances or 1 MB each: all of a small stack, and 100,000 within an hour.
const PAGES: usize = 4;

/// Looks at the next instances of the round, and makes those due that are to be polled. The next round retries a failure.
pub async fn enlist(app: &App, clock: &Clock) {
    match go_round(app, clock).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(
            count,
            "instances of an earlier version are polled from now on"
        ),
        Err(error) => tracing::warn!(%error, "the round through all instances was interrupted"),
    }
}

async fn go_round(app: &App, clock: &Clock) -> Result<usize, TableError> {
    let begun_at = app.watermarks.round().await?;
    let (mut after, mut count) = (begun_at, 0);
    for _ in 0..PAGES {
        let page = app.instances.unlisted(after).await?;
        for instance in page.instances.iter().filter(|it| is_to_be_polled(it)) {
            match app.instances.enlist(instance, clock.started()).await {
                Ok(()) => count += 1,
                // Another writer has decided whether the instance is polled.
                Err(TableError::Conflict) => {}
                Err(error) => {
                    tracing::warn!(instance.id = %instance.id, %error, "an instance was not made due");
                }
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if after != begun_at {
        app.watermarks.set_round(after).await?;
    }
    Ok(count)
}

/// One whose configuration cannot be read was never polled.
fn is_to_be_polled(instance: &Instance) -> bool {
    let settings = Settings::stored(&instance.configuration);
    let is_working = instance.phase == Phase::Ready && !instance.disabled;
    is_working && settings.is_ok_and(|settings| settings.is_polled())
}
