//! The function binaries, built by Cargo once per process.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, anyhow, ensure};
use escargot::format::Message;

use crate::template::specs::function::FunctionSpec;

/// Whether Cargo's own progress is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is written.
    #[default]
    Silent,
    /// Cargo writes to stderr as usual.
    Stderr,
}

/// Paths by binary name.
pub type Binaries = BTreeMap<String, PathBuf>;

/// What was built, or why that failed, by set of binaries.
static BUILT: Mutex<BTreeMap<BTreeSet<String>, Result<Binaries, String>>> =
    Mutex::new(BTreeMap::new());

/// Builds the binaries of `functions`, in the profile that this crate itself is built in.
///
/// # Errors
/// If Cargo fails, or a function's binary is not among what it built.
pub fn build(workspace: &Path, functions: &[FunctionSpec], progress: Progress) -> Result<Binaries> {
    let names: BTreeSet<_> = functions.iter().map(|spec| spec.binary.clone()).collect();
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let outcome = built.entry(names).or_insert_with_key(|names| {
        run_cargo(workspace, names, progress).map_err(|error| format!("{error:#}"))
    });
    let binaries = outcome.clone().map_err(|error| anyhow!(error))?;
    for spec in functions {
        let known = binaries.contains_key(&spec.binary);
        ensure!(
            known,
            "package {} has no binary {}",
            spec.package,
            spec.binary
        );
    }
    Ok(binaries)
}

fn run_cargo(workspace: &Path, names: &BTreeSet<String>, progress: Progress) -> Result<Binaries> {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(workspace).arg("build");
    command.arg("--message-format=json-render-diagnostics");
    // Not by package: then Cargo would choose other features for what they share, and build it all twice.
    for name in names {
        command.args(["--bin", name]);
    }
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command.stdin(Stdio::null());
    if progress == Progress::Stderr {
        command.stderr(Stdio::inherit());
    }
    let output = command.output().context("cannot run cargo")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "cannot build the functions: {errors}"
    );
    let mut binaries = Binaries::new();
    for line in output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        if let Message::CompilerArtifact(artifact) = serde_json::from_slice(line)?
            && let Some(path) = artifact.executable
        {
            binaries.insert(artifact.target.name.into_owned(), path.into_owned());
        }
    }
    Ok(binaries)
}

/// The workspace that this crate belongs to.
pub(crate) fn workspace() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}
