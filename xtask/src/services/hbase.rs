//! HBase as one process from the jars on Maven Central: ZooKeeper, master, region server and the REST gateway, on local
//! files.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::maven::{self, Artifact};
use super::record::{Instance, write_private};
use super::{Server, Service, debian, home, install, java, probe};
use crate::project::Project;

const VERSION: &str = "2.6.1";

const JARS: &[Artifact] = &[("org.apache.hbase", "hbase-rest", VERSION)];

/// A jar of old JDKs, and servlets in a version before that of the gateway's server.
const WITHOUT: &[(&str, &str)] = &[("jdk.tools", "jdk.tools"), ("javax.servlet", "servlet-api")];

/// What HBase reaches into of newer JDKs.
const OPENED: &[&str] = &[
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.reflect",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
];

const LOGGING: &str = "\
log4j.rootLogger=WARN,out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d %-5p %c - %m%n
";

/// The servers.
pub(crate) struct HBase;

impl Service for HBase {
    fn name(&self) -> &'static str {
        "hbase"
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
        install::once(&format!("HBase {VERSION}"), &home(project, self), |folder| {
            let lib = folder.join("lib");
            maven::copy_jars_without(JARS, WITHOUT, &lib)?;
            install::expect_file(&lib, "hbase-rest-", ".jar")
        })
    }

    fn installed(&self, project: &Project) -> bool {
        home(project, self).exists()
    }

    fn server(&self) -> Option<&dyn Server> {
        Some(self)
    }
}

impl Server for HBase {
    fn ports(&self) -> &'static [&'static str] {
        &["rest", "master", "region", "zookeeper"]
    }

    fn secrets(&self) -> &'static [&'static str] {
        &[]
    }

    fn prepare(&self, _project: &Project, instance: &Instance) -> Result<()> {
        let conf = conf(instance);
        fs::create_dir_all(&conf).context("make the folder of settings")?;
        fs::write(conf.join("log4j.properties"), LOGGING).context("write log4j.properties")?;
        write_private(&conf.join("hbase-site.xml"), &site(instance))
    }

    fn command(&self, project: &Project, instance: &Instance) -> Result<Command> {
        let sources = project.root.join("xtask/java/hbase");
        let parent = project.cache.join("hbase-with-rest");
        let classes = java::compile("the start of HBase", &sources, &lib(project), &parent)?;
        let mut path = conf(instance).into_os_string();
        path.push(":");
        path.push(classes);
        path.push(":");
        path.push(lib(project).join("*"));
        let mut command = Command::new("java");
        command.args(["-Xmx512m", "-XX:+ExitOnOutOfMemoryError", "-XX:TieredStopAtLevel=1"]);
        command.arg("--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED");
        for package in OPENED {
            command.arg(format!("--add-opens={package}=ALL-UNNAMED"));
        }
        command.arg("-cp").arg(path).arg("HBaseWithRest");
        Ok(command)
    }

    fn probe(&self, instance: &Instance) -> Result<()> {
        let (status, body) = probe::http_get(instance.port("rest"), "/namespaces/default/tables")?;
        ensure!(status == 200, "HBase is not ready: {status} {body}");
        Ok(())
    }

    /// The end of a region server takes its time, and its data is not kept.
    fn stop_signal(&self) -> &'static str {
        "KILL"
    }

    fn env(&self, instance: &Instance) -> Vec<(&'static str, String)> {
        vec![("TIDEGATE_HBASE", format!("http://127.0.0.1:{}", instance.port("rest")))]
    }
}

fn site(instance: &Instance) -> String {
    let data = instance.data();
    let folder = |name: &str| data.join(name).display().to_string();
    let port = |name: &str| instance.port(name).to_string();
    let (here, none) = ("127.0.0.1".to_owned(), "-1".to_owned());
    let settings = [
        ("hbase.rootdir", format!("file://{}", folder("root"))),
        ("hbase.tmp.dir", folder("tmp")),
        ("hbase.zookeeper.property.dataDir", folder("zookeeper")),
        ("hbase.zookeeper.property.clientPort", port("zookeeper")),
        ("hbase.zookeeper.property.clientPortAddress", here.clone()),
        ("hbase.zookeeper.quorum", here.clone()),
        // Local files do not sync as its log would have them.
        ("hbase.unsafe.stream.capability.enforce", "false".to_owned()),
        ("hbase.wal.provider", "filesystem".to_owned()),
        ("hbase.localcluster.assign.random.ports", "false".to_owned()),
        ("hbase.master.hostname", "localhost".to_owned()),
        ("hbase.master.ipc.address", here.clone()),
        ("hbase.master.port", port("master")),
        ("hbase.master.info.port", none.clone()),
        ("hbase.regionserver.hostname", "localhost".to_owned()),
        ("hbase.regionserver.ipc.address", here.clone()),
        ("hbase.regionserver.port", port("region")),
        ("hbase.regionserver.info.port", none.clone()),
        ("hbase.rest.host", here),
        ("hbase.rest.port", port("rest")),
        ("hbase.rest.info.port", none),
    ];
    let mut text = "<configuration>\n".to_owned();
    for (name, value) in settings {
        writeln!(text, "<property><name>{name}</name><value>{value}</value></property>")
            .expect("writing to a string cannot fail");
    }
    text.push_str("</configuration>\n");
    text
}

fn conf(instance: &Instance) -> PathBuf {
    instance.data().join("conf")
}

fn lib(project: &Project) -> PathBuf {
    home(project, &HBase).join("lib")
}
