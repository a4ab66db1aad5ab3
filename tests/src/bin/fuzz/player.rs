//! The child: plays one input after another until the time is over, or one of them ends it.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::case::case;
use super::options::{Fault, Options};
use super::targets::targets;

/// A debug build takes so long for no input that is small enough for API Gateway, or something is wrong with a loop.
const SLOW: Duration = Duration::from_secs(5);
/// Where a planted fault shows.
const FAULTY: u64 = 10;

/// A quarter of what a function has, so that recursion without a bound shows early.
const STACK_BYTES: usize = 2 * 1024 * 1024;

/// Plays. The note always names the input that is being played.
pub(crate) fn play(options: &Options, note: &Path) -> Result<ExitCode> {
    thread::scope(|scope| {
        let player = thread::Builder::new().stack_size(STACK_BYTES);
        let player = player.spawn_scoped(scope, || play_here(options, note))?;
        // A panic has said why.
        player.join().unwrap_or(Ok(ExitCode::FAILURE))
    })
}

fn play_here(options: &Options, note: &Path) -> Result<ExitCode> {
    let mut note = File::create(note).context("cannot write the note")?;
    let targets = targets(options.target.as_deref())?;
    let seed = options.seed.unwrap_or_default();
    let end = Instant::now() + options.run_for;
    let last = options.count.map_or(u64::MAX, |count| options.from + count);
    let mut number = options.from;
    while number < last && Instant::now() < end {
        write(&mut note, number)?;
        if number == FAULTY {
            go_wrong(options.fault);
        }
        let case = case(&targets, seed, number);
        let begun = Instant::now();
        (case.target.feed)(&case.input);
        let taken = begun.elapsed();
        ensure!(taken < SLOW, "it took {:.1} s", taken.as_secs_f64());
        number += 1;
    }
    write(&mut note, number)?;
    Ok(ExitCode::SUCCESS)
}

/// The number in a note, if there is one yet.
pub(crate) fn read(note: &Path) -> Option<u64> {
    let mut number = [0; 8];
    File::open(note).ok()?.read_exact(&mut number).ok()?;
    Some(u64::from_le_bytes(number))
}

fn write(note: &mut File, number: u64) -> Result<()> {
    note.seek(SeekFrom::Start(0))?;
    note.write_all(&number.to_le_bytes())?;
    Ok(())
}

#[expect(clippy::panic, reason = "it is asked for")]
fn go_wrong(fault: Option<Fault>) {
    match fault {
        None => {}
        Some(Fault::Panic) => panic!("as asked for"),
        Some(Fault::Overflow) => {
            descend(0);
        }
        Some(Fault::Hang) => hang(),
    }
}

#[expect(unconditional_recursion, reason = "the stack is to overflow")]
fn descend(depth: u64) -> u64 {
    descend(std::hint::black_box(depth) + 1) + 1
}

fn hang() {
    loop {
        thread::sleep(SLOW);
    }
}
