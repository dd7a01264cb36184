//! Kafka's own command-line tools, and programs of ours on Kafka's own client (`xtask/java`), against a running
//! broker of ours: topics made, filled and read.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::record::Instance;
use super::{Service, java, kafka, probe};
use crate::process::{self, ProcessId};
use crate::project::Project;

/// Heap of a tool.
const HEAP: &str = "128m";

/// How long the producer waits for more records before it sends those it has, in milliseconds.
const LINGER_MS: &str = "20";

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

    /// A program that sends each line it reads, a key, a tab and a value, and ends with its input.
    pub(crate) fn producer(&self, topic: &str) -> Command {
        let mut command = self.tool("org.apache.kafka.tools.ConsoleProducer");
        command
            .args(["--topic", topic, "--timeout", LINGER_MS])
            .args(["--reader-property", "parse.key=true"])
            .args(["--reader-property", "key.separator=\t"]);
        command
    }

    /// A program that prints the values in a topic's only partition, from the first one on, and waits for
    /// more until it is ended.
    pub(crate) fn consumer(&self, topic: &str) -> Command {
        let mut command = self.tool("org.apache.kafka.tools.consumer.ConsoleConsumer");
        command.args(["--topic", topic, "--partition", "0", "--offset", "earliest"]);
        command
    }

    /// How many records a topic has received, as the broker says.
    pub(crate) fn records(&self, topic: &str, partitions: u32) -> Result<u64> {
        probe::kafka_records(self.instance.port("plain"), topic, partitions)
            .with_context(|| format!("ask for the number of records in topic {topic}"))
    }

    fn tool(&self, class: &str) -> Command {
        let mut command = kafka::java(self.project, &self.instance, HEAP);
        command.args([class, "--bootstrap-server", &self.address()]);
        command
    }
}
