//! Hundreds of seeds pass, a seed does the same every time, and the removal of every guard is noticed.
//!
//! Every seed is a process of its own; `cargo xtask simulate` runs more of them.

use std::process::Command;

/// Seeds that must pass here; every night it is thousands.
const SEEDS: u64 = 140;

/// Each guard with a seed that notices its removal, and passes with the guard in place.
const GUARDS: [(&str, u64); 1] = [("skip-term-check", 1)];

fn simulate(arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate-simulation"));
    let output =
        command.args(arguments).env_remove("FAILPOINTS").output().expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), text + &String::from_utf8_lossy(&output.stderr))
}

fn report(arguments: &[&str]) -> serde_json::Value {
    let (_, text) = simulate(arguments);
    let last = text.lines().rfind(|line| line.starts_with('{'));
    let last = last.unwrap_or_else(|| panic!("{arguments:?}: {text}"));
    serde_json::from_str(last).expect("the last line is JSON")
}

#[test]
fn seeds_pass_and_do_what_they_are_for() {
    let summary = report(&["--seeds", &SEEDS.to_string(), "--json"]);
    assert_eq!(summary["passed"], SEEDS, "{summary}");
    // They would pass, too, if nothing happened.
    let calls = summary["calls"].as_u64().unwrap();
    let rows = summary["rows"].as_u64().unwrap();
    assert!(calls > SEEDS * 30 && rows > SEEDS * 40, "{summary}");
}

#[test]
fn a_seed_does_the_same_every_time() {
    for seed in ["2", "3", "5", "11"] {
        let (one, other) =
            (simulate(&["--seed", seed, "--trace"]), simulate(&["--seed", seed, "--trace"]));
        assert!(one.0 && one.1.lines().count() > 20, "seed {seed}: {}", one.1);
        assert_eq!(one, other, "seed {seed}");
    }
    assert_ne!(report(&["--seed", "2"])["trace"], report(&["--seed", "3"])["trace"]);
}

#[test]
fn every_guard_is_missed() {
    let (listed, text) = simulate(&["--guards"]);
    assert!(listed);
    for line in text.lines() {
        let name = line.split_whitespace().next().unwrap();
        let known = GUARDS.iter().find(|(guard, _)| *guard == name);
        let (_, seed) = known.unwrap_or_else(|| panic!("no seed is known for {name}"));
        let seed = seed.to_string();
        let without = report(&["--seed", &seed, "--without", name]);
        assert!(!without["violation"].is_null(), "seed {seed} passes without {name}: {without}");
        let with = report(&["--seed", &seed, "--world-of", name]);
        assert!(with["violation"].is_null(), "seed {seed} fails although {name} is off: {with}");
    }
    assert_eq!(text.lines().count(), GUARDS.len());
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let (done, text) = simulate(&["--without", "nothing"]);
    assert!(!done && text.contains("'nothing' is no guard; the guards are skip-"), "{text}");
    let (done, text) = simulate(&["--trace"]);
    assert!(!done && text.contains("--seed"), "{text}");
}
