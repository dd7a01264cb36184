//! An FTP server, by pyftpdlib of Debian: one port without TLS, one that insists on it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::record::{Instance, write_private};
use super::{Server, Service, debian, probe};
use crate::process;
use crate::project::Project;

/// Debian's own Python, which has Debian's modules.
const PYTHON: &str = "/usr/bin/python3";
const USER: &str = "tidegate";

/// The server: its arguments are the folder with its files and the two ports; the password comes by the environment.
const SCRIPT: &str = r#"import os, sys
from OpenSSL import crypto
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer

folder, plain, secured = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
files, pem = os.path.join(folder, "files"), os.path.join(folder, "certificate.pem")

def certificate():
    key = crypto.PKey()
    key.generate_key(crypto.TYPE_RSA, 2048)
    made = crypto.X509()
    made.set_version(2)
    made.set_serial_number(1)
    made.get_subject().CN = "localhost"
    made.set_issuer(made.get_subject())
    made.gmtime_adj_notBefore(-86400)
    made.gmtime_adj_notAfter(30 * 86400)
    made.set_pubkey(key)
    made.add_extensions([
        crypto.X509Extension(b"basicConstraints", True, b"CA:FALSE"),
        crypto.X509Extension(b"subjectAltName", False, b"DNS:localhost,IP:127.0.0.1"),
    ])
    made.sign(key, "sha256")
    with open(pem, "wb") as out:
        out.write(crypto.dump_certificate(crypto.FILETYPE_PEM, made))
        out.write(crypto.dump_privatekey(crypto.FILETYPE_PEM, key))

if not os.path.exists(pem):
    certificate()
users = DummyAuthorizer()
users.add_user("tidegate", os.environ["FTP_PASSWORD"], files, perm="elradfmwMT")

class Plain(FTPHandler):
    authorizer = users

class Secured(TLS_FTPHandler):
    authorizer = users
    certfile = pem
    tls_control_required = True
    tls_data_required = True

loop = IOLoop()
servers = [FTPServer(("127.0.0.1", plain), Plain, ioloop=loop), FTPServer(("127.0.0.1", secured), Secured, ioloop=loop)]
servers[0].serve_forever(handle_exit=False)
"#;

/// The server.
pub(crate) struct Ftp;

impl Service for Ftp {
    fn name(&self) -> &'static str {
        "ftp"
    }

    /// Whatever Debian has: 1.5 in Debian 12.
    fn version(&self) -> &'static str {
        "debian"
    }

    fn needs(&self) -> &'static [debian::Need] {
        debian::FTP
    }

    fn core(&self) -> bool {
        true
    }

    /// The packages are all there is.
    fn install(&self, _project: &Project) -> Result<()> {
        Ok(())
    }

    fn installed(&self, _project: &Project) -> bool {
        process::succeeds(PYTHON, &["-c", "import pyftpdlib, OpenSSL"])
    }

    fn server(&self) -> Option<&dyn Server> {
        Some(self)
    }
}

impl Server for Ftp {
    fn ports(&self) -> &'static [&'static str] {
        &["plain", "tls"]
    }

    fn secrets(&self) -> &'static [&'static str] {
        &["password"]
    }

    fn prepare(&self, _project: &Project, instance: &Instance) -> Result<()> {
        let files = instance.data().join("files");
        fs::create_dir_all(files.join("in")).context("make the folder of files")?;
        fs::write(files.join("in/orders.csv"), "1,a\n2,b\n").context("write a file")?;
        write_private(&instance.data().join("server.py"), SCRIPT)
    }

    fn command(&self, _project: &Project, instance: &Instance) -> Result<Command> {
        let mut command = Command::new(PYTHON);
        command
            .env("FTP_PASSWORD", instance.secret("password"))
            .args(["-W", "ignore"])
            .arg(instance.data().join("server.py"))
            .arg(instance.data())
            .args([instance.port("plain").to_string(), instance.port("tls").to_string()]);
        Ok(command)
    }

    fn probe(&self, instance: &Instance) -> Result<()> {
        for name in ["plain", "tls"] {
            let answer = probe::line(instance.port(name), "")?;
            ensure!(answer.starts_with("220 "), "the FTP server greets with '{answer}'");
        }
        Ok(())
    }

    fn stop_signal(&self) -> &'static str {
        "TERM"
    }

    fn env(&self, instance: &Instance) -> Vec<(&'static str, String)> {
        let address = |name: &str| format!("127.0.0.1:{}", instance.port(name));
        vec![
            ("TIDEGATE_FTP", address("plain")),
            ("TIDEGATE_FTPS", address("tls")),
            ("TIDEGATE_FTP_USER", USER.to_owned()),
            ("TIDEGATE_FTP_PASSWORD", instance.secret("password").to_owned()),
            ("TIDEGATE_FTP_CERTIFICATE", certificate(instance).display().to_string()),
        ]
    }
}

fn certificate(instance: &Instance) -> PathBuf {
    instance.data().join("certificate.pem")
}
