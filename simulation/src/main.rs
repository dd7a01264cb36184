//! Simulations of a cluster: the shipped state machines under faults that a seed chooses.
//!
//! One process runs one seed, with one thread, so that a seed does the same every time; without a seed it runs many, each
//! as a process of its own.

mod ambient;
mod clients;
mod cluster;
mod faults;
mod history;
mod invariants;
mod job;
mod kernel;
mod outside;
mod random;
mod scenario;
mod trace;
mod world;

fn main() {
    let seed = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(1);
    let name = std::env::args().nth(2);
    ambient::simulate(seed);
    tidegate_runtime::blocking::simulate_this_thread();
    let scenario = scenario::Scenario::of(seed, name.as_deref());
    let version = world::version_of(&scenario).unwrap();
    trace::begin(true);
    let report = world::World::new(seed, scenario, version).run();
    if std::env::args().nth(3).is_some() { for l in trace::lines() { println!("{l}"); } }
    println!("{}", serde_json::to_string(&report).unwrap());
    std::process::exit(0);
}
