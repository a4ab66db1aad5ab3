//! `/webhook/`: the API of webhook subscriptions.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::close::data::log::event_types;
use crate::close::data::user::{Owner, Role};
use crate::close::settings::{Settings, UnknownEvents};
use crate::close::subscriptions::extra_filter::ExtraFilter;
use crate::close::subscriptions::subscription::{EventType, Status, Subscription};
use crate::close::wire::answer::Refusal;
use crate::close::world::account::Account;

/// How many subscriptions an organization may have.
const MAX_SUBSCRIPTIONS: usize = 40;

/// `POST /webhook/`
pub(crate) fn create(
    account: &mut Account,
    caller: &Owner,
    settings: &Settings,
    now: Timestamp,
    body: &str,
) -> Result<Value, Refusal> {
    let body = parse(body)?;
    let url = url(body.get("url").ok_or_else(|| required("url"))?)?;
    let events = body.get("events").ok_or_else(|| required("events"))?;
    let events = events_of(events, settings)?;
    let verify_ssl = body.get("verify_ssl").and_then(Value::as_bool);
    let subscription = Subscription::new(caller, url, events, verify_ssl.unwrap_or(true), now);
    refuse_duplicate(account, &subscription)?;
    if MAX_SUBSCRIPTIONS <= account.subscriptions.len() {
        let message =
            format!("An organization can have at most {MAX_SUBSCRIPTIONS} webhook subscriptions.");
        return Err(Refusal::Invalid(message));
    }
    let answer = subscription.render_created();
    account.subscriptions.push(subscription);
    Ok(answer)
}

/// `GET /webhook/`
pub(crate) fn list(account: &Account) -> Value {
    let subscriptions = account.subscriptions.iter().map(Subscription::render);
    json!({ "data": subscriptions.collect::<Vec<_>>(), "has_more": false })
}

/// `GET /webhook/{id}/`
pub(crate) fn read(account: &Account, id: &str) -> Result<Value, Refusal> {
    let position = position(account, id)?;
    Ok(account.subscriptions[position].render().into())
}

/// `PUT /webhook/{id}/`, which changes what the body names.
pub(crate) fn change(
    account: &mut Account,
    caller: &Owner,
    settings: &Settings,
    now: Timestamp,
    id: &str,
    body: &str,
) -> Result<Value, Refusal> {
    let position = position_for(account, caller, id)?;
    let body = parse(body)?;
    let mut changed = account.subscriptions[position].clone();
    if let Some(value) = body.get("url") {
        changed.url = url(value)?;
    }
    if let Some(value) = body.get("events") {
        changed.events = events_of(value, settings)?;
    }
    if let Some(value) = body.get("status") {
        set_status(&mut changed, status(value)?, now);
    }
    if let Some(verify_ssl) = body.get("verify_ssl").and_then(Value::as_bool) {
        changed.verify_ssl = verify_ssl;
    }
    changed.date_updated = now;
    if changed.is_active() {
        refuse_duplicate(account, &changed)?;
    }
    let answer = changed.render();
    account.subscriptions[position] = changed;
    Ok(answer.into())
}

/// `DELETE /webhook/{id}/`
pub(crate) fn delete(account: &mut Account, caller: &Owner, id: &str) -> Result<Value, Refusal> {
    let position = position_for(account, caller, id)?;
    account.subscriptions.remove(position);
    Ok(json!({}))
}

fn set_status(subscription: &mut Subscription, status: Status, now: Timestamp) {
    match (subscription.status, status) {
        (Status::Active, Status::Paused) => subscription.pause(None, now),
        (Status::Paused, Status::Active) => subscription.resume(),
        _ => {}
    }
}

fn position(account: &Account, id: &str) -> Result<usize, Refusal> {
    let mut subscriptions = account.subscriptions.iter();
    let found = subscriptions.position(|subscription| subscription.id == id);
    found.ok_or(Refusal::NotFound("Webhook subscription"))
}

/// The same, if the caller may change the subscription: an administrator may, and who has made it.
fn position_for(account: &Account, caller: &Owner, id: &str) -> Result<usize, Refusal> {
    let position = position(account, id)?;
    let is_own = account.subscriptions[position].created_by == caller.id;
    if is_own || caller.role == Role::Admin {
        Ok(position)
    } else {
        Err(Refusal::Forbidden)
    }
}

