//! Which request goes where.

use lambda_http::http::Method;

/// Before every route.
const BASE_PATH: &str = "/elements/api-v2";

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<'a> {
    /// `POST /events/closeio/{encodedId}`
    Receive {
        /// As in the path.
        encoded_id: &'a str,
    },
    /// `POST /instances`
    CreateInstance,
    /// `GET /instances`
    ListInstances,
    /// `GET /instances/{id}`
    ReadInstance {
        /// As in the path.
        id: &'a str,
    },
    /// `PUT /instances/{id}`
    ReplaceInstance {
        /// As in the path.
        id: &'a str,
    },
    /// `PATCH /instances/{id}`
    ChangeInstance {
        /// As in the path.
        id: &'a str,
    },
    /// `DELETE /instances/{id}`
    DeleteInstance {
        /// As in the path.
        id: &'a str,
    },
    /// `PUT /instances/{id}/enabled`
    EnableInstance {
        /// As in the path.
        id: &'a str,
    },
    /// `DELETE /instances/{id}/enabled`
    DisableInstance {
        /// As in the path.
        id: &'a str,
    },
    /// `POST /instances/{id}/token`
    ReplaceToken {
        /// As in the path.
        id: &'a str,
    },
    /// `POST /instances/{id}/backfill`
    BackfillInstance {
        /// As in the path.
        id: &'a str,
    },
}

/// Finds the route of a request.
pub fn find<'a>(method: &Method, path: &'a str) -> Option<Route<'a>> {
    let path = path.strip_prefix(BASE_PATH)?.trim_start_matches('/');
    let segments: Vec<_> = path.split('/').collect();
    match (method.as_str(), segments.as_slice()) {
        ("POST", ["events", "closeio", encoded_id]) => Some(Route::Receive { encoded_id }),
        ("POST", ["instances"]) => Some(Route::CreateInstance),
        ("GET", ["instances"]) => Some(Route::ListInstances),
        ("PUT", ["instances", id]) => Some(Route::ReplaceInstance { id }),
        ("PATCH", ["instances", id]) => Some(Route::ChangeInstance { id }),
        ("PUT", ["instances", id, "enabled"]) => Some(Route::EnableInstance { id }),
        ("DELETE", ["instances", id, "enabled"]) => Some(Route::DisableInstance { id }),
        ("POST", ["instances", id, "token"]) => Some(Route::ReplaceToken { id }),
        ("POST", ["instances", id, "backfill"]) => Some(Route::BackfillInstance { id }),
        ("GET", ["instances", id]) => Some(Route::ReadInstance { id }),
        ("DELETE", ["instances", id]) => Some(Route::DeleteInstance { id }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use lambda_http::http::Method;

    use super::{Route, find};

    #[test]
    fn finds_what_the_template_routes() {
        let path = "/elements/api-v2/events/closeio/MjA5MzE=";
        assert_eq!(
            find(&Method::POST, path),
            Some(Route::Receive {
                encoded_id: "MjA5MzE="
            })
        );
        assert_eq!(
            find(&Method::POST, "/elements/api-v2/instances"),
            Some(Route::CreateInstance)
        );
        assert_eq!(
            find(&Method::GET, "/elements/api-v2/instances/12"),
            Some(Route::ReadInstance { id: "12" })
        );
        assert_eq!(
            find(&Method::DELETE, "/elements/api-v2/instances/12"),
            Some(Route::DeleteInstance { id: "12" })
        );
        assert_eq!(
            find(&Method::POST, "/elements/api-v2/instances/12/backfill"),
            Some(Route::BackfillInstance { id: "12" })
        );
    }

    #[test]
    fn knows_no_other() {
        for (method, path) in [
            (Method::GET, "/elements/api-v2/events/closeio/MjA5MzE="),
            (Method::POST, "/elements/api-v2/events/hubspot/MjA5MzE="),
            (Method::POST, "/instances"),
            (Method::PATCH, "/elements/api-v2/instances/12/enabled"),
            (Method::GET, "/elements/api-v2/instances/12/backfill"),
            (Method::PUT, "/elements/api-v2/instances"),
        ] {
            assert_eq!(find(&method, path), None, "{method} {path}");
        }
    }
}
