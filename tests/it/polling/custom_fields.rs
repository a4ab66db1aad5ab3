//! Custom fields of what is searched for, whichever way Close shows them.

use std::collections::{BTreeMap, BTreeSet};

use local_stack::close::data::change::Change;
use local_stack::close::faults::fault::CloseFault;
use local_stack::close::faults::request_match::RequestMatch;
use local_stack::close::settings::CustomAnswer;
use serde_json::{Value, json};

use super::set;
use crate::world::{PATIENCE, World, ago, query, texts};

const BOTH: [CustomAnswer; 2] = [CustomAnswer::Aggregate, CustomAnswer::Flat];

/// Defines so many custom fields of leads. Returns their ids.
fn fields(world: &World, count: usize) -> Vec<String> {
    let define = |number| {
        let name = format!("Field {number}");
        let id = world
            .organization
            .create_custom_field("lead", &name, "text");
        id.unwrap()
    };
    (0..count).map(define).collect()
}

/// A value for each of these fields.
fn values(ids: &[String], value: &str) -> Value {
    let values = ids.iter().map(|id| (format!("custom.{id}"), json!(value)));
    Value::Object(values.collect())
}

fn create(world: &World, lead: Value, seconds: i64) -> String {
    let change = Change::at(ago(seconds)).quiet();
    world.organization.create_lead(lead, change).unwrap()
}

/// The custom fields that each search asked for, in order.
fn asked(world: &World) -> Vec<Vec<String>> {
    let requests = world.close.requests();
    let searches = requests.iter().filter(|it| it.path == "/data/search/");
    let custom = |body: Value| {
        let fields = body["_fields"].as_object().unwrap().values();
        let names = fields.flat_map(|fields| fields.as_array().unwrap());
        let names = names.filter_map(|name| name.as_str()?.strip_prefix("custom."));
        names.map(str::to_owned).collect()
    };
    searches
        .map(|request| custom(serde_json::from_str(&request.body).unwrap()))
        .collect()
}

fn schemas_read(world: &World) -> usize {
    let of = |name| RequestMatch::to(&format!("/custom_field_schema/{name}/"));
    world.close.count(&of("lead")) + world.close.count(&of("contact"))
}

#[tokio::test]
async fn a_condition_and_an_id_field_find_a_custom_field_by_id_and_by_name_in_both_cases() {
    for answer in BOTH {
        let world = World::start().await;
        world.close.set_custom_answer(answer);
        let owner = fields(&world, 1).remove(0);
        let wanted = create(&world, json!({format!("custom.{owner}"): "Ann"}), 300);
        create(&world, json!({format!("custom.{owner}"): "Bob"}), 200);
        create(&world, json!({}), 100);
        let by = |path: &str| {
            let url = format!("/hubs/crm/leads?where=`{path}` = 'Ann'");
            json!({"url": url, "idField": path})
        };
        let resources = json!({"a": by(&format!("custom.{owner}")), "b": by("custom.Field 0")});
        let id = world.polling_with(resources).await;

        let summary = world.poll(id).await;

        assert_eq!(
            (&summary["published"], &summary["filtered"]),
            (&json!(2), &json!(4)),
            "{answer:?}"
        );
        for detail in world.details() {
            assert_eq!(detail["objectId"], "Ann");
            assert_eq!(detail["raw"]["id"], wanted);
            assert_eq!(detail["raw"][format!("custom.{owner}")], "Ann");
        }
        assert_eq!(asked(&world), [[owner.as_str()], [owner.as_str()]]);
        assert_eq!(schemas_read(&world), 1);
        world.finish().await;
    }
}

#[tokio::test]
async fn where_close_takes_no_selector_a_condition_goes_by_the_name_of_the_schema() {
    let world = World::start().await;
    let owner = fields(&world, 1).remove(0);
    create(&world, json!({format!("custom.{owner}"): "Ann"}), 300);
    create(&world, json!({format!("custom.{owner}"): "Bob"}), 200);
    let refusal = json!({"errors": [], "field-errors": {"_fields": "no"}});
    let selecting = RequestMatch::to("/data/search/").containing(&owner);
    world
        .close
        .fail(selecting.times(usize::MAX), CloseFault::json(400, refusal));
    let url = format!("/hubs/crm/leads?where=custom.{owner} = 'Ann'");
    let id = world.polling_with(json!({"leads": {"url": url}})).await;

    assert_eq!(world.poll(id).await["published"], 1);

    let shown = &world.details()[0]["raw"];
    assert_eq!(shown["custom"], json!({"Field 0": "Ann"}));
    world.close.clear_faults();
    world.finish().await;
}

