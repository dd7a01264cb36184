//! Apache Kafka as one KRaft node from the jars on Maven Central: a plaintext listener and one with
//! SASL (PLAIN and SCRAM-SHA-512). Topics are made by those who use them, never by accident.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::maven::{self, Artifact};
use super::record::{Instance, write_private};
use super::secrets::random_hex;
use super::{Server, Service, debian, home, install, probe};
use crate::process;
use crate::project::Project;

const VERSION: &str = "4.3.1";
const LOG4J: &str = "2.25.5";
const USER: &str = "tidegate";

const JARS: &[Artifact] = &[
    ("org.apache.kafka", "kafka_2.13", VERSION),
    ("org.apache.kafka", "kafka-tools", VERSION),
    ("org.apache.logging.log4j", "log4j-core", LOG4J),
    ("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J),
];

/// To standard error: the standard output of a tool is its result.
const LOGGING: &str = "\
status = error
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.target = SYSTEM_ERR
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %-5p %c - %m%n
logger.server.name = org.apache.kafka.common.utils.AppInfoParser
logger.server.level = INFO
logger.startup.name = kafka.server
logger.startup.level = INFO
";

/// The broker.
pub(crate) struct Kafka;

impl Service for Kafka {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn version(&self) -> &'static str {
        VERSION
    }

    fn needs(&self) -> &'static [debian::Need] {
        debian::JAVA_AND_MAVEN
    }

    fn core(&self) -> bool {
        true
    }

    fn install(&self, project: &Project) -> Result<()> {
        install::once(&format!("Kafka {VERSION}"), &home(project, self), |folder| {
            let lib = folder.join("lib");
            maven::copy_jars(JARS, &lib)?;
            install::expect_file(&lib, "kafka_2.13-", ".jar")
        })
    }

    fn installed(&self, project: &Project) -> bool {
        home(project, self).exists()
    }

    fn server(&self) -> Option<&dyn Server> {
        Some(self)
    }
}

impl Server for Kafka {
    fn ports(&self) -> &'static [&'static str] {
        &["plain", "sasl", "controller"]
    }

    fn secrets(&self) -> &'static [&'static str] {
        &["password"]
    }

    fn prepare(&self, project: &Project, instance: &Instance) -> Result<()> {
        let data = instance.data();
        write_private(&data.join("server.properties"), &properties(instance))?;
        fs::write(data.join("log4j2.properties"), LOGGING).context("write log4j2.properties")?;
        let password = instance.secret("password");
        let mut format = java(project, instance, "64m");
        format
            .args(["kafka.tools.StorageTool", "format", "--standalone"])
            .args(["--cluster-id", &cluster_id()?, "--config"])
            .arg(data.join("server.properties"))
            .arg("--add-scram")
            .arg(format!("SCRAM-SHA-512=[name={USER},password={password}]"));
        process::run_quietly(&mut format).context("format the log folder")?;
        Ok(())
    }

    fn command(&self, project: &Project, instance: &Instance) -> Result<Command> {
        let mut command = java(project, instance, "768m");
        command.arg("kafka.Kafka").arg(instance.data().join("server.properties"));
        Ok(command)
    }

    fn probe(&self, instance: &Instance) -> Result<()> {
        probe::kafka_api_versions(instance.port("sasl"))?;
        probe::kafka_api_versions(instance.port("plain"))?;
        let brokers = probe::kafka_brokers(instance.port("plain"))?;
        ensure!(brokers == 1, "the broker is not registered with its controller yet");
        Ok(())
    }

    fn stop_signal(&self) -> &'static str {
        "TERM"
    }

    fn env(&self, instance: &Instance) -> Vec<(&'static str, String)> {
        vec![
            ("TIDEGATE_KAFKA", format!("127.0.0.1:{}", instance.port("plain"))),
            ("TIDEGATE_KAFKA_SASL", format!("127.0.0.1:{}", instance.port("sasl"))),
            ("TIDEGATE_KAFKA_SASL_USER", USER.to_owned()),
            ("TIDEGATE_KAFKA_SASL_PASSWORD", instance.secret("password").to_owned()),
        ]
    }
}

/// Where the jars are.
pub(super) fn lib(project: &Project) -> PathBuf {
    home(project, &Kafka).join("lib")
}

/// A JVM with Kafka's jars; the caller adds the main class.
pub(super) fn java(project: &Project, instance: &Instance, heap: &str) -> Command {
    let jars = lib(project).join("*").into_os_string();
    jvm(heap, jars, &instance.data().join("log4j2.properties"))
}

/// The same with classes of our own in front of the jars.
pub(super) fn java_with(project: &Project, heap: &str, classes: &Path, logging: &Path) -> Command {
    let mut path = classes.to_owned().into_os_string();
    path.push(":");
    path.push(lib(project).join("*"));
    jvm(heap, path, logging)
}

fn jvm(heap: &str, path: OsString, logging: &Path) -> Command {
    let mut command = Command::new("java");
    command
        .arg(format!("-Xmx{heap}"))
        .args(["-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true"])
        .arg(format!("-Dlog4j2.configurationFile={}", logging.display()))
        .arg("-cp")
        .arg(path);
    command
}

/// 16 bytes in URL-safe base64. Hexadecimal digits are among its letters; the last one of 22 holds
/// only two bits, so it is fixed.
fn cluster_id() -> Result<String> {
    Ok(format!("{}A", &random_hex()?[..21]))
}

/// Retention is off and timestamps are free, because tests replay events that happened years ago.
/// The session is short, because a killed broker cannot come back before it ends.
fn properties(instance: &Instance) -> String {
    let data = instance.data();
    let [plain, sasl, controller] = ["plain", "sasl", "controller"].map(|name| instance.port(name));
    let password = instance.secret("password");
    let login = "org.apache.kafka.common.security";
    let listeners = format!("PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{sasl}");
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={listeners}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.sasl_plaintext.plain.sasl.jaas.config={login}.plain.PlainLoginModule required user_{USER}=\"{password}\";
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config={login}.scram.ScramLoginModule required;
log.dirs={logs}
auto.create.topics.enable=false
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=4000
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
log.retention.ms=-1
log.message.timestamp.after.max.ms=9223372036854775807
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
",
        logs = data.join("logs").display(),
    )
}
