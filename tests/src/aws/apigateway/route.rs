//! From method and path to a function.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, ensure};
use axum::http::Method;

use super::percent;
use crate::aws::lambda::function::Function;
use crate::template::specs::function::RouteSpec;

/// The routes of all functions.
#[derive(Debug)]
pub(crate) struct Routes(Vec<(RouteSpec, Arc<Function>)>);

/// The route of a request.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) function: Arc<Function>,
    /// As in the template: `GET /instances/{id}`.
    pub(crate) key: String,
    /// Percent-decoded once.
    pub(crate) parameters: BTreeMap<String, String>,
}

impl Routes {
    /// Refuses two routes that are the same.
    pub(crate) fn new(functions: &[Arc<Function>]) -> Result<Self> {
        let mut routes: Vec<(RouteSpec, Arc<Function>)> = Vec::new();
        for function in functions {
            for route in &function.spec.routes {
                let taken = routes.iter().any(|(known, _)| known == route);
                ensure!(!taken, "two routes {} {}", route.method, route.path);
                routes.push((route.clone(), function.clone()));
            }
        }
        // API Gateway prefers the most specific route: fixed segments before parameters before greedy ones.
        routes.sort_by_key(|(route, _)| specificity(route));
        Ok(Self(routes))
    }

    pub(crate) fn find(&self, method: &Method, path: &str) -> Option<Found> {
        self.0.iter().find_map(|(route, function)| {
            let fits = route.method == "ANY" || route.method == method.as_str();
            let parameters = fits.then(|| matching(&route.path, path)).flatten()?;
            Some(Found {
                function: function.clone(),
                key: format!("{} {}", route.method, route.path),
                parameters,
            })
        })
    }
}

/// Smaller is more specific.
fn specificity(route: &RouteSpec) -> (Vec<u8>, bool) {
    let rank = |segment: &str| match parameter(segment) {
        None => 0,
        Some(name) if name.ends_with('+') => 2,
        Some(_) => 1,
    };
    (
        route.path.split('/').map(rank).collect(),
        route.method == "ANY",
    )
}

fn parameter(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// The parameters of `path`, if it fits `pattern`.
fn matching(pattern: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::new();
    let mut segments = path.split('/');
    for wanted in pattern.split('/') {
        let Some(name) = parameter(wanted) else {
            if segments.next()? != wanted {
                return None;
            }
            continue;
        };
        let (name, value) = match name.strip_suffix('+') {
            Some(name) => (name, segments.by_ref().collect::<Vec<_>>().join("/")),
            None => (name, segments.next()?.to_owned()),
        };
        if value.is_empty() {
            return None;
        }
        parameters.insert(name.to_owned(), percent::decode(&value)?);
    }
    segments.next().is_none().then_some(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, path: &str, expect: Option<&[(&str, &str)]>) {
        let expect = expect.map(|pairs| {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            pairs.iter().map(owned).collect::<BTreeMap<_, _>>()
        });
        assert_eq!(matching(pattern, path), expect, "{pattern} {path}");
    }

    #[test]
    fn paths_fit_segment_by_segment() {
        check("/instances", "/instances", Some(&[]));
        check("/instances", "/instances/", None);
        check("/instances/{id}", "/instances/7", Some(&[("id", "7")]));
        check("/instances/{id}", "/instances/", None);
        check("/instances/{id}", "/instances/7/enabled", None);
        check(
            "/closeio/{id}",
            "/closeio/MjA5MzE%3D",
            Some(&[("id", "MjA5MzE=")]),
        );
        check("/x/{rest+}", "/x/a/b", Some(&[("rest", "a/b")]));
    }

    #[test]
    fn fixed_segments_come_before_parameters() {
        let spec = |path: &str| RouteSpec {
            method: "GET".to_owned(),
            path: path.to_owned(),
        };
        let mut routes = [spec("/a/{rest+}"), spec("/a/{id}"), spec("/a/b")];
        routes.sort_by_key(specificity);
        let paths = routes.map(|route| route.path);
        assert_eq!(paths, ["/a/b", "/a/{id}", "/a/{rest+}"]);
    }
}
