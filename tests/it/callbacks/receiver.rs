//! Somebody's application at a callback URL.

use std::collections::{HashMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Router, serve};
use local_stack::control::journal::Journal;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::world::PATIENCE;

/// How a request is answered.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// With this status and this header.
    Status(u16, Option<(HeaderName, String)>),
    /// Not at all.
    Silence,
    /// With this status, once the gate is open.
    Held(u16, Arc<Gate>),
}

/// Holds answers back.
#[derive(Debug, Default)]
pub(crate) struct Gate(watch::Sender<bool>);

impl Gate {
    /// Lets all answers go.
    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }

    async fn pass(&self) {
        let mut opened = self.0.subscribe();
        let _ = opened.wait_for(|is_open| *is_open).await;
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// An application that answers 200, unless a path has been told otherwise.
pub(crate) struct Receiver {
    url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    requests: Journal<Request>,
    replies: Mutex<HashMap<String, VecDeque<Reply>>>,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self::Status(status, None)
    }

    pub(crate) fn with(status: u16, name: &'static str, value: &str) -> Self {
        let header = (HeaderName::from_static(name), value.to_owned());
        Self::Status(status, Some(header))
    }
}

impl Request {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            requests: Journal::new(usize::MAX),
            replies: Mutex::default(),
        });
        let router = Router::new().fallback(receive).with_state(shared.clone());
        let task = tokio::spawn(async move { serve(listener, router).await.unwrap() });
        Self { url, shared, task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Answers the next requests at `path` so, and the last of these from then on.
    pub(crate) fn reply(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        let replies = replies.into_iter().collect();
        let mut all = self.shared.replies.lock().unwrap();
        all.insert(path.to_owned(), replies);
    }

    /// The requests at `path` up to now.
    pub(crate) fn requests(&self, path: &str) -> Vec<Request> {
        let requests = self.shared.requests.snapshot();
        let of_path = requests.iter().filter(|request| request.path == path);
        of_path.map(|request| Request::clone(request)).collect()
    }

    /// Answers all requests at `path` with this status, once the gate that is returned is open.
    pub(crate) fn hold(&self, path: &str, status: u16) -> Arc<Gate> {
        let gate = Arc::new(Gate::default());
        self.reply(path, [Reply::Held(status, gate.clone())]);
        gate
    }

    /// Waits for `count` requests at `path`, and returns them.
    pub(crate) async fn wait_for(&self, path: &str, count: usize) -> Vec<Request> {
        let are_enough = |requests: &[Arc<Request>]| {
            let of_path = requests.iter().filter(|request| request.path == path);
            count <= of_path.count()
        };
        let waited = self.shared.requests.wait_for(PATIENCE, are_enough).await;
        waited.unwrap();
        self.requests(path)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let reply = shared.next_reply(&path);
    shared.requests.push(Request {
        path,
        headers,
        body,
    });
    match reply {
        Reply::Status(status, header) => {
            let status = StatusCode::from_u16(status).unwrap();
            let mut response = status.into_response();
            if let Some((name, value)) = header {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        Reply::Silence => std::future::pending().await,
        Reply::Held(status, gate) => {
            gate.pass().await;
            StatusCode::from_u16(status).unwrap().into_response()
        }
    }
}

impl Shared {
    fn next_reply(&self, path: &str) -> Reply {
        let mut replies = self.replies.lock().unwrap();
        match replies.get_mut(path) {
            Some(replies) if 1 < replies.len() => replies.pop_front(),
            Some(replies) => replies.front().cloned(),
            None => None,
        }
        .unwrap_or(Reply::status(200))
    }
}
