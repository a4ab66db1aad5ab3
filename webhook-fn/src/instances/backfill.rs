//! `POST /instances/{id}/backfill`

use jiff::Timestamp;
use shared::instance::backfill::{Backfill, BackfillStatus};
use shared::instance::settings::Settings;
use shared::instance::{Instance, Phase};
use shared::polling::resource::Resource;
use shared::store::conflicts::Conflicts;

use super::backfill_request::{self, BackfillRequest};
use super::find::find_by_account;
use super::members::parse_object;
use super::view;
use crate::app::App;
use crate::conflicts::resolve;
use crate::http::authorization::Credentials;
use crate::http::call::Call;
use crate::http::error::HandlerError;
use crate::http::reply::Reply;

const ENABLE: &str = "it is disabled; enable it first, with PUT at its /enabled";
const CONFIGURE: &str = "set event.webhook.subscribe to true first; or event.notification.enabled to true, event.vendor.type to polling, and event.poller.configuration";

/// Has a span of the past published. The poller does it, from a poll on that is due at once.
///
/// # Errors
/// 400 with all that is missing or wrong; 401, 404; 409 where there is nothing to backfill, where the instance is suspended, or has another backfill
/// under way; 413, 503.
pub async fn backfill(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
    id: &str,
) -> Result<Reply, HandlerError> {
    let (backfill_id, now) = (random_id()?, call.clock.started());
    let mut conflicts = Conflicts::default();
    loop {
        let instance = find_by_account(app, credentials, id).await?;
        let request = match &instance.backfill {
            // Its insertion was done, but not answered.
            Some(stored) if stored.id == backfill_id => return Ok(accepted(stored)),
            stored => check(call.body, &instance, stored.as_ref(), now)?,
        };
        let backfill = Backfill::new(
            &backfill_id,
            &request.resource,
            request.from,
            request.to,
            now,
        );
        let stored = app
            .instances
            .request_backfill(instance.id, &backfill, now)
            .await;
        // On a conflict something of what was checked may be so no longer.
        if resolve(&mut conflicts, stored)?.is_some() {
            tracing::info!(instance.id = %instance.id, resource = backfill.resource, "a backfill was asked for");
            return Ok(accepted(&backfill));
        }
    }
}

fn accepted(backfill: &Backfill) -> Reply {
    Reply::accepted(view::backfill(backfill))
}

/// What is to be published, if that can begin.
fn check(
    body: &[u8],
    instance: &Instance,
    last: Option<&Backfill>,
    now: Timestamp,
) -> Result<BackfillRequest, HandlerError> {
    let settings =
        Settings::stored(&instance.configuration).map_err(HandlerError::Configuration)?;
    let members = parse_object(body)?;
    let request = backfill_request::parse(&members, backfilled(instance, &settings)?, now)
        .map_err(HandlerError::Invalid)?;
    match last {
        Some(last) if last.status == BackfillStatus::Pending => {
            Err(HandlerError::BackfillUnderWay(Box::new(last.clone())))
        }
        _ => Ok(request),
    }
}

/// What of an instance can be backfilled at present.
fn backfilled<'a>(
    instance: &Instance,
    settings: &'a Settings,
) -> Result<&'a [Resource], HandlerError> {
    let id = instance.id;
    match settings.backfilled() {
        _ if instance.phase == Phase::Provisioning => Err(HandlerError::NotSetUp(id)),
        _ if instance.disabled => Err(HandlerError::NotPolled { id, remedy: ENABLE }),
        [] => Err(HandlerError::NotPolled {
            id,
            remedy: CONFIGURE,
        }),
        _ if instance.health.is_suspended() => Err(HandlerError::Suspended {
            id,
            refusals: instance.health.refusals,
            reason: instance.health.reason.clone().unwrap_or_default(),
        }),
        resources => Ok(resources),
    }
}

fn random_id() -> Result<String, HandlerError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}
