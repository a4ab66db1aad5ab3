//! Which path is answered by what, after the checks that all have in common.

use serde_json::{Value, json};

use super::activities;
use super::activity_type::ActivityType;
use super::answer::{Answer, Body, Refusal};
use super::auth::{self, Owner};
use super::custom_field;
use super::events::{self, Reader};
use super::list;
use super::opportunities;
use super::parameters::Parameters;
use super::record::Family;
use super::request_log::LoggedRequest;
use super::search;
use super::stamp;
use super::tasks;
use super::tenant::Tenant;
use super::webhooks;
use super::world::World;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Route {
    Me,
    Search,
    List(Family),
    Read(Family, String),
    /// The activities of one kind.
    ListOf(&'static ActivityType),
    CustomFieldSchema(Family),
    Events,
    Event(String),
    CreateWebhook,
    ListWebhooks,
    ReadWebhook(String),
    ChangeWebhook(String),
    DeleteWebhook(String),
}

impl Route {
    fn of(request: &LoggedRequest) -> Result<Self, Refusal> {
        let segments: Vec<_> = request.path.trim_matches('/').split('/').collect();
        let family = segments.first().and_then(|name| Family::from_name(name));
        match (request.method.as_str(), &segments[..], family) {
            ("GET", ["me"], _) => Ok(Self::Me),
            ("POST", ["data", "search"], _) => Ok(Self::Search),
            ("GET", ["activity", path @ ..], _) if !path.is_empty() => Self::of_activities(path),
            ("GET", ["custom_field_schema", of], _) => custom_field::family(of)
                .map(Self::CustomFieldSchema)
                .ok_or_else(no_such_path),
            ("GET", ["event"], _) => Ok(Self::Events),
            ("GET", ["event", id], _) => Ok(Self::Event((*id).to_owned())),
            ("GET", [_], Some(family)) => Ok(Self::List(family)),
            ("GET", [_, id], Some(family)) => Ok(Self::Read(family, (*id).to_owned())),
            ("POST", ["webhook"], _) => Ok(Self::CreateWebhook),
            ("GET", ["webhook"], _) => Ok(Self::ListWebhooks),
            ("GET", ["webhook", id], _) => Ok(Self::ReadWebhook((*id).to_owned())),
            ("PUT", ["webhook", id], _) => Ok(Self::ChangeWebhook((*id).to_owned())),
            ("DELETE", ["webhook", id], _) => Ok(Self::DeleteWebhook((*id).to_owned())),
            _ => Err(no_such_path()),
        }
    }

    /// The lists of single kinds have paths of one segment or two, and their activities are below them.
    fn of_activities(path: &[&str]) -> Result<Self, Refusal> {
        let find = |path: &[&str]| ActivityType::from_path(&format!("activity/{}", path.join("/")));
        match path {
            [of @ .., id] if find(of).is_some() => {
                Ok(Self::Read(Family::Activity, (*id).to_owned()))
            }
            of => find(of).map(Self::ListOf).ok_or_else(no_such_path),
        }
    }

    /// The endpoint group, which has a rate limit of its own.
    fn group(&self) -> String {
        match self {
            Self::List(family) => format!("GET /{}/", family.name()),
            Self::Read(family, _) => format!("GET /{}/{{id}}/", family.name()),
            Self::ListOf(of) => format!("GET /{}/", of.path),
            Self::Me => "GET /me/".to_owned(),
            Self::Search => "POST /data/search/".to_owned(),
            Self::CustomFieldSchema(family) => {
                format!("GET /custom_field_schema/{}/", family.name())
            }
            Self::Events => "GET /event/".to_owned(),
            Self::Event(_) => "GET /event/{id}/".to_owned(),
            Self::CreateWebhook => "POST /webhook/".to_owned(),
            Self::ListWebhooks => "GET /webhook/".to_owned(),
            Self::ReadWebhook(_) => "GET /webhook/{id}/".to_owned(),
            Self::ChangeWebhook(_) => "PUT /webhook/{id}/".to_owned(),
            Self::DeleteWebhook(_) => "DELETE /webhook/{id}/".to_owned(),
        }
    }
}

fn no_such_path() -> Refusal {
    Refusal::NotSimulated(404, "no such path".to_owned())
}

/// Answers a request; what is not simulated is remembered as unexpected.
pub(super) fn respond(world: &mut World, request: &LoggedRequest, key: Option<&str>) -> Answer {
    if !request.path.ends_with('/') {
        return redirect(request);
    }
    let route = match Route::of(request) {
        Ok(route) => route,
        Err(refusal) => return refuse(world, request, refusal),
    };
    let (tenant, caller) = match auth::authorize(&world.tenants, key) {
        Ok(found) => found,
        Err(refusal) => return refuse(world, request, refusal),
    };
    let verdict = world.settings.rate_limit.map(|rate| {
        let organization = &world.tenants[tenant].identity.organization_id;
        let key = request.key_id.as_deref().unwrap_or_default();
        let verdict = world
            .buckets
            .charge(key, organization, &route.group(), rate);
        (verdict, rate)
    });
    let mut answer = match verdict {
        Some((verdict, rate)) if !verdict.allows() => verdict.answer(rate),
        _ => match answer(world, (tenant, &caller), route, request) {
            Ok(body) => Answer::json(200, body),
            Err(refusal) => refuse(world, request, refusal),
        },
    };
    let limits = verdict.map(|(verdict, rate)| verdict.headers(rate.body));
    answer.headers.extend(limits.into_iter().flatten());
    answer
}

fn answer(
    world: &mut World,
    (tenant, caller): (usize, &Owner),
    route: Route,
    request: &LoggedRequest,
) -> Result<Value, Refusal> {
    let now = world.clock.now_micros();
    let tenant = &mut world.tenants[tenant];
    let (settings, parameters) = (&world.settings, Parameters(&request.query));
    let reader = Reader {
        now,
        role: caller.role,
        settings,
    };
    match route {
        Route::Me => Ok(me(tenant)),
        Route::Search => search::search(tenant, &mut world.cursors, settings, &request.body),
        Route::List(Family::Lead) => list::leads(tenant, settings, parameters),
        Route::List(Family::Contact) => list::contacts(tenant, settings, parameters),
        Route::List(Family::Opportunity) => opportunities::list(tenant, settings, parameters),
        Route::List(Family::Task) => tasks::list(tenant, settings, parameters),
        Route::List(Family::Activity) => activities::list(tenant, None, settings, parameters),
        Route::ListOf(of) => activities::list(tenant, Some(of), settings, parameters),
        Route::Read(family, id) => list::read(tenant, family, &id, parameters),
        Route::CustomFieldSchema(family) => Ok(custom_field::schema(
            &tenant.collection(family).custom_fields,
        )),
        Route::Events => events::list(tenant, reader, parameters),
        Route::Event(id) => events::read(tenant, reader, &id, parameters),
        Route::CreateWebhook => webhooks::create(tenant, caller, settings, now, &request.body),
        Route::ListWebhooks => Ok(webhooks::list(tenant)),
        Route::ReadWebhook(id) => webhooks::read(tenant, &id),
        Route::ChangeWebhook(id) => {
            webhooks::change(tenant, caller, settings, now, &id, &request.body)
        }
        Route::DeleteWebhook(id) => webhooks::delete(tenant, caller, &id),
    }
}

fn refuse(world: &mut World, request: &LoggedRequest, refusal: Refusal) -> Answer {
    if let Refusal::NotSimulated(_, what) = &refusal {
        let LoggedRequest { method, path, .. } = request;
        world.unexpected.push(format!("{method} {path}: {what}"));
    }
    refusal.into()
}

/// Close redirects a path without its trailing slash.
fn redirect(request: &LoggedRequest) -> Answer {
    Answer {
        status: 308,
        headers: vec![("location", format!("/api/v1{}/", request.path))],
        body: Body::Empty,
    }
}

/// `GET /me/`: the user that the key belongs to.
fn me(tenant: &Tenant) -> Value {
    let identity = &tenant.identity;
    let (first_name, last_name) = identity
        .user_name
        .split_once(' ')
        .unwrap_or((&identity.user_name, ""));
    json!({
        "date_created": stamp::zoned(tenant.date_created),
        "date_updated": stamp::zoned(tenant.date_created),
        "email": "sample.user@example.com",
        "first_name": first_name,
        "id": identity.user_id,
        "image": null,
        "last_name": last_name,
        "organizations": [{ "id": identity.organization_id, "name": identity.organization_name }],
    })
}
