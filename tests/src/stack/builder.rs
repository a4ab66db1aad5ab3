//! What a stack is made from, and the order in which it starts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::LocalStack;
use super::binaries::{self, Binaries, Progress, workspace};
use crate::aws::apigateway::{Entrance, Gateway};
use crate::aws::cloudwatch::Meter;
use crate::aws::dynamodb::Store;
use crate::aws::eventbridge::Bus;
use crate::aws::eventbridge::schedule::Mode;
use crate::aws::iam::Access;
use crate::aws::lambda::asynchronous::{Asynchronous, RETRY_DELAYS};
use crate::aws::lambda::function::{Endpoints, Function};
use crate::aws::lambda::mapping::Mappings;
use crate::aws::lambda::targets::Targets;
use crate::aws::sqs::queue::Queue;
use crate::aws::sqs::service::Sqs;
use crate::control::journal::Journal;
use crate::plumbing::background::Background;
use crate::plumbing::http::ANY_PORT;
use crate::template::specs::function::FunctionSpec;
use crate::template::specs::role::StatementSpec;
use crate::template::{Inputs, Template};

/// The parameter that tells the functions where their API is, if the template has it.
const PUBLIC_URL: &str = "PublicUrl";

/// The choices for a stack; each has a default.
#[derive(Debug)]
pub struct Builder {
    template: PathBuf,
    inputs: Inputs,
    environment: Vec<(String, String, Option<String>)>,
    absent_rules: Vec<String>,
    absent_actions: Vec<(String, String)>,
    timeouts: Vec<(String, Duration)>,
    places: Vec<(String, u32)>,
    listen: SocketAddr,
    schedule: Mode,
    binaries: Option<Binaries>,
    progress: Progress,
    retry_delays: [Duration; 2],
    keep: usize,
}

impl LocalStack {
    /// What a stack is made from.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            template: workspace().join("template.yaml"),
            inputs: Inputs {
                stack_name: "local".to_owned(),
                ..Inputs::default()
            },
            environment: Vec::new(),
            absent_rules: Vec::new(),
            absent_actions: Vec::new(),
            timeouts: Vec::new(),
            places: Vec::new(),
            listen: ANY_PORT,
            schedule: Mode::Off,
            binaries: None,
            progress: Progress::Silent,
            retry_delays: RETRY_DELAYS,
            keep: usize::MAX,
        }
    }
}

impl Builder {
    /// The template; by default the workspace's `template.yaml`.
    #[must_use]
    pub fn template(mut self, path: impl Into<PathBuf>) -> Self {
        self.template = path.into();
        self
    }

