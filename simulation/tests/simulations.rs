//! Hundreds of seeds pass, a seed does the same every time, and the removal of every guard is noticed.
//!
//! Every seed is a process of its own; `cargo xtask simulate` runs more of them.

use std::process::Command;

/// Seeds that must pass here; every night it is thousands.
const SEEDS: u64 = 120;

/// Each guard with a seed from which on its removal is noticed soon.
const GUARDS: [(&str, u64); 11] = [
    ("skip-term-check", 1),
    ("skip-append-sync", 1),
    ("skip-vote-persistence", 6),
    ("skip-resignation", 2),
    ("skip-read-quorum", 3),
    ("skip-conditional-put", 21),
    ("skip-save-before-complete", 1),
    ("skip-upload-wait", 46),
    ("skip-settlement", 10),
    ("skip-marker-check", 1),
    ("skip-producer-fencing", 27),
];

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
        assert!(one.0 && one.1.lines().count() > 5, "seed {seed}: {}", one.1);
        assert_eq!(one, other, "seed {seed}");
    }
    assert_ne!(report(&["--seed", "2"])["trace"], report(&["--seed", "3"])["trace"]);
}

/// A seed that notices passes with the guard in place: the command sees to that.
#[test]
fn every_guard_is_missed() {
    let (listed, text) = simulate(&["--guards"]);
    assert!(listed);
    for line in text.lines() {
        let name = line.split_whitespace().next().unwrap();
        let known = GUARDS.iter().find(|(guard, _)| *guard == name);
        let (_, first) = known.unwrap_or_else(|| panic!("no seed is known for {name}"));
        let first = first.to_string();
        let arguments = ["--without", name, "--first-seed", &first, "--jobs", "1", "--json"];
        let (caught, text) = simulate(&arguments);
        assert!(caught && text.contains("noticed after"), "{name}: {text}");
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
