//! Which path is answered by what, after the checks that all have in common.

use serde_json::Value;

use super::events::{self, Reader};
use super::lists::{activities, list, opportunities, tasks};
use super::parameters::{Given, QueryParameters};
use super::{auth, search, setup, webhooks};
use crate::close::data::objects::activity_type::ActivityType;
use crate::close::data::objects::custom_field;
use crate::close::data::objects::record::Family;
use crate::close::data::user::Owner;
use crate::close::wire::answer::{Answer, Body, Refusal};
use crate::close::wire::request_log::LoggedRequest;
use crate::close::world::World;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Route {
    Me,
    Search,
    List(Family),
    Read(Family, String),
    /// The activities of one kind.
    ListOf(&'static ActivityType),
    /// An activity of one kind.
    ReadOf(&'static ActivityType, String),
    CustomFieldSchema(Family),
    /// The custom fields that have a path.
    CustomFields(&'static str),
    CustomField(&'static str, String),
    Users,
    User(String),
    IntegrationLinks,
    IntegrationLink,
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
            ("GET", ["custom_field" | "custom_fields", ..], _) => Self::of_custom_fields(&segments),
            ("GET", ["user"], _) => Ok(Self::Users),
            ("GET", ["user", id], _) => Ok(Self::User((*id).to_owned())),
            ("GET", ["integration_link"], _) => Ok(Self::IntegrationLinks),
            ("GET", ["integration_link", _], _) => Ok(Self::IntegrationLink),
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
            [of @ .., id] if let Some(of) = find(of) => Ok(Self::ReadOf(of, (*id).to_owned())),
            of => find(of).map(Self::ListOf).ok_or_else(no_such_path),
        }
    }

    fn of_custom_fields(segments: &[&str]) -> Result<Self, Refusal> {
        let find = |path: &[&str]| setup::custom_fields_path(&path.join("/"));
        let route = match segments {
            ["custom_field", of, id] => {
                find(&["custom_field", of]).map(|path| Self::CustomField(path, (*id).to_owned()))
            }
            path => find(path).map(Self::CustomFields),
        };
        route.ok_or_else(no_such_path)
    }

    /// The endpoint group, which has a rate limit of its own.
    fn group(&self) -> String {
        match self {
            Self::List(family) => format!("GET /{}/", family.name()),
            Self::Read(family, _) => format!("GET /{}/{{id}}/", family.name()),
            Self::ListOf(of) => format!("GET /{}/", of.path),
            Self::Me => "GET /me/".to_owned(),
            Self::Search => "POST /data/search/".to_owned(),
            Self::ReadOf(of, _) => format!("GET /{}/{{id}}/", of.path),
            Self::CustomFieldSchema(_) => "GET /custom_field_schema/{object_type}/".to_owned(),
            Self::CustomFields(path) => format!("GET /{path}/"),
            Self::CustomField(path, _) => format!("GET /{path}/{{id}}/"),
            Self::Users => "GET /user/".to_owned(),
            Self::User(_) => "GET /user/{id}/".to_owned(),
            Self::IntegrationLinks => "GET /integration_link/".to_owned(),
            Self::IntegrationLink => "GET /integration_link/{id}/".to_owned(),
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
pub(crate) fn respond(world: &mut World, request: &LoggedRequest, key: Option<&str>) -> Answer {
    if !request.path.ends_with('/') {
        return redirect(request);
    }
    let route = match Route::of(request) {
        Ok(route) => route,
        Err(refusal) => return refuse(world, request, refusal),
    };
    let (position, caller) = match auth::authorize(&world.accounts, key) {
        Ok(found) => found,
        Err(refusal) => return refuse(world, request, refusal),
    };
    let group = route.group();
    let verdict = world.settings.rate_limit.map(|rate| {
        let organization = &world.accounts[position].data.identity.organization_id;
        let key = request.key_id.as_deref().unwrap_or_default();
        let verdict = world.buckets.charge(key, organization, &group, rate);
        (verdict, rate)
    });
    let mut answer = match verdict {
        Some((verdict, rate)) if !verdict.allows() => verdict.answer(rate),
        _ => {
            let given = Given::new(request.query.clone());
            let answer = answer(world, (position, &caller), route, request, &given);
            world
                .served
                .entry(group)
                .or_default()
                .append(&mut given.into_read());
            match answer {
                Ok(body) => Answer::json(200, body),
                Err(refusal) => refuse(world, request, refusal),
            }
        }
    };
    let limits = verdict.map(|(verdict, rate)| verdict.headers(rate.body));
    answer.headers.extend(limits.into_iter().flatten());
    answer
}

fn answer(
    world: &mut World,
    (position, caller): (usize, &Owner),
    route: Route,
    request: &LoggedRequest,
    given: &Given,
) -> Result<Value, Refusal> {
    let now = world.clock.now_micros();
    let account = &mut world.accounts[position];
    let (settings, parameters) = (&world.settings, QueryParameters(given));
    let reader = Reader {
        now,
        role: caller.role,
        settings,
    };
    let tenant = &mut account.data;
    match route {
        Route::Me => Ok(setup::me(tenant, caller)),
        Route::Users => setup::users(account, settings, parameters),
        Route::User(id) => setup::read_user(account, &id),
        Route::CustomFields(path) => setup::custom_fields(tenant, path, settings, parameters),
        Route::CustomField(path, id) => setup::read_custom_field(tenant, path, &id),
        Route::IntegrationLinks => Ok(setup::integration_links()),
        Route::IntegrationLink => Err(Refusal::NotFound("Integration link")),
        Route::Search => search::search(tenant, &mut world.cursors, settings, &request.body),
        Route::List(Family::Lead) => list::leads(tenant, settings, parameters),
        Route::List(Family::Contact) => list::contacts(tenant, settings, parameters),
        Route::List(Family::Opportunity) => opportunities::list(tenant, settings, parameters),
        Route::List(Family::Task) => tasks::list(tenant, settings, parameters),
        Route::List(Family::Activity) => activities::list(tenant, None, settings, parameters),
        Route::ListOf(of) => activities::list(tenant, Some(of), settings, parameters),
        Route::Read(family, id) => list::read(tenant, family, &id, parameters),
        Route::ReadOf(_, id) => list::read(tenant, Family::Activity, &id, parameters),
        Route::CustomFieldSchema(family) => Ok(custom_field::schema(
            &tenant.collection(family).custom_fields,
        )),
        Route::Events => events::list(tenant, reader, parameters),
        Route::Event(id) => events::read(tenant, reader, &id, parameters),
        Route::CreateWebhook => webhooks::create(account, caller, settings, now, &request.body),
        Route::ListWebhooks => Ok(webhooks::list(account)),
        Route::ReadWebhook(id) => webhooks::read(account, &id),
        Route::ChangeWebhook(id) => {
            webhooks::change(account, caller, settings, now, &id, &request.body)
        }
        Route::DeleteWebhook(id) => webhooks::delete(account, caller, &id),
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
