//! One POST to a receiver.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::close::subscriptions::attempt::{Attempt, TIMEOUT};
use crate::close::world::Shared;

/// Posts a notification in the format of 2014, unsigned and once.
pub(crate) async fn post_legacy(
    shared: &Shared,
    url: &str,
    model: &str,
    event: &str,
    data: Value,
) -> Attempt {
    let body = json!({ "model": model, "event": event, "data": data }).to_string();
    let headers = vec![("content-type", "application/json".to_owned())];
    let attempt = post(shared, url, headers, body).await;
    shared.lock().attempts.push(attempt.clone());
    shared.notify();
    attempt
}

/// Posts a body with these headers, once.
pub(crate) async fn post(
    shared: &Shared,
    url: &str,
    headers: Vec<(&'static str, String)>,
    body: String,
) -> Attempt {
    let (status, answer, error) = match send(shared, url, &headers, body.clone()).await {
        Ok((status, answer)) => (Some(status), answer, None),
        Err(error) => (None, String::new(), Some(error)),
    };
    Attempt {
        subscription_id: None,
        event_id: None,
        number: 1,
        url: url.to_owned(),
        headers,
        body,
        status,
        answer,
        error,
    }
}

async fn send(
    shared: &Shared,
    url: &str,
    headers: &[(&'static str, String)],
    body: String,
) -> Result<(u16, String), String> {
    let url: reqwest::Url = url.parse().map_err(|error| format!("not a URL: {error}"))?;
    if !is_loopback(&url) {
        // Simulated data must never reach anybody outside this machine.
        return Err("not a loopback address".to_owned());
    }
    let mut request = shared.http.post(url).body(body);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let response = request.send().await.map_err(|error| describe(&error))?;
    let status = response.status().as_u16();
    let answer = response.text().await.map_err(|error| describe(&error))?;
    Ok((status, answer))
}

fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        TIMEOUT.to_owned()
    } else {
        error.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        let check = |url: &str| is_loopback(&url.parse().unwrap());
        assert!(
            check("http://127.0.0.1:9000/x")
                && check("http://localhost/")
                && check("http://[::1]:1/")
        );
        assert!(!check("https://receiver.example.com/") && !check("http://10.0.0.1/"));
    }
}