    /// The value of a parameter. `PublicUrl` is the stack's own address unless it is given here.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: impl Into<String>) -> Self {
        self.inputs.parameters.insert(name.to_owned(), value.into());
        self
    }

    /// The value of a secret, by its key in the template; by default it is generated.
    #[must_use]
    pub fn secret(mut self, logical_id: &str, value: impl Into<String>) -> Self {
        self.inputs
            .secrets
            .insert(logical_id.to_owned(), value.into());
        self
    }

    /// A variable for one function, over the template's.
    #[must_use]
    pub fn environment(mut self, function: &str, name: &str, value: impl Into<String>) -> Self {
        let change = (function.to_owned(), name.to_owned(), Some(value.into()));
        self.environment.push(change);
        self
    }

    /// Takes a variable away from one function.
    #[must_use]
    pub fn without_environment(mut self, function: &str, name: &str) -> Self {
        self.environment
            .push((function.to_owned(), name.to_owned(), None));
        self
    }

    /// How long one function may take, instead of what the template says.
    #[must_use]
    pub fn timeout(mut self, function: &str, timeout: Duration) -> Self {
        self.timeouts.push((function.to_owned(), timeout));
        self
    }

    /// How many invocations of one function there can be at once, instead of what the template reserves.
    #[must_use]
    pub fn places(mut self, function: &str, count: u32) -> Self {
        self.places.push((function.to_owned(), count));
        self
    }

    /// Leaves a rule away, by its key in the template: events arrive, and nobody does anything about them.
    #[must_use]
    pub fn without_rule(mut self, logical_id: &str) -> Self {
        self.absent_rules.push(logical_id.to_owned());
        self
    }

    /// Takes an action, such as `dynamodb:Scan`, out of all statements of a role, by its key in the template.
    #[must_use]
    pub fn without_action(mut self, role: &str, action: &str) -> Self {
        self.absent_actions
            .push((role.to_owned(), action.to_owned()));
        self
    }

    /// Where the HTTP API listens; by default any free port of 127.0.0.1.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// When the schedules tick; by default never.
    #[must_use]
    pub fn schedule(mut self, mode: Mode) -> Self {
        self.schedule = mode;
        self
    }

    /// The binaries to run; by default Cargo builds them.
    #[must_use]
    pub fn binaries(mut self, binaries: Binaries) -> Self {
        self.binaries = Some(binaries);
        self
    }

    /// Whether Cargo's progress is shown while it builds the binaries.
    #[must_use]
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// The waits before an asynchronous invocation is tried again; by default AWS's, 1 min and 2 min.
    #[must_use]
    pub fn retry_delays(mut self, delays: [Duration; 2]) -> Self {
        self.retry_delays = delays;
        self
    }

    /// About how many events, calls, messages and lines are kept; by default all.
    #[must_use]
    pub fn keep(mut self, count: usize) -> Self {
        self.keep = count;
        self
    }

    /// Starts the stack: what the functions call, then the functions, then what calls them.
    ///
    /// # Errors
    /// If the template cannot be run, the binaries cannot be built, or a port is taken.
    pub async fn start(mut self) -> Result<LocalStack> {
        let entrance = Entrance::bind(self.listen).await?;
        let template = self.read_template(&entrance)?;
        let binaries = self.take_binaries(&template.functions).await?;
        let access = Arc::new(Access::new(&template)?);
        let store = Store::start(&template.tables, access.clone(), self.keep).await?;
        let asynchronous = Asynchronous {
            retry_delays: self.retry_delays,
        };
        let (buses, archives) = (template.buses.clone(), template.archives.clone());
        let bus = Bus::start(
            buses,
            archives,
            asynchronous.clone(),
            access.clone(),
            self.keep,
        )
        .await?;
        let queues = self.queues(&template);
        let sqs = Sqs::start(queues.values().cloned(), access.clone(), self.keep).await?;
        let endpoints = Endpoints {
            dynamodb: store.url(),
            eventbridge: bus.url(),
            sqs: sqs.url(),
        };
        let output = Arc::new(Journal::new(self.keep));
        let measured = Arc::new(Journal::new(self.keep));
        let mut functions = Vec::new();
        for spec in &template.functions {
            let binary = binaries.get(&spec.binary);
            let binary = binary
                .with_context(|| format!("no binary {}", spec.binary))?
                .clone();
            let (spec, output) = (spec.clone(), output.clone());
            let function = Function::new(spec, binary, &endpoints, output, &measured);
            functions.push(Arc::new(function));
        }
        let by_arn = functions.iter();
        let by_arn = by_arn.map(|function| (function.spec.arn.clone(), function.clone()));
        let targets = Arc::new(Targets {
            functions: by_arn.collect(),
            queues,
        });
        bus.set_rules(template.rules.clone(), targets.clone())?;
        let meter = Meter::of_api(&self.api_id(&template), &measured);
        let stack = LocalStack {
            gateway: Gateway::start(entrance, &functions, meter)?,
            ticking: Background::default(),
            mappings: Mappings::start(&functions, &targets)?,
            template,
            access,
            store,
            bus,
            sqs,
            functions,
            targets,
            output,
            measured,
            asynchronous,
        };
        stack.start_schedules(self.schedule);
        Ok(stack)
    }

    /// Named as the template's references to it are; SAM has a name of its own for one that is not declared.
    fn api_id(&self, template: &Template) -> String {
        let mut resources = template.resources.iter();
        let api = resources.find(|(_, kind)| *kind == "AWS::Serverless::HttpApi");
        let name = api.map_or("ServerlessHttpApi", |(name, _)| name);
        format!("{}-{name}", self.inputs.stack_name)
    }

    fn read_template(&mut self, entrance: &Entrance) -> Result<Template> {
        let parameters = &mut self.inputs.parameters;
        if Template::declares_parameter(&self.template, PUBLIC_URL)?
            && !parameters.contains_key(PUBLIC_URL)
        {
            parameters.insert(PUBLIC_URL.to_owned(), entrance.url()?);
        }
        let mut template = Template::load(&self.template, &self.inputs)?;
        for (function, timeout) in &self.timeouts {
            function_mut(&mut template, function)?.timeout = *timeout;
        }
        for (function, count) in &self.places {
            function_mut(&mut template, function)?.concurrency = Some((*count).into());
        }
        for (function, name, value) in &self.environment {
            let spec = function_mut(&mut template, function)?;
            let old = match value {
                Some(value) => spec.environment.insert(name.clone(), value.clone()),
                None => spec.environment.remove(name),
            };
            ensure!(value.is_some() || old.is_some(), "{function} has no {name}");
        }
        for absent in &self.absent_rules {
            let mut rules = template.rules.iter();
            let position = rules.position(|rule| &rule.logical_id == absent);
            let position =
                position.with_context(|| format!("the template has no rule {absent}"))?;
            template.rules.remove(position);
        }
        for (role, action) in &self.absent_actions {
            remove_action(&mut template, role, action)?;
        }
        Ok(template)
    }

    async fn take_binaries(&mut self, functions: &[FunctionSpec]) -> Result<Binaries> {
        if let Some(binaries) = self.binaries.take() {
            return Ok(binaries);
        }
        let (functions, progress) = (functions.to_vec(), self.progress);
        // Cargo takes its time, and other tasks of this thread should go on.
        tokio::task::spawn_blocking(move || binaries::build(&workspace(), &functions, progress))
            .await?
    }

    /// The queues by ARN, each with its dead-letter queue.
    fn queues(&self, template: &Template) -> BTreeMap<String, Arc<Queue>> {
        let queues = template.queues.iter().map(|spec| {
            let queue = Arc::new(Queue::new(spec.clone(), self.keep));
            (spec.arn.clone(), queue)
        });
        let queues: BTreeMap<_, _> = queues.collect();
        for queue in queues.values() {
            let redrive = queue.spec.redrive.as_ref();
            if let Some(dead_letters) =
                redrive.and_then(|redrive| queues.get(&redrive.dead_letters))
            {
                queue.set_dead_letters(dead_letters);
            }
        }
        queues
    }
}

fn function_mut<'a>(template: &'a mut Template, logical_id: &str) -> Result<&'a mut FunctionSpec> {
    let mut specs = template.functions.iter_mut();
    let spec = specs.find(|spec| spec.logical_id == logical_id);
    spec.with_context(|| format!("the template has no function {logical_id}"))
}

fn remove_action(template: &mut Template, role: &str, action: &str) -> Result<()> {
    let mut roles = template.roles.iter_mut();
    let found = roles.find(|found| found.logical_id == role);
    let found = found.with_context(|| format!("the template has no role {role}"))?;
    let is_granted = |statement: &StatementSpec| statement.actions.iter().any(|one| one == action);
    ensure!(
        found.statements.iter().any(is_granted),
        "{role} has no {action}"
    );
    for statement in &mut found.statements {
        statement.actions.retain(|one| one != action);
    }
    Ok(())
}
