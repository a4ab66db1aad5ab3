//! `cargo local`: the whole of closeio-events on this machine, nothing installed.

mod alone;
mod options;
mod provision;
mod receiver;
mod reconcile;
mod record;
mod screen;
mod signature;
mod trouble;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;
use local_stack::aws::eventbridge::schedule::Mode;
use local_stack::close::CloseSimulator;
use local_stack::close::activity::{self, Activity};
use local_stack::close::data::change::Changed;
use local_stack::close::organization::Organization;
use local_stack::close::settings::Settings;
use local_stack::stack::LocalStack;
use local_stack::stack::binaries::Progress;
use options::{Options, TICK};
use provision::{API_KEY, ORGANIZATION_SECRET, POLLED_KEY, Provision, SIGNATURE_KEY, USER_SECRET};
use receiver::{Outcome, Receiver};
use reconcile::Polls;
use screen::Screen;
use secrecy::ExposeSecret;
use tokio::sync::broadcast;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep};
use watch::{Heard, Sources, watch};

/// Between two simulated changes: of the organization that subscribes, and of the one that is polled alone.
const PERIOD: Duration = Duration::from_millis(800);
const POLLED_PERIOD: Duration = Duration::from_secs(4);
/// A poll reads what is dated before its start in whole seconds, by Close's clock: this much later a change is read.
const READABLE_AFTER: Duration = Duration::from_millis(1_100);
/// Events and lines to keep; the run may last for days.
const KEEP: usize = 10_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let options = Options::parse();
    if options.close_alone {
        return alone::run().await;
    }
    let screen = Screen::new(options.events_json);
    let simulated = Simulated::start(&options).await?;
    let stack = start_stack(&options, simulated.as_ref(), &screen).await?;
    if options.no_callbacks {
        stack.disable_mappings();
    }
    let (callback_url, receiver, callbacks) = callbacks(&options).await?;
    let sources = Sources {
        events: stack.bus().events().subscribe(),
        lines: stack.output().subscribe(),
        callbacks,
    };
    let instances = provision(&options, simulated.as_ref(), &stack, &callback_url, &screen).await?;
    let _activity = simulated
        .as_ref()
        .map(|simulated| simulated.change_things(options.seed));
    let follow = async {
        match &simulated {
            Some(simulated) if !options.real_time => {
                follow(simulated.close.subscribe(), &stack, instances.polled).await
            }
            _ => std::future::pending().await,
        }
    };
    let reconciling = async {
        match instances.stream {
            Some(id) if !options.real_time => reconcile::often(&stack, id).await,
            _ => std::future::pending().await,
        }
    };
    let trouble = async {
        if let (true, Some(simulated), Some(receiver)) = (options.trouble, &simulated, &receiver) {
            return trouble::make(&stack, &simulated.close, &simulated.organization, receiver)
                .await;
        }
        std::future::pending().await
    };
    let recording = async {
        match &options.record {
            Some(path) => record::record(&stack, path).await,
            None => std::future::pending().await,
        }
    };
    let end = options.run_for.map(|time| Instant::now() + time);
    let heard = tokio::select! {
        result = watch(sources, &screen, end) => result?,
        result = follow => result?,
        result = reconciling => match result? {},
        result = trouble => match result? {},
        result = recording => match result? {},
    };
    stack.shutdown().await?;
    if options.run_for.is_none() || simulated.is_none() {
        return Ok(ExitCode::SUCCESS);
    }
    let has_callbacks = options.callback.is_none() && !options.no_callbacks;
    let silent = heard.silent(has_callbacks);
    if silent.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    screen.say(&format!("there were no {}", silent.join(", no ")))?;
    Ok(ExitCode::FAILURE)
}

/// Where callbacks go, and what comes there if that is here.
async fn callbacks(
    options: &Options,
) -> Result<(String, Option<Receiver>, Option<UnboundedReceiver<Outcome>>)> {
    if let Some(url) = &options.callback {
        return Ok((url.clone(), None, None));
    }
    let (url, receiver, callbacks) = receiver::start().await?;
    Ok((url, Some(receiver), Some(callbacks)))
}

/// A Close with two organizations: one has webhooks, the other is polled alone.
struct Simulated {
    close: CloseSimulator,
    organization: Organization,
    polled: Organization,
}

/// The instances that are made at the beginning.
struct Instances {
    /// The one with webhooks that are reconciled. A real Close cannot reach this machine.
    stream: Option<u64>,
    polled: u64,
}

