//! The event patterns of the documentation, on events that the functions have published.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use local_stack::aws::eventbridge::pattern::Pattern;

mod documented;
mod scene;
mod schema;

use documented::Documented;
use scene::{Scene, Seen};

/// The names of the events that a pattern matches, or of all others where these are fewer. Events of one name are as one
/// to every pattern.
fn matching(scene: &Scene, documented: &Documented) -> String {
    let what = &documented.what;
    let pattern = serde_json::from_str(&documented.pattern);
    let pattern = pattern.unwrap_or_else(|error| panic!("{what}: {error}"));
    let pattern = Pattern::new(&pattern).unwrap_or_else(|error| panic!("{what}: {error}"));
    let (matched, others): (Vec<_>, Vec<_>) = scene
        .events
        .iter()
        .partition(|event| pattern.matches(&event.json));
    let (matched, others) = (names(matched), names(others));
    assert_eq!(matched.intersection(&others).count(), 0, "{what}");
    assert!(!matched.is_empty() && !others.is_empty(), "{what}");
    let (but, shown) = if others.len() < matched.len() {
        ("all but ", others)
    } else {
        ("", matched)
    };
    format!("{but}{}", Vec::from_iter(shown).join(", "))
}

fn names(events: Vec<&Seen>) -> BTreeSet<&str> {
    let names = events.into_iter().map(|event| event.name.as_str());
    names.collect()
}

