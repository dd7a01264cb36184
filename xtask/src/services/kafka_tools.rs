//! Kafka's own command-line tools, and programs of ours on Kafka's own client (`xtask/java`), against a running
//! broker of ours: topics made, filled and read.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::record::Instance;
use super::{Service, java, kafka};
use crate::process::{self, ProcessId};
use crate::project::Project;

/// Heap of a tool.
const HEAP: &str = "128m";

/// How long a reader waits for the next record, in milliseconds.
const READ_LIMIT_MS: &str = "15000";

/// The broker as a service that can be started and stopped.
pub(crate) fn service() -> &'static dyn Service {
    &kafka::Kafka
}

/// The tools for one broker.
pub(crate) struct Tools<'a> {
    project: &'a Project,
    instance: Instance,
}

impl<'a> Tools<'a> {
    /// For the broker that runs in the project's run folder.
    pub(crate) fn connect(project: &'a Project) -> Result<Self> {
        let instance = Instance::load(project, &kafka::Kafka)?.context("Kafka is not up")?;
        Ok(Self { project, instance })
    }

    /// The address of the plain listener.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.instance.port("plain"))
    }

    /// Where the broker keeps its topics.
    pub(crate) fn logs(&self) -> PathBuf {
        self.instance.data().join("logs")
    }

    /// The broker's process when the tools were connected.
    pub(crate) fn process(&self) -> Option<ProcessId> {
        self.instance.process
    }

    /// Makes a topic.
    pub(crate) fn create_topic(&self, name: &str, partitions: u32) -> Result<()> {
        let partitions = partitions.to_string();
        let mut command = self.tool("org.apache.kafka.tools.TopicCommand");
        command.args(["--create", "--topic", name, "--partitions", &partitions]);
        process::run_quietly(&mut command).with_context(|| format!("create topic {name}"))?;
        Ok(())
    }

    /// Makes several topics with one JVM, each with these settings (`name=value`).
    pub(crate) fn create_topics(
        &self,
        names: &[&str],
        partitions: u32,
        settings: &[&str],
    ) -> Result<()> {
        let partitions = partitions.to_string();
        let mut command = self.program("Topics", HEAP)?;
        command.args([self.address().as_str(), &partitions, &settings.join(",")]).args(names);
        process::run_quietly(&mut command).context("create topics")?;
        Ok(())
    }

    /// A program of `xtask/java`; the caller adds its arguments.
    pub(crate) fn program(&self, class: &str, heap: &str) -> Result<Command> {
        let sources = self.project.root.join("xtask/java");
        let parent = self.project.run_dir.join("java");
        let lib = kafka::lib(self.project);
        let classes = java::compile("the Kafka client", &sources, &lib, &parent)?;
        let logging = sources.join("log4j2.properties");
        let mut command = kafka::java_with(self.project, heap, &classes, &logging);
        command.arg("-XX:+UseSerialGC").arg(class);
        Ok(command)
    }

    /// Sends the lines of a file, each a key, a tab and a value.
    pub(crate) fn produce(&self, topic: &str, lines: File) -> Result<()> {
        let mut command = self.tool("org.apache.kafka.tools.ConsoleProducer");
        command
            .args(["--topic", topic])
            .args(["--reader-property", "parse.key=true"])
            .args(["--reader-property", "key.separator=\t"]);
        process::run_fed(&mut command, lines)
            .with_context(|| format!("send records to topic {topic}"))?;
        Ok(())
    }

    /// The values of this many records of a topic, from its beginning.
    pub(crate) fn consume(&self, topic: &str, count: usize) -> Result<Vec<String>> {
        let limit = count.to_string();
        let mut command = self.tool("org.apache.kafka.tools.consumer.ConsoleConsumer");
        command.args(["--topic", topic, "--from-beginning"]).args([
            "--max-messages",
            &limit,
            "--timeout-ms",
            READ_LIMIT_MS,
        ]);
        let text = process::run_quietly(&mut command)
            .with_context(|| format!("read records of topic {topic}"))?;
        let records: Vec<String> = text.lines().map(str::to_owned).collect();
        let found = records.len();
        ensure!(found == count, "topic {topic} has {found} records, not {count} as it should");
        Ok(records)
    }

    fn tool(&self, class: &str) -> Command {
        let mut command = kafka::java(self.project, &self.instance, HEAP);
        command.args([class, "--bootstrap-server", &self.address()]);
        command
    }
}