impl Simulated {
    async fn start(options: &Options) -> Result<Option<Self>> {
        if options.close.is_some() {
            return Ok(None);
        }
        // Close itself takes longer to tell of an update: it waits for the next one.
        let settings = Settings {
            consolidation: Duration::from_secs(1),
            updated_delay: Duration::from_secs(1),
            ..Settings::default()
        };
        let close = CloseSimulator::start(settings).await?;
        let organization = close.organization("Acme", API_KEY);
        let polled = close.organization("Hooli", POLLED_KEY);
        Ok(Some(Self {
            close,
            organization,
            polled,
        }))
    }

    fn change_things(&self, seed: u64) -> [Activity; 2] {
        let other_seed = seed.wrapping_add(1);
        [
            activity::simulate(&self.organization, PERIOD, seed),
            activity::simulate(&self.polled, POLLED_PERIOD, other_seed),
        ]
    }
}

async fn start_stack(
    options: &Options,
    simulated: Option<&Simulated>,
    screen: &Screen,
) -> Result<LocalStack> {
    screen.say("building the functions; the first time takes about three minutes")?;
    let base_url = base_url(options, simulated);
    let schedule = if options.real_time {
        Mode::Template
    } else {
        Mode::Every(TICK)
    };
    let stack = LocalStack::builder()
        .parameter("CloseBaseUrls", base_url)
        .secret("UserSecret", USER_SECRET)
        .secret("OrganizationSecret", ORGANIZATION_SECRET)
        .listen(options.listen)
        .schedule(schedule)
        .progress(Progress::Stderr)
        .keep(KEEP);
    // What is called back is on this machine.
    let stack = ["WebhookFunction", "CallbackFunction"]
        .into_iter()
        .fold(stack, |stack, function| {
            stack.environment(function, "CALLBACK_ALLOW_LOOPBACK", "true")
        });
    stack.start().await
}

fn base_url(options: &Options, simulated: Option<&Simulated>) -> String {
    let own = simulated.map(|simulated| simulated.close.base_url());
    own.or_else(|| options.close.clone()).unwrap_or_default()
}

/// Makes the instances, and says where everything is and why there is more than one.
async fn provision(
    options: &Options,
    simulated: Option<&Simulated>,
    stack: &LocalStack,
    callback_url: &str,
    screen: &Screen,
) -> Result<Instances> {
    let real_key = options
        .close_api_key
        .as_ref()
        .map(ExposeSecret::expose_secret);
    let api_key = if simulated.is_some() {
        API_KEY
    } else {
        real_key.context("CLOSE_API_KEY is not set")?
    };
    let provision = Provision {
        stack,
        base_url: base_url(options, simulated),
        api_key,
        callback_url,
    };
    let (stream, polled) = if simulated.is_some() {
        let stream = provision.stream().await?;
        (Some(stream), provision.polling(POLLED_KEY).await?)
    } else {
        (None, provision.polling(api_key).await?)
    };
    provision.documented().await?;
    screen.say(&format!(
        "\n  API            {}/elements/api-v2",
        stack.url()
    ))?;
    screen.say(&format!(
        "  Authorization  User {USER_SECRET}, Organization {ORGANIZATION_SECRET}"
    ))?;
    screen.say(&format!("  Close          {}", provision.base_url))?;
    let resources = provision::RESOURCES.join(", ");
    if let Some(stream) = stream {
        let often = if options.real_time {
            "every 5 minutes".to_owned()
        } else {
            format!("every {} s", reconcile::INTERVAL.as_secs())
        };
        screen.say(&format!(
            "  one stream     instance {stream}: webhooks, reconciled with Close's event log {often}"
        ))?;
        screen.say(&format!(
            "  polling        instance {polled}: {resources}; of another organization, so that each change comes once"
        ))?;
    } else {
        screen.say(&format!(
            "  polling        instance {polled}: {resources}; Close cannot send webhooks to this machine"
        ))?;
    }
    screen.say(&format!(
        "  unsigned       {}/elements/api-v2/events/closeio/MjA5MzE=: the documentation's instance, for webhooks of 2014",
        stack.url()
    ))?;
    screen.say(&format!(
        "  callbacks      {callback_url}, signed with {SIGNATURE_KEY}"
    ))?;
    screen.say("\nReady. Each event on the bus, by the time of its change; Ctrl-C ends.\n")?;
    Ok(Instances { stream, polled })
}

/// Asks for a poll whenever something changed, as anybody may who cannot wait for the schedule.
async fn follow(
    mut changes: broadcast::Receiver<Changed>,
    stack: &LocalStack,
    polled: u64,
) -> Result<Heard> {
    let polls = Polls::of(stack)?;
    loop {
        if let Err(broadcast::error::RecvError::Closed) = changes.recv().await {
            std::future::pending::<()>().await;
        }
        sleep(READABLE_AFTER).await;
        changes = changes.resubscribe();
        polls.request(polled).await;
    }
}