#[tokio::test]
async fn each_pattern_matches_what_it_is_for_and_nothing_else() {
    let scene = Scene::play().await;
    let mut shown = String::new();
    for (page, text) in documented::PAGES {
        writeln!(shown, "{page}").unwrap();
        for documented in documented::patterns(text) {
            let names = matching(&scene, &documented);
            writeln!(shown, "  {}: {names}", documented.what).unwrap();
        }
    }
    insta::assert_snapshot!(shown, @"
    README.md
      (Consume): polling lead.created, polling lead.created Qualified, polling lead.created logged, polling lead.created logged Sales, polling lead.created logged dataHidden, webhook lead.created, webhook lead.created rawText
      everything: all but instances instance.gap Sales, instances instance.suspended, instances subscription.paused, instances subscription.resumed, poller instance.gap Sales, poller instance.suspended, poller poll.requested
      leads that were created: polling lead.created, polling lead.created Qualified, polling lead.created logged, polling lead.created logged Sales, polling lead.created logged dataHidden, webhook lead.created, webhook lead.created rawText
      whatever was deleted: webhook lead.deleted
      one instance: webhook activity.note.created, webhook contact.created dataHidden, webhook contact.updated, webhook gadget.unknown invented, webhook lead.created, webhook lead.created rawText, webhook lead.deleted, webhook lead.updated, webhook lead.updated Qualified, webhook lead.updated merged, webhook lead.updated rawOmitted, webhook opportunity.updated, webhook phone_number.updated, webhook task.lead.updated completed, webhook unknown updated
      instances with a tag: polling activity.lead_status_change.created logged Qualified Sales, polling contact.created logged Sales, polling lead.created logged Sales, polling lead.updated logged Qualified Sales, webhook contact.updated Sales, webhook contact.updated Sales outage-2026-06-19
      every kind of activity: polling activity.lead_status_change.created logged Qualified, polling activity.lead_status_change.created logged Qualified Sales, webhook activity.note.created
    docs/consume.md
      everything: all but instances instance.gap Sales, instances instance.suspended, instances subscription.paused, instances subscription.resumed, poller instance.gap Sales, poller instance.suspended, poller poll.requested
      leads that were created: polling lead.created, polling lead.created Qualified, polling lead.created logged, polling lead.created logged Sales, polling lead.created logged dataHidden, webhook lead.created, webhook lead.created rawText
      every change of leads and contacts: all but instances instance.gap Sales, instances instance.suspended, instances subscription.paused, instances subscription.resumed, poller instance.gap Sales, poller instance.suspended, poller poll.requested, polling activity.lead_status_change.created logged Qualified, polling activity.lead_status_change.created logged Qualified Sales, webhook activity.note.created, webhook gadget.unknown invented, webhook opportunity.updated, webhook phone_number.updated, webhook task.lead.updated completed, webhook unknown updated
      every kind of activity: polling activity.lead_status_change.created logged Qualified, polling activity.lead_status_change.created logged Qualified Sales, webhook activity.note.created
      whatever was deleted: webhook lead.deleted
      leads that others were merged into: webhook lead.updated merged
      tasks that were completed: webhook task.lead.updated completed
      everything but contacts and phone numbers: all but instances instance.gap Sales, instances instance.suspended, instances subscription.paused, instances subscription.resumed, poller instance.gap Sales, poller instance.suspended, poller poll.requested, polling contact.created, polling contact.created logged Sales, polling contact.created logged dataHidden, webhook contact.created dataHidden, webhook contact.updated, webhook contact.updated Sales, webhook contact.updated Sales outage-2026-06-19, webhook phone_number.updated
      everything but what was created: polling lead.updated logged Qualified, polling lead.updated logged Qualified Sales, webhook contact.updated, webhook contact.updated Sales, webhook contact.updated Sales outage-2026-06-19, webhook gadget.unknown invented, webhook lead.deleted, webhook lead.updated, webhook lead.updated Qualified, webhook lead.updated merged, webhook lead.updated rawOmitted, webhook opportunity.updated, webhook phone_number.updated, webhook task.lead.updated completed, webhook unknown updated
      types and actions that Close has added since this version, and what cannot be read: webhook gadget.unknown invented, webhook unknown updated
      one instance: webhook activity.note.created, webhook contact.created dataHidden, webhook contact.updated, webhook gadget.unknown invented, webhook lead.created, webhook lead.created rawText, webhook lead.deleted, webhook lead.updated, webhook lead.updated Qualified, webhook lead.updated merged, webhook lead.updated rawOmitted, webhook opportunity.updated, webhook phone_number.updated, webhook task.lead.updated completed, webhook unknown updated
      instances with a tag: polling activity.lead_status_change.created logged Qualified Sales, polling contact.created logged Sales, polling lead.created logged Sales, polling lead.updated logged Qualified Sales, webhook contact.updated Sales, webhook contact.updated Sales outage-2026-06-19
      instances whose name begins so: webhook contact.updated Sales, webhook contact.updated Sales outage-2026-06-19
      what also goes to a callback URL: webhook contact.updated Sales, webhook contact.updated Sales outage-2026-06-19
      what goes to rules alone: all but instances instance.gap Sales, instances instance.suspended, instances subscription.paused, instances subscription.resumed, poller instance.gap Sales, poller instance.suspended, poller poll.requested, webhook contact.updated Sales, webhook contact.updated Sales outage-2026-06-19
      one channel: webhook activity.note.created, webhook contact.created dataHidden, webhook contact.updated, webhook contact.updated Sales, webhook contact.updated Sales outage-2026-06-19, webhook gadget.unknown invented, webhook lead.created, webhook lead.created rawText, webhook lead.deleted, webhook lead.updated, webhook lead.updated Qualified, webhook lead.updated merged, webhook lead.updated rawOmitted, webhook opportunity.updated, webhook phone_number.updated, webhook task.lead.updated completed, webhook unknown updated
      leads of a status, by webhook: webhook lead.updated Qualified
      leads of a status, by polling: polling lead.created Qualified
      leads of a status, in the event log: polling lead.updated logged Qualified, polling lead.updated logged Qualified Sales
      leads whose status changed, by webhook: webhook lead.updated
      opportunities that were won, by webhook: webhook opportunity.updated
      large opportunities, by webhook; Close counts cents: webhook opportunity.updated
      leads without a description, by polling: polling lead.created
      what came without `raw`: webhook lead.updated rawOmitted
      what came as text: webhook lead.created rawText
      what Close did not show: polling contact.created logged dataHidden, polling lead.created logged dataHidden, webhook contact.created dataHidden
      no replays: all but instances instance.gap Sales, instances instance.suspended, instances subscription.paused, instances subscription.resumed, poller instance.gap Sales, poller instance.suspended, poller poll.requested, webhook contact.updated Sales outage-2026-06-19
      replays alone: webhook contact.updated Sales outage-2026-06-19
      one replay: webhook contact.updated Sales outage-2026-06-19
      changes that nobody can read any more: an instance was not polled for 30 days: instances instance.gap Sales
      instances that are no longer polled, since Close refuses their key: instances instance.suspended
      either, of instances with a tag: instances instance.gap Sales
      what happens to [subscriptions at Close](stream.md#webhooks-reconciled): instances subscription.paused, instances subscription.resumed
      (A queue): polling lead.created, polling lead.created Qualified, polling lead.created logged, polling lead.created logged Sales, polling lead.created logged dataHidden, polling lead.updated logged Qualified, polling lead.updated logged Qualified Sales, webhook lead.created, webhook lead.created rawText, webhook lead.deleted, webhook lead.updated, webhook lead.updated Qualified, webhook lead.updated merged, webhook lead.updated rawOmitted
      (A queue): polling lead.created, polling lead.created Qualified, polling lead.created logged, polling lead.created logged Sales, polling lead.created logged dataHidden, webhook lead.created, webhook lead.created rawText
      (A function): webhook opportunity.updated
      (A state machine): webhook lead.updated merged
      (The bus of another account): polling activity.lead_status_change.created logged Qualified Sales, polling contact.created logged Sales, polling lead.created logged Sales, polling lead.updated logged Qualified Sales, webhook contact.updated Sales, webhook contact.updated Sales outage-2026-06-19
      (A URL): polling contact.created, polling contact.created logged Sales, polling contact.created logged dataHidden, webhook contact.created dataHidden, webhook contact.updated, webhook contact.updated Sales, webhook contact.updated Sales outage-2026-06-19
      (Once): polling lead.created, polling lead.created Qualified, polling lead.created logged, polling lead.created logged Sales, polling lead.created logged dataHidden, polling lead.updated logged Qualified, polling lead.updated logged Qualified Sales, webhook lead.created, webhook lead.created rawText, webhook lead.updated, webhook lead.updated Qualified, webhook lead.updated merged, webhook lead.updated rawOmitted
    ");
    scene.world.finish().await;
}
