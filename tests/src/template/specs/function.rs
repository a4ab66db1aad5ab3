//! Functions, and what invokes them.

use std::collections::BTreeMap;
use std::time::Duration;

/// A Lambda function and what invokes it.
#[derive(Debug, Clone)]
pub struct FunctionSpec {
    /// Its key in `Resources`.
    pub logical_id: String,
    /// The function's name.
    pub name: String,
    /// The function's ARN.
    pub arn: String,
    /// The Cargo package that `CodeUri` points at.
    pub package: String,
    /// The binary of that package.
    pub binary: String,
    /// The ARN of its role, if that is the template's.
    pub role: Option<String>,
    /// Its environment, dynamic references included.
    pub environment: BTreeMap<String, String>,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// Memory in MB.
    pub memory: u64,
    /// Whether Lambda leaves it alone where it sends to a queue that it reads.
    pub allows_loops: bool,
    /// At most this many invocations at once, if reserved.
    pub concurrency: Option<u64>,
    /// How its logs are written.
    pub logging: LoggingSpec,
    /// What happens to asynchronous invocations that fail.
    pub asynchronous: AsyncSpec,
    /// The HTTP routes that lead to it.
    pub routes: Vec<RouteSpec>,
    /// The schedules that invoke it.
    pub schedules: Vec<ScheduleSpec>,
    /// The queues that feed it.
    pub mappings: Vec<MappingSpec>,
}

/// `LoggingConfig`, which reaches the function as environment.
#[derive(Debug, Clone, Default)]
pub struct LoggingSpec {
    /// `JSON` or `Text`.
    pub format: Option<String>,
    /// `INFO`, `DEBUG` …
    pub application_level: Option<String>,
}

/// `EventInvokeConfig`, with AWS's defaults.
#[derive(Debug, Clone)]
pub struct AsyncSpec {
    /// How often a failed invocation is tried again.
    pub maximum_retries: u64,
    /// An older event is given up.
    pub maximum_age: Duration,
    /// The ARN of what gets the record of a given-up event.
    pub on_failure: Option<String>,
}

/// One route of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSpec {
    /// Upper case; `ANY` is every method.
    pub method: String,
    /// With `{name}` segments, and perhaps `{name+}` at the end.
    pub path: String,
}

/// One schedule.
#[derive(Debug, Clone)]
pub struct ScheduleSpec {
    /// The rule's ARN, which the event carries.
    pub rule_arn: String,
    /// Time between two ticks.
    pub every: Duration,
    /// A constant payload instead of the usual event.
    pub input: Option<String>,
}

/// What feeds a function from a queue.
#[derive(Debug, Clone)]
pub struct MappingSpec {
    /// Its key among the function's events.
    pub name: String,
    /// The ARN of the queue.
    pub queue: String,
    /// At most so many messages an invocation.
    pub batch_size: usize,
    /// How long a batch that is not full is waited for.
    pub batching_window: Duration,
    /// Whether the function's answer says which messages failed.
    pub reports_failures: bool,
    /// At most so many invocations at once.
    pub maximum_concurrency: Option<usize>,
}
