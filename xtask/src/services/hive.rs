//! Hive's metastore from the jars on Maven Central, with Derby, on the loopback address.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::maven::{self, Artifact};
use super::record::Instance;
use super::{Server, Service, debian, home, install, java, probe};
use crate::project::Project;

const VERSION: &str = "3.1.3";
const HADOOP: &str = "3.3.6";

const JARS: &[Artifact] = &[
    ("org.apache.hive", "hive-standalone-metastore", VERSION),
    ("org.apache.hadoop", "hadoop-client-api", HADOOP),
    ("org.apache.hadoop", "hadoop-client-runtime", HADOOP),
    // What comes with Hadoop's jars where they are not in one.
    ("commons-cli", "commons-cli", "1.5.0"),
    ("commons-collections", "commons-collections", "3.2.2"),
];

/// Hadoop in many jars, and a jar of old JDKs.
const WITHOUT: &[(&str, &str)] = &[("org.apache.hadoop", "*"), ("jdk.tools", "jdk.tools")];

const LOGGING: &str = "\
status = error
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %-5p %c - %m%n
";

/// The metastore.
pub(crate) struct Hive;

impl Service for Hive {
    fn name(&self) -> &'static str {
        "hive"
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
        install::once(&format!("Hive Metastore {VERSION}"), &home(project, self), |folder| {
            let lib = folder.join("lib");
            maven::copy_jars_without(JARS, WITHOUT, &lib)?;
            install::expect_file(&lib, "hive-standalone-metastore-", ".jar")
        })
    }

    fn installed(&self, project: &Project) -> bool {
        home(project, self).exists()
    }

    fn server(&self) -> Option<&dyn Server> {
        Some(self)
    }
}

impl Server for Hive {
    fn ports(&self) -> &'static [&'static str] {
        &["thrift"]
    }

    fn secrets(&self) -> &'static [&'static str] {
        &[]
    }

    fn prepare(&self, _project: &Project, instance: &Instance) -> Result<()> {
        let data = instance.data();
        fs::write(data.join("log4j2.properties"), LOGGING).context("write log4j2.properties")?;
        fs::create_dir_all(data.join("warehouse")).context("make the folder of tables")
    }

    fn command(&self, project: &Project, instance: &Instance) -> Result<Command> {
        let sources = project.root.join("xtask/java/hive");
        let parent = project.cache.join("hive-metastore");
        let classes =
            java::compile("the start of the metastore", &sources, &lib(project), &parent)?;
        let data = instance.data();
        let mut path = classes.into_os_string();
        path.push(":");
        path.push(lib(project).join("*"));
        let mut command = Command::new("java");
        command
            .args(["-Xmx256m", "-XX:+ExitOnOutOfMemoryError", "-XX:TieredStopAtLevel=1"])
            .arg(format!("-Dlog4j2.configurationFile={}", data.join("log4j2.properties").display()))
            .arg(format!("-Dderby.stream.error.file={}", data.join("derby.log").display()))
            .arg("-cp")
            .arg(path)
            .arg("HiveMetastoreServer")
            .arg(data)
            .arg(instance.port("thrift").to_string());
        Ok(command)
    }

    fn probe(&self, instance: &Instance) -> Result<()> {
        probe::thrift_call(instance.port("thrift"), "get_all_databases")
    }

    fn stop_signal(&self) -> &'static str {
        "TERM"
    }

    fn env(&self, instance: &Instance) -> Vec<(&'static str, String)> {
        vec![("TIDEGATE_HIVE", format!("127.0.0.1:{}", instance.port("thrift")))]
    }
}

fn lib(project: &Project) -> PathBuf {
    home(project, &Hive).join("lib")
}
