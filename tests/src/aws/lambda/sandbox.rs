//! An execution environment: one process and the Runtime API that it talks to.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::invocation::{FunctionError, Invocation};
use super::process::Process;
use super::runtime_api::{Job, RuntimeApi};
use crate::plumbing::clock;
use crate::plumbing::ids::uuid;

/// Lambda gives a function 10 s to start.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Sandbox {
    process: Arc<Process>,
    api: RuntimeApi,
}

/// How an invocation ended for the sandbox.
pub(crate) enum Outcome {
    /// The process was gone before it took the invocation.
    NotTaken,
    /// The function answered, if with an error, and can be invoked again.
    Answered(Result<String, FunctionError>),
    /// The process is gone.
    Died(FunctionError),
}

impl Sandbox {
    /// Starts the process; it is not [ready](Self::ready) yet.
    pub(crate) async fn launch(
        function_arn: &str,
        binary: &Path,
        environment: &BTreeMap<String, String>,
        on_line: impl Fn(String) + Clone + Send + 'static,
    ) -> Result<Self, FunctionError> {
        let broken = |error: String| FunctionError::new("Runtime.InvalidEntrypoint", error);
        let api = RuntimeApi::start(function_arn).await;
        let api = api.map_err(|error| broken(error.to_string()))?;
        let mut environment = environment.clone();
        environment.insert("AWS_LAMBDA_RUNTIME_API".to_owned(), api.authority());
        let process = Process::spawn(binary, &environment, on_line);
        let process = process.map_err(|error| broken(format!("{}: {error}", binary.display())))?;
        Ok(Self {
            process: Arc::new(process),
            api,
        })
    }

    /// Waits until the function asks for its first invocation.
    pub(crate) async fn ready(&self) -> Result<(), FunctionError> {
        tokio::select! {
            biased;
            ready = self.api.ready() => ready,
            reason = self.process.exited() => Err(ended(&reason)),
            () = tokio::time::sleep(INIT_TIMEOUT) => {
                self.process.kill();
                Err(FunctionError::new("Sandbox.Timedout", "the function did not start within 10 s"))
            }
        }
    }

    pub(crate) fn process(&self) -> &Arc<Process> {
        &self.process
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.process.is_alive()
    }

    pub(crate) async fn run(&self, invocation: &Invocation, timeout: Duration) -> Outcome {
        let id = uuid();
        let deadline = clock::now().as_millisecond()
            + i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX / 2);
        let (job, answer, taken) = Job::new(&id, invocation, deadline);
        self.api.submit(job);
        tokio::select! {
            biased;
            Ok(answer) = answer => Outcome::Answered(answer),
            reason = self.process.exited() => match taken.get() {
                Some(()) => Outcome::Died(ended(&format!("RequestId: {id} Error: {reason}"))),
                None => Outcome::NotTaken,
            },
            () = tokio::time::sleep(timeout) => {
                self.process.kill();
                Outcome::Died(timed_out(&id, timeout))
            }
        }
    }
}

fn ended(reason: &str) -> FunctionError {
    FunctionError::new(
        "Runtime.ExitError",
        format!("Runtime exited with error: {reason}"),
    )
}

fn timed_out(id: &str, timeout: Duration) -> FunctionError {
    let seconds = timeout.as_secs_f64();
    FunctionError::new(
        "Sandbox.Timedout",
        format!("RequestId: {id} Error: Task timed out after {seconds:.2} seconds"),
    )
}
