//! What of Debian is needed to build Tidegate and to run the services: found by looking for the tool
//! itself, so that one that came another way counts, and installed with apt-get when missing.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process;

/// A package, and how to see that what it brings is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    package: &'static str,
    sign: Sign,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    /// The program runs with these arguments.
    Runs(&'static str, &'static [&'static str]),
    /// `pkg-config` knows the library.
    Library(&'static str),
    /// The Java compiler is of this version or later.
    Java(u32),
}

/// Oldest Java that the servers take.
const JAVA: u32 = 17;

/// For the workspace itself: librdkafka is built from source, with TLS, SASL/GSSAPI and zlib; the client of etcd from
/// its `.proto` files.
pub(crate) const BUILD: &[Need] = &[
    Need { package: "build-essential", sign: Sign::Runs("cc", &["--version"]) },
    Need { package: "build-essential", sign: Sign::Runs("c++", &["--version"]) },
    Need { package: "build-essential", sign: Sign::Runs("make", &["--version"]) },
    Need { package: "cmake", sign: Sign::Runs("cmake", &["--version"]) },
    Need { package: "pkg-config", sign: Sign::Runs("pkg-config", &["--version"]) },
    Need { package: "libssl-dev", sign: Sign::Library("openssl") },
    Need { package: "libsasl2-dev", sign: Sign::Library("libsasl2") },
    // librdkafka's build takes up curl wherever it finds a library, also one without headers.
    Need { package: "libcurl4-openssl-dev", sign: Sign::Library("libcurl") },
    Need { package: "zlib1g-dev", sign: Sign::Library("zlib") },
    Need { package: "protobuf-compiler", sign: Sign::Runs("protoc", &["--version"]) },
    // What the `.proto` files of others import: `google/protobuf/*.proto`.
    Need { package: "libprotobuf-dev", sign: Sign::Library("protobuf") },
];

/// The server of etcd, and its client for a look inside.
pub(crate) const ETCD: &[Need] = &[
    Need { package: "etcd-server", sign: Sign::Runs("etcd", &["--version"]) },
    Need { package: "etcd-client", sign: Sign::Runs("etcdctl", &["--help"]) },
];

/// The server of PostgreSQL, which is in no folder that is searched, and its client.
pub(crate) const POSTGRES: &[Need] = &[
    Need {
        package: "postgresql",
        sign: Sign::Runs("sh", &["-c", "ls /usr/lib/postgresql/*/bin/initdb"]),
    },
    Need { package: "postgresql-client", sign: Sign::Runs("psql", &["--version"]) },
];

/// The server of MariaDB and its client.
pub(crate) const MARIADB: &[Need] = &[
    Need { package: "mariadb-server", sign: Sign::Runs("/usr/sbin/mariadbd", &["--version"]) },
    Need { package: "mariadb-client", sign: Sign::Runs("mariadb", &["--version"]) },
];

/// The server of Redis and its client.
pub(crate) const REDIS: &[Need] = &[
    Need { package: "redis-server", sign: Sign::Runs("redis-server", &["--version"]) },
    Need { package: "redis-tools", sign: Sign::Runs("redis-cli", &["--version"]) },
];

/// An FTP server in Debian's own Python, and what it needs for TLS.
pub(crate) const FTP: &[Need] = &[
    Need {
        package: "python3-pyftpdlib",
        sign: Sign::Runs("/usr/bin/python3", &["-W", "ignore", "-c", "import pyftpdlib"]),
    },
    Need {
        package: "python3-openssl",
        sign: Sign::Runs("/usr/bin/python3", &["-W", "ignore", "-c", "import OpenSSL"]),
    },
];

/// The server of Prometheus.
pub(crate) const PROMETHEUS: &[Need] =
    &[Need { package: "prometheus", sign: Sign::Runs("prometheus", &["--version"]) }];

/// For hosts of a cluster on one machine.
pub(crate) const HOSTS: &[Need] = &[
    Need { package: "iproute2", sign: Sign::Runs("ip", &["-V"]) },
    Need { package: "nftables", sign: Sign::Runs("nft", &["-v"]) },
];

/// For jars from Maven Central, and to run them.
pub(crate) const JAVA_AND_MAVEN: &[Need] = &[
    Need { package: "openjdk-17-jdk-headless", sign: Sign::Java(JAVA) },
    Need { package: "maven", sign: Sign::Runs("mvn", &["--version"]) },
];

/// For programs from PyPI.
pub(crate) const PIP: &[Need] =
    &[Need { package: "python3-pip", sign: Sign::Runs("python3", &["-m", "pip", "--version"]) }];

/// For jars from PyPI, and to compile and run against them.
pub(crate) const PIP_AND_JAVA: &[Need] =
    &[PIP[0], Need { package: "openjdk-17-jdk-headless", sign: Sign::Java(JAVA) }];

/// Installs what is missing. Without the rights to do so it says what to install.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    let missing = missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !is_root()? {
        bail!("Debian packages are missing; run as root: apt-get install {list}");
    }
    eprintln!("installing Debian packages: {list}");
    apt_get(&["update"])?;
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(&missing);
    apt_get(&arguments)?;
    let still = self::missing(needs);
    if !still.is_empty() {
        bail!("installed, but still not usable: {}", still.join(" "));
    }
    Ok(())
}

/// Packages whose sign is not there, each once.
fn missing(needs: &[Need]) -> Vec<&'static str> {
    let mut packages = Vec::new();
    for need in needs {
        if !packages.contains(&need.package) && !need.sign.seen() {
            packages.push(need.package);
        }
    }
    packages
}

impl Sign {
    fn seen(self) -> bool {
        match self {
            Self::Runs(program, arguments) => process::succeeds(program, arguments),
            Self::Library(name) => process::succeeds("pkg-config", &["--exists", name]),
            Self::Java(oldest) => javac_version().is_some_and(|version| version >= oldest),
        }
    }
}

fn javac_version() -> Option<u32> {
    let output = Command::new("javac").arg("-version").stdin(Stdio::null()).output().ok()?;
    major_version(&String::from_utf8_lossy(&output.stdout))
}

/// `javac 17.0.15` → 17; the old scheme `javac 1.8.0` → 1, which is too old either way.
fn major_version(text: &str) -> Option<u32> {
    text.trim().strip_prefix("javac ")?.split(['.', '-', '+']).next()?.parse().ok()
}

pub(super) fn is_root() -> Result<bool> {
    Ok(fs::metadata("/proc/self").context("read /proc/self")?.uid() == 0)
}

/// Output goes to standard error whole: an installation that hangs or fails should be seen to.
fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command
        .args(["--quiet", "--option", "DPkg::Lock::Timeout=300"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(std::io::stderr());
    process::run(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_the_java_compiler() {
        assert_eq!(major_version("javac 17.0.15\n"), Some(17));
        assert_eq!(major_version("javac 25-ea\n"), Some(25));
        assert_eq!(major_version("javac 1.8.0_402"), Some(1));
        assert_eq!(major_version("command not found"), None);
    }

    #[test]
    fn a_missing_program_names_its_package_once() {
        let absent = Need { package: "absent", sign: Sign::Runs("tidegate-no-such-program", &[]) };
        assert_eq!(missing(&[absent, absent]), ["absent"]);
        assert!(
            missing(&[Need { package: "sh", sign: Sign::Runs("sh", &["-c", ":"]) }]).is_empty()
        );
    }
}
