//! The build script of both functions: a release build is linked without unwind tables.
//!
//! A panic aborts a release build, so nothing reads the tables, a tenth of a zipped function. `-C force-unwind-tables=no`
//! would not do: Cargo has no flags of one profile, a dev build needs the tables, and the standard library and AWS-LC bring
//! tables of their own.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=../shared/link");
    let is = |variable, value| env::var_os(variable).is_some_and(|found| found == value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/link");
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{folder}/no_unwind_tables.ld");
    }
}
