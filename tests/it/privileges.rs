//! What the roles allowed in this run, left for `.ci/check_privileges.py`, which asks whether they allow more.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use local_stack::aws::iam::Access;

/// Adds what was used in a world to the file of this process.
pub(crate) fn record(access: &Access) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("privileges");
    fs::create_dir_all(&folder).unwrap();
    let mut lines = String::new();
    for (grant, calls) in access.used() {
        let names = [grant.role, grant.statement, grant.action, grant.resource];
        writeln!(lines, "{}\t{calls}", names.join("\t")).unwrap();
    }
    let file = folder.join(format!("{}.tsv", std::process::id()));
    let file = OpenOptions::new().append(true).create(true).open(file);
    // One write, so that tests of other threads do not come between.
    file.unwrap().write_all(lines.as_bytes()).unwrap();
}