#[tokio::test]
async fn many_custom_fields_are_read_in_batches_of_60_and_the_first_has_the_conditions() {
    let world = World::start().await;
    let ids = fields(&world, 130);
    let last = &ids[129];
    let wanted = create(&world, values(&ids, "x"), 300);
    create(&world, values(&ids[..1], "x"), 200);
    let url = format!("/hubs/crm/leads?where=custom.{last} = 'x'");
    let id = world.polling_with(json!({"leads": {"url": url}})).await;

    assert_eq!(world.poll(id).await["published"], 1);

    let batches = asked(&world);
    let sizes: Vec<_> = batches.iter().map(Vec::len).collect();
    assert_eq!(sizes, [60, 60, 10]);
    assert!(batches[0].contains(last));
    assert_eq!(set(batches.concat()), set(ids.clone()));
    let raw = &world.details()[0]["raw"];
    assert_eq!(raw["id"], wanted);
    let expected = values(&ids, "x");
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(raw[key], *value, "{key}");
    }
    assert!(raw["name"].is_string());
    assert_eq!(world.poll(id).await["published"], 0);
    assert_eq!(world.close.count(&RequestMatch::to("/lead/*")), 0);
    world.finish().await;
}

#[tokio::test]
async fn what_changes_between_two_batches_is_read_by_itself_and_never_torn() {
    let world = World::start().await;
    let ids = fields(&world, 70);
    let leads: Vec<_> = (0..4)
        .map(|number| create(&world, values(&ids, "old"), 300 - number))
        .collect();
    let id = world.polling(&["leads"]).await;
    let mut first = world.close.hold(RequestMatch::to("/data/search/"));

    let (summary, ()) = tokio::join!(world.poll(id), async {
        first.reached(PATIENCE).await.unwrap();
        let organization = &world.organization;
        let edit = Change::at(ago(30)).quiet();
        organization
            .edit_lead(&leads[1], values(&ids, "new"), edit)
            .unwrap();
        organization
            .delete_lead(&leads[2], Change::now().quiet())
            .unwrap();
        first.release();
    });

    assert_eq!(
        (&summary["published"], &summary["failed"]),
        (&json!(3), &json!({}))
    );
    let mut shown = BTreeMap::new();
    for detail in world.details() {
        let raw = detail["raw"].as_object().unwrap();
        let values = ids.iter().map(|id| raw[&format!("custom.{id}")].as_str());
        let values: BTreeSet<_> = values.collect();
        assert_eq!(values.len(), 1, "{values:?}");
        let value = values.first().unwrap().unwrap().to_owned();
        shown.insert(raw["id"].as_str().unwrap().to_owned(), value);
    }
    let expected = [(0, "old"), (1, "new"), (3, "old")];
    let expected =
        expected.map(|(lead, value): (usize, _)| (leads[lead].clone(), value.to_owned()));
    assert_eq!(shown, BTreeMap::from(expected));
    assert_eq!(world.poll(id).await["published"], 0);
    world.finish().await;
}

#[tokio::test]
async fn records_that_cannot_be_read_by_themselves_hold_up_no_page() {
    let world = World::start().await;
    let ids = fields(&world, 70);
    let leads: Vec<_> = (0..3)
        .map(|number| create(&world, values(&ids, "old"), 300 - number))
        .collect();
    // An object fails four times, and the next is not asked for any more.
    let objects = RequestMatch::to("/lead/*").times(4);
    world.close.fail(objects, CloseFault::status(503));
    let id = world.polling(&["leads"]).await;
    let mut first = world.close.hold(RequestMatch::to("/data/search/"));

    let (summary, ()) = tokio::join!(world.poll(id), async {
        first.reached(PATIENCE).await.unwrap();
        for lead in &leads[1..] {
            let edit = Change::at(ago(30)).quiet();
            let edited = world
                .organization
                .edit_lead(lead, values(&ids, "new"), edit);
            edited.unwrap();
        }
        first.release();
    });

    assert_eq!(
        (&summary["published"], &summary["failed"]),
        (&json!(3), &json!({}))
    );
    // As they were changed, once Close shows them again.
    assert_eq!(world.poll(id).await["published"], 2);
    world.finish().await;
}

