//! The parent: starts children one after another, and tells what ended them.

use std::fs;
use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::case::case;
use super::options::Options;
use super::player;
use super::targets::{Target, targets};

/// An input that is played for so long never ends.
const HUNG: Duration = Duration::from_secs(30);
/// Between two looks at a child.
const LOOK: Duration = Duration::from_millis(50);
/// Of what a child says at its end.
const MAX_WORDS: usize = 2_000;
/// More of them say nothing new.
const MAX_FINDINGS: usize = 20;

/// How a child has ended.
enum End {
    /// All was played.
    Over,
    /// By itself, at the input that it was playing.
    Fell(ExitStatus),
    /// It was killed.
    Hung,
}

/// Plays until the time is over.
pub(crate) fn watch(options: &Options) -> Result<ExitCode> {
    let targets = targets(options.target.as_deref())?;
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    say(&format!("fuzz: seed {seed}"))?;
    let folder = folder()?;
    let (begun, mut next, mut findings) = (Instant::now(), options.from, 0);
    let last = options.count.map(|count| options.from + count);
    while findings < MAX_FINDINGS && last.is_none_or(|last| next < last) {
        let left = options.run_for.saturating_sub(begun.elapsed());
        if left.is_zero() {
            break;
        }
        let round = Round {
            options,
            seed,
            from: next,
            left,
            folder: &folder,
        };
        let (end, number, words) = round.play()?;
        next = number;
        if !matches!(end, End::Over) {
            findings += 1;
            report(&targets, &round, number, &end, &words)?;
            next += 1;
        }
    }
    summarize(next - options.from, begun.elapsed(), findings, seed)?;
    Ok(ExitCode::from(u8::from(0 < findings)))
}

/// One child.
struct Round<'a> {
    options: &'a Options,
    seed: u64,
    from: u64,
    left: Duration,
    folder: &'a Path,
}

impl Round<'_> {
    /// How it ended, at which input, and what it said.
    fn play(&self) -> Result<(End, u64, String)> {
        let id = std::process::id();
        let note = self.folder.join(format!("{id}.note"));
        let words = self.folder.join(format!("{id}.stderr"));
        let mut child = self.start(&note, &words)?;
        let end = wait(&mut child, &note)?;
        let number = player::read(&note).unwrap_or(self.from);
        let said = fs::read(&words).unwrap_or_default();
        fs::remove_file(&note)?;
        fs::remove_file(&words)?;
        let said = String::from_utf8_lossy(&said)
            .chars()
            .take(MAX_WORDS)
            .collect();
        Ok((end, number, said))
    }

    fn start(&self, note: &Path, words: &Path) -> Result<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("--note")
            .arg(note)
            .args(["--seed", &self.seed.to_string()])
            .args(["--from", &self.from.to_string()])
            .args(["--for", &format!("{}ms", self.left.as_millis())]);
        if let Some(count) = self.options.count {
            let left = self.options.from + count - self.from;
            command.args(["--count", &left.to_string()]);
        }
        if let Some(target) = &self.options.target {
            command.args(["--target", target]);
        }
        if let Some(fault) = self.options.fault {
            command.args(["--fault", &format!("{fault:?}").to_lowercase()]);
        }
        command.env("RUST_BACKTRACE", "0");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(fs::File::create(words)?);
        command.spawn().context("cannot start a child")
    }
}

fn wait(child: &mut Child, note: &Path) -> Result<End> {
    let (mut seen, mut since) = (None, Instant::now());
    loop {
        if let Some(status) = child.try_wait()? {
            let is_over = status.success();
            return Ok(if is_over {
                End::Over
            } else {
                End::Fell(status)
            });
        }
        let number = player::read(note);
        if number != seen {
            (seen, since) = (number, Instant::now());
        }
        if HUNG < since.elapsed() {
            child.kill()?;
            child.wait()?;
            return Ok(End::Hung);
        }
        thread::sleep(LOOK);
    }
}

/// Under the target directory, which this binary is in.
fn folder() -> Result<PathBuf> {
    let binary = std::env::current_exe()?;
    let Some(target) = binary.ancestors().nth(2) else {
        bail!("{} is in no target directory", binary.display());
    };
    let folder = target.join("fuzz-findings");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn report(
    targets: &[Target],
    round: &Round<'_>,
    number: u64,
    end: &End,
    words: &str,
) -> Result<()> {
    let seed = round.seed;
    let case = case(targets, seed, number);
    let name = case.target.name;
    let file = round.folder.join(format!("{name}-{seed}-{number}"));
    // Which target an input is for depends on how many there are.
    let alone = round.options.target.as_deref();
    let alone = alone
        .map(|name| format!(" --target {name}"))
        .unwrap_or_default();
    fs::write(&file, &case.input)?;
    let how = match end {
        End::Over => "all was played".to_owned(),
        End::Fell(status) => status.to_string(),
        End::Hung => format!("it was played for more than {} s", HUNG.as_secs()),
    };
    say(&format!(
        "fuzz: FOUND in {name}, {how}\n  input: {} ({} bytes)\n  again: cargo run --bin fuzz -- --seed {seed} --from {number} --count 1{alone}\n{}",
        file.display(),
        case.input.len(),
        words.trim_end()
    ))
}

fn summarize(inputs: u64, taken: Duration, findings: usize, seed: u64) -> Result<()> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a rate is not told to the last digit"
    )]
    let rate = inputs as f64 / taken.as_secs_f64().max(0.001) * 60.0;
    say(&format!(
        "fuzz: {inputs} inputs in {:.0} s, {rate:.0} a minute, {findings} findings, seed {seed}",
        taken.as_secs_f64()
    ))
}

fn say(text: &str) -> Result<()> {
    writeln!(stdout(), "{text}")?;
    Ok(())
}
