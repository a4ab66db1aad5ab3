//! The simulated Close by itself, for clients other than ours.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use local_stack::close::CloseSimulator;
use local_stack::close::data::change::Change;
use local_stack::close::organization::Organization;
use local_stack::close::settings::{RateLimit, Settings, ThrottleBody};
use serde_json::{Value, json};

use crate::provision::API_KEY;

/// Close's limits are higher; these are low enough to be met.
const RATE_LIMIT: RateLimit = RateLimit {
    limit: 10,
    window: Duration::from_secs(1),
    body: ThrottleBody::Empty,
};

/// The names of the leads' custom fields.
const CUSTOM_FIELDS: [&str; 2] = ["Region", "Source"];

/// Runs it with data that nobody changes until Ctrl-C; says on stdout, in one line, where it is and what there is. Fails if
/// it was asked for what it does not simulate.
pub(crate) async fn run() -> Result<ExitCode> {
    let settings = Settings {
        rate_limit: Some(RATE_LIMIT),
        ..Settings::quick()
    };
    let close = CloseSimulator::start(settings).await?;
    let organization = close.organization("Acme", API_KEY);
    fill(&organization)?;
    let about = json!({
        "url": close.base_url(),
        "key": API_KEY,
        "counts": counts(&organization),
    });
    writeln!(std::io::stdout(), "{about}")?;
    tokio::signal::ctrl_c().await?;
    let unexpected = close.unexpected();
    for what in &unexpected {
        writeln!(std::io::stderr(), "not simulated: {what}")?;
    }
    Ok(if unexpected.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// More of everything than a page holds, and many a tie.
fn fill(organization: &Organization) -> Result<()> {
    for name in CUSTOM_FIELDS {
        organization.create_custom_field("lead", name, "text")?;
    }
    let change = Change::now().spread(7);
    for lead in organization.create_leads(230, change)?.iter().take(110) {
        organization.create_contacts(lead, 2, change)?;
        organization.create_opportunities(lead, 3, change)?;
        let tasks = organization.create_tasks(lead, "lead", 2, change)?;
        organization.create_tasks(lead, "email_followup", 1, change)?;
        organization.complete_task(&tasks[0], Change::now())?;
        for kind in ["call", "note", "email"] {
            organization.create_activities(lead, kind, 1, change)?;
        }
    }
    Ok(())
}

fn counts(organization: &Organization) -> Value {
    let tasks = organization.task_ids();
    let is_of_lead = |id: &&String| {
        let task = organization.task(id);
        task.is_some_and(|task| task["_type"] == "lead")
    };
    json!({
        "lead": organization.lead_ids().len(),
        "contact": organization.contact_ids().len(),
        "opportunity": organization.opportunity_ids().len(),
        "task": tasks.len(),
        "task of a lead": tasks.iter().filter(is_of_lead).count(),
        "activity": organization.activity_ids().len(),
        "event": organization.events().len(),
        "custom_field/lead": CUSTOM_FIELDS.len(),
        "user": 1,
    })
}