#[tokio::test]
async fn batches_that_close_refuses_are_halved() {
    let world = World::start().await;
    let ids = fields(&world, 70);
    create(&world, values(&ids, "x"), 300);
    let refusal = json!({"errors": [], "field-errors": {"_fields": "Too many fields."}});
    let searches = RequestMatch::to("/data/search/").times(2);
    world.close.fail(searches, CloseFault::json(400, refusal));
    let id = world.polling(&["leads"]).await;

    assert_eq!(world.poll(id).await["published"], 1);

    let sizes: Vec<_> = asked(&world).iter().map(Vec::len).collect();
    assert_eq!(sizes, [60, 30, 15, 15, 15, 15, 10]);
    let raw = &world.details()[0]["raw"];
    assert!(ids.iter().all(|id| raw[format!("custom.{id}")] == "x"));
    world.finish().await;
}

#[tokio::test]
async fn the_schema_is_read_once_an_hour_and_when_close_shows_that_it_is_old() {
    let world = World::start().await;
    let ids = fields(&world, 2);
    create(&world, values(&ids, "x"), 300);
    let id = world.polling(&["leads", "contacts"]).await;
    for _ in 0..3 {
        world.poll(id).await;
    }
    assert_eq!(schemas_read(&world), 2, "one of each type");

    // A selector of a field that is gone is refused.
    let organization = &world.organization;
    organization.delete_custom_field("lead", &ids[0]).unwrap();
    let second = create(&world, values(&ids[1..], "y"), 200);
    assert_eq!(world.poll(id).await["published"], 1);
    assert_eq!(world.poll(id).await["published"], 0);
    assert_eq!(schemas_read(&world), 3);

    // A new field shows by its name.
    let new = organization.create_custom_field("lead", "New", "text");
    let new = new.unwrap();
    let third = create(&world, values(std::slice::from_ref(&new), "z"), 100);
    assert_eq!(world.poll(id).await["published"], 1);
    assert_eq!(world.poll(id).await["published"], 0);
    assert_eq!(schemas_read(&world), 4);

    let details = world.details();
    assert_eq!(texts(&details[1..], "objectId"), [second, third]);
    assert_eq!(details[1]["raw"][format!("custom.{}", ids[1])], "y");
    assert_eq!(details[2]["raw"][format!("custom.{new}")], "z");

    let stored = async || {
        let items = world.items("WatermarksTable").await;
        let is_schemas = |item: &&crate::world::Item| item["resource"].as_s().unwrap() == "#fields";
        let found = items.iter().find(is_schemas);
        found.map(|item| item["customFields"].as_s().unwrap().clone())
    };
    let schemas: Value = serde_json::from_str(&stored().await.unwrap()).unwrap();
    let names = schemas["lead"]["fields"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|field| field["name"].clone()).collect();
    assert_eq!(names, ["Field 1", "New"]);
    assert_eq!(schemas["lead"]["fields"][1]["id"], new);
    let path = format!("/instances/{id}");
    world.call("DELETE", &path, None, "").await;
    assert_eq!(stored().await, None);
    world.finish().await;
}

#[tokio::test]
async fn a_schema_that_close_does_not_give_stops_no_poll() {
    let world = World::start().await;
    let owner = fields(&world, 1).remove(0);
    create(&world, values(std::slice::from_ref(&owner), "Ann"), 300);
    create(&world, json!({}), 200);
    let schemas = RequestMatch::to("/custom_field_schema/lead/").times(usize::MAX);
    world.close.fail(schemas, CloseFault::status(403));
    let url = format!("/hubs/crm/leads?where=custom.{owner} = 'Ann'");
    let id = world.polling_with(json!({"leads": {"url": url}})).await;

    let summary = world.poll(id).await;

    assert_eq!(
        (&summary["published"], &summary["failed"]),
        (&json!(1), &json!({}))
    );
    world.close.clear_faults();
    world.finish().await;
}

