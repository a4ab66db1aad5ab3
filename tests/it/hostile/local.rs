//! `cargo local` itself, which anybody on the machine can post to.

use std::process::Stdio;

use reqwest::header::CONTENT_TYPE;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader, Lines};
use tokio::process::Command;
use tokio::time::timeout;

use super::private_keys::unfolding;
use crate::world::PATIENCE;

/// The next line that has this in it.
async fn line_with(lines: &mut Lines<BufReader<impl AsyncRead + Unpin>>, text: &str) -> String {
    let find = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains(text) {
                return line;
            }
        }
        panic!("it ended without {text}");
    };
    let found = timeout(3 * PATIENCE, find).await;
    found.unwrap_or_else(|_| panic!("nothing said {text}"))
}

#[tokio::test]
async fn cargo_local_prints_what_is_posted_to_it_and_goes_on() {
    let mut local = Command::new(env!("CARGO_BIN_EXE_local"))
        .args(["--listen", "127.0.0.1:0", "--real-time", "--no-callbacks"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(local.stdout.take().unwrap()).lines();
    let line = line_with(&mut lines, "  unsigned  ").await;
    let url = line
        .split_whitespace()
        .find(|word| word.starts_with("http://"));
    let url = url.unwrap().trim_end_matches(':').to_owned();
    line_with(&mut lines, "Ready").await;

    let http = reqwest::Client::builder()
        .timeout(PATIENCE)
        .build()
        .unwrap();
    let unfolding = unfolding("$serde_json::private::RawValue");
    let deep = format!("{}1{}", "[".repeat(300), "]".repeat(300));
    for (id, rest) in [
        ("lead_cut", r#""name":"cut \ud83d""#.to_owned()),
        ("lead_deep", format!(r#""name":"deep","x":{deep}"#)),
        (
            "lead_unfolding",
            format!(r#""name":"unfolding","x":{unfolding}"#),
        ),
        ("lead_good", r#""name":"good""#.to_owned()),
    ] {
        let body = format!(r#"{{"model":"lead","event":"update","data":{{"id":"{id}",{rest}}}}}"#);
        let request = http.post(&url).header(CONTENT_TYPE, "application/json");
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{id}");
        let line = line_with(&mut lines, id).await;
        let name = if id == "lead_cut" {
            "cut \u{fffd}"
        } else {
            &id[5..]
        };
        assert!(line.contains(&format!("  {name}  ")), "{line}");
    }
    assert_eq!(local.try_wait().unwrap(), None);
    local.kill().await.unwrap();
}
