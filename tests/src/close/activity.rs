//! People at work: random but plausible changes of an organization's data.

use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use tokio::task::AbortHandle;
use tokio::time::interval;

use super::data::change::Change;
use super::data::objects::shape::{OPPORTUNITY_STATUSES, STATUSES};
use super::organization::Organization;

const COMPANIES: [&str; 10] = [
    "Acme Corp",
    "Globex Industries",
    "Initech",
    "Umbrella Logistics",
    "Stark Fabrication",
    "Wayne Shipping",
    "Hooli",
    "Vandelay Imports",
    "Tyrell Optics",
    "Cyberdyne Motors",
];
const FIRST_NAMES: [&str; 10] = [
    "Alice", "Bob", "Carol", "Dan", "Erin", "Frank", "Grace", "Heidi", "Ivan", "Judy",
];
const LAST_NAMES: [&str; 8] = [
    "Johnson", "Smith", "Martinez", "Lee", "Kowalski", "Okafor", "Nguyen", "Weber",
];
const TITLES: [&str; 6] = [
    "CEO",
    "CTO",
    "VP of Engineering",
    "Head of Procurement",
    "Account Manager",
    "Buyer",
];
const DESCRIPTIONS: [&str; 5] = [
    "Enterprise software company",
    "Manufacturing and logistics firm",
    "Asked for a second quote",
    "Met at the trade fair",
    "Wants a call back next week",
];

const TASKS: [&str; 4] = [
    "Send the quote",
    "Call back",
    "Ask for references",
    "Prepare the demo",
];

/// Work that goes on until this is dropped.
#[derive(Debug)]
pub struct Activity(AbortHandle);

impl Drop for Activity {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Makes one change of `organization` per `period`, the first at once; equal seeds make equal choices.
pub fn simulate(organization: &Organization, period: Duration, seed: u64) -> Activity {
    let organization = organization.clone();
    let mut rng = Rng::with_seed(seed);
    let work = tokio::spawn(async move {
        let mut ticks = interval(period);
        loop {
            ticks.tick().await;
            // Only a change of something that somebody else has just deleted fails; the next one will do.
            let _ = act(&organization, &mut rng);
        }
    });
    Activity(work.abort_handle())
}

/// The largest number of leads; deletions keep it there.
const MANY_LEADS: usize = 50;

/// One change: mostly edits, some new leads and contacts, some other work, few deletions.
fn act(organization: &Organization, rng: &mut Rng) -> anyhow::Result<()> {
    let (leads, contacts) = (organization.lead_ids(), organization.contact_ids());
    let (Some(lead), Some(contact)) = (rng.choice(&leads), rng.choice(&contacts)) else {
        return create_lead(organization, rng);
    };
    match rng.u8(..100) {
        _ if MANY_LEADS < leads.len() => organization.delete_lead(lead, Change::now()),
        0..22 => organization
            .edit_contact(contact, contact_patch(rng), Change::now())
            .map(drop),
        22..44 => organization
            .edit_lead(lead, lead_patch(rng), Change::now())
            .map(drop),
        44..56 => organization
            .create_contact(lead, new_contact(rng), Change::now())
            .map(drop),
        56..70 => create_lead(organization, rng),
        70..78 => sell(organization, lead, rng),
        78..86 => work(organization, lead, rng),
        86..92 => organization
            .create_activity(lead, "call", call(rng), Change::now())
            .map(drop),
        92..96 => organization.delete_contact(contact, Change::now()),
        _ => organization.delete_lead(lead, Change::now()),
    }
}

fn create_lead(organization: &Organization, rng: &mut Rng) -> anyhow::Result<()> {
    let fields = json!({
        "name": pick(rng, &COMPANIES),
        "description": pick(rng, &DESCRIPTIONS),
        "contacts": [new_contact(rng)],
    });
    organization.create_lead(fields, Change::now()).map(drop)
}

/// An opportunity is found, or brought forward.
fn sell(organization: &Organization, lead: &str, rng: &mut Rng) -> anyhow::Result<()> {
    let opportunities = organization.opportunity_ids();
    let fields = json!({ "confidence": rng.i64(0..=100), "value": 5_000 * rng.i64(1..100) });
    match rng.choice(&opportunities) {
        Some(opportunity) if rng.bool() => {
            let (status, ..) = OPPORTUNITY_STATUSES[rng.usize(..OPPORTUNITY_STATUSES.len())];
            let patch = json!({ "status_id": status });
            organization.edit_opportunity(opportunity, patch, Change::now())?;
        }
        _ => {
            organization.create_opportunity(lead, fields, Change::now())?;
        }
    }
    Ok(())
}

/// A task is set, or done.
fn work(organization: &Organization, lead: &str, rng: &mut Rng) -> anyhow::Result<()> {
    let tasks = organization.task_ids();
    match rng.choice(&tasks) {
        Some(task) if rng.bool() => {
            organization.complete_task(task, Change::now())?;
        }
        _ => {
            let fields = json!({ "text": pick(rng, &TASKS) });
            organization.create_task(lead, "lead", fields, Change::now())?;
        }
    }
    Ok(())
}

fn call(rng: &mut Rng) -> Value {
    json!({ "duration": rng.u16(..900), "note": pick(rng, &DESCRIPTIONS) })
}

fn lead_patch(rng: &mut Rng) -> Value {
    if rng.bool() {
        json!({ "status_id": STATUSES[rng.usize(..STATUSES.len())].0 })
    } else {
        json!({ "description": pick(rng, &DESCRIPTIONS) })
    }
}

fn new_contact(rng: &mut Rng) -> Value {
    let (first, last) = (pick(rng, &FIRST_NAMES), pick(rng, &LAST_NAMES));
    let email = format!("{first}.{last}@example.com").to_lowercase();
    json!({
        "name": format!("{first} {last}"),
        "title": pick(rng, &TITLES),
        "emails": [{ "email": email, "is_unsubscribed": false, "type": "office" }],
        "phones": [phone(rng)],
    })
}

fn contact_patch(rng: &mut Rng) -> Value {
    if rng.bool() {
        json!({ "title": pick(rng, &TITLES) })
    } else {
        json!({ "phones": [phone(rng)] })
    }
}

/// A number from the range that is reserved for fiction.
fn phone(rng: &mut Rng) -> Value {
    let line = rng.u8(..100);
    json!({
        "country": "US",
        "phone": format!("+155555501{line:02}"),
        "phone_formatted": format!("+1 555-555-01{line:02}"),
        "type": "office",
    })
}

fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from[rng.usize(..from.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::CloseSimulator;
    use crate::close::settings::Settings;

    #[tokio::test]
    async fn work_is_announced_and_soon_of_every_kind() {
        let simulator = CloseSimulator::start(Settings::quick()).await.unwrap();
        let organization = simulator.organization("Acme", "key");
        let mut changes = simulator.subscribe();
        let _activity = simulate(&organization, Duration::from_millis(1), 7);
        let mut missing = vec!["lead created", "lead updated", "lead deleted"];
        missing.extend(["contact created", "contact updated", "contact deleted"]);
        missing.extend(["opportunity created", "opportunity updated"]);
        missing.extend(["task.lead created", "task.lead completed"]);
        missing.push("activity.call created");
        while !missing.is_empty() {
            let change = changes.recv().await.unwrap();
            assert_eq!(change.organization_id, organization.id());
            let happened = format!("{} {}", change.object_type, change.action);
            missing.retain(|kind| *kind != happened);
        }
    }
}