#[tokio::test]
async fn a_path_that_no_record_has_is_a_problem_until_one_has_it() {
    let world = World::start().await;
    let ids = fields(&world, 2);
    let (empty, gone) = (&ids[0], &ids[1]);
    let organization = &world.organization;
    organization.delete_custom_field("lead", gone).unwrap();
    let url = format!(
        "/hubs/crm/leads?where=custom.{empty} = 'x' OR custom.{gone} = 'x' OR custom.Later = 'x' OR nmae = 'x'"
    );
    let logged = json!({"url": "/hubs/crm/leads?where=stage = 'x'", "source": "event-log"});
    let contacts = json!({"url": "/hubs/crm/contacts?where=nmae = 'x'"});
    let resources = json!({"leads": {"url": url}, "logged": logged, "contacts": contacts});
    let id = world.polling_with(resources).await;
    let problems = async || {
        let path = format!("/instances/{id}");
        let shown = world.call("GET", &path, None, "").await.body;
        assert!(!shown["lastPoll"].to_string().contains("missing"));
        shown["problems"].clone()
    };
    world.poll(id).await;
    assert_eq!(problems().await, Value::Null, "nothing was read yet");

    let change = Change::at(ago(300));
    organization.create_lead(json!({}), change).unwrap();
    world.poll(id).await;
    let later = "leads: no record so far has `custom.Later`";
    let others = [
        format!("leads: no record so far has `custom.{gone}`"),
        "leads: no record so far has `nmae`".to_owned(),
        "logged: no record so far has `stage`".to_owned(),
    ];
    let shown = problems().await;
    let shown = set(shown
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap().to_owned()));
    assert_eq!(shown, set(others.iter().cloned().chain([later.to_owned()])));

    let field = organization.create_custom_field("lead", "Later", "text");
    create(&world, values(&[field.unwrap()], "x"), 200);
    assert_eq!(world.poll(id).await["published"], 1);
    world.poll(id).await;
    let shown = problems().await;
    let shown = set(shown
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap().to_owned()));
    assert_eq!(shown, set(others));
    world.finish().await;
}

#[tokio::test]
async fn lists_and_the_event_log_show_custom_fields_as_conditions_name_them() {
    let world = World::start().await;
    let organization = &world.organization;
    let lead = create(&world, json!({}), 900);
    let field = organization.create_custom_field("opportunity", "Region", "text");
    let key = format!("custom.{}", field.unwrap());
    for (value, seconds) in [("EU", 300), ("US", 200)] {
        let change = Change::at(ago(seconds));
        let fields = json!({ key.as_str(): value });
        organization
            .create_opportunity(&lead, fields, change)
            .unwrap();
    }
    let url = format!("/hubs/crm/opportunities?where={key} = 'EU'");
    let resources = json!({"listed": {"url": url}, "logged": {"url": url, "source": "event-log"}});
    let id = world.polling_with(resources).await;

    assert_eq!(world.poll(id).await["published"], 2);

    let details = world.details();
    assert_eq!(set(texts(&details, "id")).len(), 1);
    assert_eq!(schemas_read(&world), 0);
    world.finish().await;
}

/// A history of leads, contacts and their custom fields, and what the instances of both channels have shown of it.
struct History {
    world: World,
    random: fastrand::Rng,
    /// How long ago the next thing happens.
    seconds: i64,
    fields: Vec<(&'static str, String)>,
}

const TYPES: [&str; 2] = ["lead", "contact"];

impl History {
    fn change(&mut self) -> Change {
        self.seconds -= 5;
        Change::at(ago(self.seconds))
    }

    fn values(&mut self, object_type: &str) -> Value {
        let mut values = json!({"name": format!("Name {}", self.random.u8(..))});
        for (of, id) in self.fields.clone() {
            if of == object_type && self.random.bool() {
                let value = self.random.u8(..4);
                let value = if value == 0 {
                    json!(null)
                } else {
                    json!(value.to_string())
                };
                values[format!("custom.{id}")] = value;
            }
        }
        values
    }

    fn pick(&mut self, ids: Vec<String>) -> Option<String> {
        self.random.choice(ids)
    }

