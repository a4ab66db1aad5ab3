//! One operating system process of a function.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, watch};

/// A process that is killed when the last hold on it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    /// The operating system's number of it.
    pub(crate) id: Option<u32>,
    kill: Arc<Notify>,
    exit: watch::Receiver<Option<String>>,
}

impl Process {
    /// Starts `binary` with nothing but `environment`; each line that it writes goes to `on_line`.
    pub(crate) fn spawn(
        binary: &Path,
        environment: &BTreeMap<String, String>,
        on_line: impl Fn(String) + Clone + Send + 'static,
    ) -> std::io::Result<Self> {
        let mut child = Command::new(binary)
            .env_clear()
            .envs(environment)
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let id = child.id();
        let readers = (
            child
                .stdout
                .take()
                .map(|pipe| read_lines(pipe, on_line.clone())),
            child.stderr.take().map(|pipe| read_lines(pipe, on_line)),
        );
        if let (Some(stdout), Some(stderr)) = readers {
            tokio::spawn(stdout);
            tokio::spawn(stderr);
        }
        let kill = Arc::new(Notify::new());
        let (sender, exit) = watch::channel(None);
        tokio::spawn(watch_over(child, kill.clone(), sender));
        Ok(Self { id, kill, exit })
    }

    pub(crate) fn kill(&self) {
        self.kill.notify_one();
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.exit.borrow().is_none()
    }

    /// Waits for the end of the process, and says how it ended in Lambda's words.
    pub(crate) async fn exited(&self) -> String {
        let mut exit = self.exit.clone();
        let reason = exit.wait_for(Option::is_some).await;
        let reason = reason.ok().and_then(|reason| reason.clone());
        reason.unwrap_or_else(|| "signal: killed".to_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn watch_over(mut child: Child, kill: Arc<Notify>, exit: watch::Sender<Option<String>>) {
    let status = tokio::select! {
        status = child.wait() => status,
        () = kill.notified() => {
            // An error here means that the process has already ended.
            let _ = child.start_kill();
            child.wait().await
        }
    };
    let reason = status.map_or_else(|error| error.to_string(), describe);
    exit.send_replace(Some(reason));
}

#[cfg(unix)]
fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;

    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(9)) => "signal: killed".to_owned(),
        (None, signal) => format!("signal: {}", signal.unwrap_or_default()),
    }
}

#[cfg(not(unix))]
fn describe(status: ExitStatus) -> String {
    format!("exit status {}", status.code().unwrap_or(-1))
}

async fn read_lines(pipe: impl AsyncRead + Unpin, on_line: impl Fn(String)) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    while let Ok(1..) = reader.read_until(b'\n', &mut line).await {
        on_line(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
        line.clear();
    }
}
