//! The job that simulated clusters run: it copies a feed into a target, exactly once.

use tidegate_catalog::VersionSpec;
use tidegate_plan::encoding;
use tidegate_plan::settings::Settings;
use tidegate_planner::{Planned, Session, parse_script};
use tidegate_types::{Error, Result};

/// What the connectors are does not matter: workers of a simulation make their own.
const SQL: &str = "CREATE TABLE feed (part INT, seq BIGINT) WITH ('connector' = 'datagen');
CREATE TABLE target (part INT, seq BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO target SELECT part, seq FROM feed;";

const SETTINGS: [(&str, &str); 8] = [
    ("execution.checkpointing.interval", "700 ms"),
    ("execution.checkpointing.timeout", "4 s"),
    ("execution.checkpointing.tolerable-failed-checkpoints", "2"),
    ("execution.checkpointing.num-retained", "2"),
    ("restart-strategy.type", "fixed-delay"),
    ("restart-strategy.fixed-delay.attempts", "1000"),
    ("restart-strategy.fixed-delay.delay", "300 ms"),
    ("taskmanager.memory.managed.size", "16 mb"),
];

/// The job's version.
///
/// # Errors
/// If the script cannot be planned.
pub(crate) fn version(parallelism: u32) -> Result<VersionSpec> {
    let mut settings = Settings::new();
    for (key, value) in SETTINGS {
        settings.set(key, value)?;
    }
    let mut session = Session::new(settings)?.with_default_time_zone("UTC")?;
    for statement in parse_script(SQL)? {
        if let Planned::Job(plan) = session.plan(&statement)? {
            let settings = plan.settings.iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
            return Ok(VersionSpec {
                sql: SQL.to_owned(),
                plan: encoding::encode(&plan.graph)?,
                settings: settings.collect(),
                parallelism,
                tables: Vec::new(),
                flows: Vec::new(),
            });
        }
    }
    Err(Error::internal("the script has no job"))
}