    fn step(&mut self) {
        let organization = self.world.organization.clone();
        let (leads, contacts) = (organization.lead_ids(), organization.contact_ids());
        let (lead, contact) = (self.pick(leads), self.pick(contacts));
        let (of_lead, of_contact) = (self.values("lead"), self.values("contact"));
        let change = self.change();
        match (self.random.u8(..12), lead, contact) {
            (0, ..) | (_, None, _) => drop(organization.create_lead(of_lead, change).unwrap()),
            (1 | 2, Some(lead), _) => {
                organization
                    .create_contact(&lead, of_contact, change)
                    .unwrap();
            }
            (3..=5, Some(lead), _) => {
                organization.edit_lead(&lead, of_lead, change).unwrap();
            }
            (6..=8, _, Some(contact)) => {
                organization
                    .edit_contact(&contact, of_contact, change)
                    .unwrap();
            }
            (9, ..) => {
                let of = TYPES[self.random.usize(..2)];
                let name = format!("Field {}", self.random.u8(..8));
                let id = organization.create_custom_field(of, &name, "text").unwrap();
                self.fields.push((of, id));
            }
            (10, ..) if !self.fields.is_empty() => {
                let (of, id) = self.fields.remove(self.random.usize(..self.fields.len()));
                organization.delete_custom_field(of, &id).unwrap();
            }
            (_, Some(lead), _) if self.random.u8(..8) == 0 => {
                organization.delete_lead(&lead, change).unwrap();
            }
            _ => {}
        }
    }

    /// What of an object is compared: its name and the custom fields that there still are.
    fn essence(&self, object: &Value) -> Value {
        let mut essence = json!({"name": object["name"]});
        for (_, id) in &self.fields {
            let key = format!("custom.{id}");
            essence[&key] = object[&key].clone();
        }
        essence
    }

    /// The last version of each object that is still there, as an instance has delivered it.
    fn delivered(&self, instance: u64) -> BTreeMap<String, Value> {
        let mut last = BTreeMap::new();
        for detail in self.world.details() {
            if detail["instanceId"] == instance && detail["action"] != "deleted" {
                let raw = &detail["raw"];
                let object = raw.get("data").unwrap_or(raw);
                let id = object["id"].as_str().unwrap().to_owned();
                last.insert(id, self.essence(object));
            }
        }
        last.retain(|id, _| self.current(id).is_some());
        last
    }

    fn current(&self, id: &str) -> Option<Value> {
        let organization = &self.world.organization;
        organization.lead(id).or_else(|| organization.contact(id))
    }
}

/// The seeds of the histories that are played.
const SEEDS: [u64; 4] = [1, 2, 3, 4];

#[tokio::test]
async fn searches_and_the_event_log_deliver_the_same_last_versions_custom_fields_included() {
    for (answer, seed) in BOTH.into_iter().flat_map(|it| SEEDS.map(|seed| (it, seed))) {
        let world = World::start().await;
        world.close.set_custom_answer(answer);
        let logged = |name| json!({"url": query(name), "source": "event-log"});
        let resources = json!({"leads": logged("leads"), "contacts": logged("contacts")});
        let by_log = world.polling_with(resources).await;
        let by_search = world.polling(&["leads", "contacts"]).await;
        let mut history = History {
            world,
            random: fastrand::Rng::with_seed(seed),
            seconds: 3_000,
            fields: Vec::new(),
        };
        for _ in 0..80 {
            history.step();
            if history.random.u8(..8) == 0 {
                let id = if history.random.bool() {
                    by_log
                } else {
                    by_search
                };
                assert_eq!(history.world.poll(id).await["failed"], json!({}), "{seed}");
            }
        }
        for id in [by_log, by_search] {
            assert_eq!(history.world.poll(id).await["failed"], json!({}), "{seed}");
        }
        let organization = &history.world.organization;
        let ids = [organization.lead_ids(), organization.contact_ids()].concat();
        let now = ids.iter().map(|id| {
            let current = history.current(id).unwrap();
            (id.clone(), history.essence(&current))
        });
        let now: BTreeMap<_, _> = now.collect();
        assert!(5 < now.len(), "{seed}");
        assert_eq!(history.delivered(by_log), now, "{answer:?} {seed}");
        assert_eq!(history.delivered(by_search), now, "{answer:?} {seed}");
        history.world.finish().await;
    }
}
