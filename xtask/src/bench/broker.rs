//! A Kafka of a benchmark's own: started with empty data, stopped whatever happened.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::project::Project;
use crate::services::kafka_tools::{self, Tools};
use crate::services::{control, install};

/// Partitions of every topic.
pub(crate) const PARTITIONS: u32 = 4;

/// The broker and its tools.
pub(crate) struct Broker<'a> {
    /// Topics, and programs on Kafka's own client.
    pub(crate) tools: Tools<'a>,
}

impl Broker<'_> {
    /// Does something with a broker that nobody else uses.
    pub(crate) fn with<T>(
        project: &Project,
        place: &Path,
        work: impl FnOnce(&Broker<'_>) -> Result<T>,
    ) -> Result<T> {
        let home = Project { run_dir: place.join("services"), ..project.clone() };
        // Nobody else is in there while this is held, so what runs there was left behind by a crash.
        let _lock = install::lock(&place.join(".kafka.lock"))?;
        let kafka = [kafka_tools::service()];
        control::down(&home, &kafka)?;
        let outcome = control::up(&home, &kafka)
            .and_then(|_| Tools::connect(&home))
            .and_then(|tools| work(&Broker { tools }));
        control::down(&home, &kafka).context("stop Kafka")?;
        outcome
    }

    /// Bytes of a topic on the broker's disk.
    pub(crate) fn topic_bytes(&self, topic: &str) -> Result<u64> {
        let logs = self.tools.logs();
        let mut bytes = 0;
        for partition in 0..PARTITIONS {
            let folder = logs.join(format!("{topic}-{partition}"));
            let entries =
                fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))?;
            for entry in entries {
                let entry = entry.context("read a folder entry")?;
                if entry.path().extension().is_some_and(|extension| extension == "log") {
                    bytes += entry.metadata().context("look at a log segment")?.len();
                }
            }
        }
        Ok(bytes)
    }

    /// Processor time that the broker has used so far, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Option<f64> {
        self.tools.process()?.cpu_seconds()
    }
}
