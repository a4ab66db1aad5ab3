//! The fuzzer notices what it is there for.

use std::process::{Command, Output};

fn fuzz(arguments: &[&str]) -> (Output, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fuzz"));
    let output = command.args(arguments).output().unwrap();
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    (output, said)
}

#[test]
fn an_abort_is_a_finding_and_not_the_end_of_the_run() {
    for (fault, ended) in [
        ("panic", "exit status: 1"),
        ("overflow", "signal: 6 (SIGABRT)"),
    ] {
        let arguments = ["--seed", "7", "--count", "40", "--fault", fault];
        let (output, said) = fuzz(&arguments);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!(", {ended}\n")), "{said}");
        assert!(said.contains("--seed 7 --from 10 --count 1"), "{said}");
        assert!(said.contains("fuzz: 40 inputs in "), "{said}");
        assert!(said.contains(" 1 findings, seed 7"), "{said}");
    }
}

#[test]
fn every_run_has_a_seed_and_every_parser_its_inputs() {
    let (output, said) = fuzz(&["--count", "300"]);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.starts_with("fuzz: seed "), "{said}");
    assert!(said.contains("fuzz: 300 inputs in "), "{said}");
    let (output, _) = fuzz(&["--target", "nobody"]);
    assert_eq!(output.status.code(), Some(1));
}
