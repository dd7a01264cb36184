//! Apache Flink as a folder of jars: the oracle of semantics in the integration tests, and what benchmarks are compared
//! with. Nothing of it runs as a server; the oracle's source is compiled ahead so that the first test need not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use super::wheel::Wheel;
use super::{Service, debian, home, install, java};
use crate::interrupt::Interrupt;
use crate::process;
use crate::project::Project;

const WHEEL: Wheel = Wheel {
    package: "apache-flink-libraries",
    version: "2.3.0",
    hashes: &[("any", "38ece876553286b3a285cf344c2d2038f8a7ca10da5df54d5107250386d64151")],
};

/// The jars, and the oracle's classes.
pub(crate) struct Flink;

impl Service for Flink {
    fn name(&self) -> &'static str {
        "flink"
    }

    fn version(&self) -> &'static str {
        WHEEL.version
    }

    fn needs(&self) -> &'static [debian::Need] {
        debian::PIP_AND_JAVA
    }

    fn core(&self) -> bool {
        false
    }

    fn install(&self, project: &Project) -> Result<()> {
        let what = format!("Flink {}", WHEEL.version);
        install::once(&what, &home(project, self), |folder| {
            let scratch = tempfile::tempdir_in(folder).context("create a temporary folder")?;
            let content = WHEEL.unpack(scratch.path())?;
            fs::rename(content.join("pyflink/lib"), folder.join("lib")).context("take the jars")?;
            install::expect_file(&folder.join("lib"), "flink-dist-", ".jar")
        })?;
        compile_oracle(project)
    }

    fn installed(&self, project: &Project) -> bool {
        home(project, self).exists()
    }

    fn static_env(&self, project: &Project) -> Vec<(&'static str, String)> {
        let mut variables =
            vec![("TIDEGATE_FLINK_CLASSPATH_DIR", lib(project).display().to_string())];
        let classes = classes(project);
        if classes.exists() {
            variables.push(("TIDEGATE_FLINK_ORACLE_CLASSES", classes.display().to_string()));
        }
        variables
    }
}

fn lib(project: &Project) -> PathBuf {
    home(project, &Flink).join("lib")
}

fn classes(project: &Project) -> PathBuf {
    java::classes(&project.cache.join("flink-oracle"))
}

/// Compiles `integration-tests/flink/*.java` if there is any and it is newer than its classes.
fn compile_oracle(project: &Project) -> Result<()> {
    let sources = project.root.join("integration-tests/flink");
    let parent = project.cache.join("flink-oracle");
    java::compile("the Flink oracle", &sources, &lib(project), &parent)?;
    Ok(())
}

/// What Flink reaches into of Java's own modules.
const OPENED: [&str; 8] = [
    "java.base/java.lang",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/java.time",
    "java.base/java.math",
    "java.base/java.net",
    "java.base/java.nio",
];

const HEAP: &str = "4g";

/// Exit code of the program of `xtask/flink` where a statement cannot be planned.
const REFUSED: i32 = 65;

/// How a job in Flink ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Ended {
    /// Its net run time.
    Ran(Duration),
    /// Flink does not plan it.
    Refused,
    /// It failed, as jobs do whose state does not fit into the heap. Why, Flink has said.
    Failed,
}

/// Runs scripts in one JVM each.
pub(crate) struct Runner {
    lib: PathBuf,
    classes: PathBuf,
    sources: PathBuf,
}

impl Runner {
    /// Installs Flink if need be, and compiles the program of `xtask/flink`.
    pub(crate) fn install(project: &Project) -> Result<Self> {
        install::install(project, &[&Flink])?;
        let (lib, sources) = (lib(project), project.root.join("xtask/flink"));
        let parent = project.run_dir.join("flink");
        let classes = java::compile("the Flink runner", &sources, &lib, &parent)?;
        Ok(Self { lib, classes, sources })
    }

    /// Flink's version.
    pub(crate) fn version(&self) -> &'static str {
        WHEEL.version
    }

    /// Runs a script with one INSERT to its end.
    pub(crate) fn run(
        &self,
        script: &Path,
        parallelism: u32,
        interval_ms: u64,
        checkpoints: &Path,
        interrupt: &Interrupt,
    ) -> Result<Ended> {
        let output = tempfile::NamedTempFile::new().context("create a temporary file")?;
        let mut path = self.classes.clone().into_os_string();
        path.push(":");
        path.push(self.lib.join("*"));
        let logging = self.sources.join("log4j2.properties");
        let mut command = Command::new("java");
        command
            .arg(format!("-Xmx{HEAP}"))
            .arg(format!("-Dlog4j2.configurationFile={}", logging.display()))
            .arg("-Duser.timezone=UTC");
        for module in OPENED {
            command.arg(format!("--add-opens={module}=ALL-UNNAMED"));
        }
        command.arg("-cp").arg(path).arg("FlinkBench").arg(script);
        command.arg(parallelism.to_string()).arg(interval_ms.to_string()).arg(checkpoints);
        let file = output.reopen().context("open the temporary file")?;
        command.stdout(Stdio::from(file));
        let status = process::run_interruptible(&mut command, interrupt)?;
        if status.code() == Some(REFUSED) {
            return Ok(Ended::Refused);
        }
        if !status.success() {
            return Ok(Ended::Failed);
        }
        let text = fs::read_to_string(output.path()).context("read Flink's answer")?;
        let milliseconds = text.trim().parse().with_context(|| format!("Flink said {text}"))?;
        Ok(Ended::Ran(Duration::from_millis(milliseconds)))
    }
}