/// In the words of a recorded refusal, which may name several.
fn refuse_duplicate(account: &Account, subscription: &Subscription) -> Result<(), Refusal> {
    let others = account.subscriptions.iter();
    let duplicates = others.filter(|other| other.duplicates(subscription));
    let ids: Vec<_> = duplicates.map(|other| other.id.as_str()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let ids = ids.join(", ");
    Err(Refusal::Invalid(format!(
        "Bad Request: Duplicate active subscription. Existing duplicates are: {ids}."
    )))
}

fn parse(body: &str) -> Result<Map<String, Value>, Refusal> {
    let message = "The request body is not a JSON object.";
    serde_json::from_str(body).map_err(|_| Refusal::Invalid(message.to_owned()))
}

fn url(value: &Value) -> Result<String, Refusal> {
    let url = value.as_str().unwrap_or_default();
    if url.starts_with("https://") || url.starts_with("http://") {
        Ok(url.to_owned())
    } else {
        Err(Refusal::Field("url", "Not a valid URL.".to_owned()))
    }
}

fn status(value: &Value) -> Result<Status, Refusal> {
    match value.as_str() {
        Some("active") => Ok(Status::Active),
        Some("paused") => Ok(Status::Paused),
        _ => Err(Refusal::Field("status", "Not a valid choice.".to_owned())),
    }
}

/// The event types, sorted as Close sorts them: the order asked for is not kept.
fn events_of(value: &Value, settings: &Settings) -> Result<Vec<EventType>, Refusal> {
    let invalid = || Refusal::Field("events", "Not a list of event types.".to_owned());
    let list = value
        .as_array()
        .filter(|list| !list.is_empty())
        .ok_or_else(invalid)?;
    let mut events: Vec<_> = list.iter().map(event_type).collect::<Result<_, _>>()?;
    let is_known = |event: &EventType| {
        let is_withheld = settings.withheld_types.contains(&event.object_type);
        event_types::exists(&event.object_type, &event.action) && !is_withheld
    };
    let unknown: Vec<_> = (0..events.len())
        .filter(|at| !is_known(&events[*at]))
        .collect();
    match (settings.unknown_events, unknown.first()) {
        (_, None) => {}
        (UnknownEvents::RefusedByName, Some(first)) => {
            let EventType {
                object_type,
                action,
                ..
            } = &events[*first];
            let message = format!("Invalid event type: {object_type}.{action}");
            return Err(Refusal::Field("events", message));
        }
        (UnknownEvents::RefusedByPosition, Some(_)) => {
            return Err(Refusal::Positions("events", unknown));
        }
        (UnknownEvents::LeftOut, Some(_)) => events.retain(is_known),
    }
    events.sort_by(|left, right| left.key().cmp(&right.key()));
    events.dedup_by(|left, right| left.key() == right.key());
    Ok(events)
}

fn event_type(value: &Value) -> Result<EventType, Refusal> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let extra_filter = match value.get("extra_filter") {
        None | Some(Value::Null) => None,
        Some(filter) => Some(ExtraFilter::parse(filter)?),
    };
    Ok(EventType {
        action: text("action").to_owned(),
        object_type: text("object_type").to_owned(),
        extra_filter,
    })
}

fn required(field: &'static str) -> Refusal {
    Refusal::Field(field, "This field is required.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscribe(account: &mut Account, body: &Value) -> Result<Value, Refusal> {
        let (admin, settings) = (account.data.admin(), Settings::default());
        create(
            account,
            &admin,
            &settings,
            Timestamp::UNIX_EPOCH,
            &body.to_string(),
        )
    }

    fn body(url: &str) -> Value {
        json!({ "url": url, "events": [{ "object_type": "lead", "action": "created" }] })
    }

    #[test]
    fn the_key_is_shown_at_creation_only() {
        let recorded = include_str!("../samples/webhook-subscription-created.json");
        let recorded: Map<String, Value> = serde_json::from_str(recorded).unwrap();
        let mut account = Account::new("Acme", "key", Timestamp::UNIX_EPOCH);
        let created = subscribe(&mut account, &body("https://example.com")).unwrap();
        let keys: Vec<_> = created.as_object().unwrap().keys().collect();
        assert_eq!(keys, recorded.keys().collect::<Vec<_>>());
        assert_eq!(created["signature_key"].as_str().unwrap().len(), 64);
        let id = created["id"].as_str().unwrap();
        assert_eq!(read(&account, id).unwrap().get("signature_key"), None);
    }

    #[test]
    fn a_duplicate_names_the_other_and_the_41st_is_refused() {
        let mut account = Account::new("Acme", "key", Timestamp::UNIX_EPOCH);
        let first = subscribe(&mut account, &body("https://example.com/0")).unwrap();
        let Err(Refusal::Invalid(message)) =
            subscribe(&mut account, &body("https://example.com/0"))
        else {
            panic!("a duplicate was accepted");
        };
        assert!(message.contains(first["id"].as_str().unwrap()));
        for n in 1..MAX_SUBSCRIPTIONS {
            subscribe(&mut account, &body(&format!("https://example.com/{n}"))).unwrap();
        }
        assert!(subscribe(&mut account, &body("https://example.com/40")).is_err());
    }
}
