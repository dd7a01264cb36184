//! `tidegate cert`: a small certificate authority in a folder, and certificates for nodes.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use tidegate_runtime::SystemClock;
use tidegate_security::{Authority, NodeRequest, NodeRole, NodeRoles, Validity};
use tidegate_types::{Error, ErrorCode, Result};

use super::files::{Secrecy, make_folder, read, refuse_existing, write_new};
use crate::client::lines;

/// Days for which an authority counts: longer than any certificate that it should sign.
const AUTHORITY_DAYS: u32 = 3_650;
/// The name of a certificate that is for every node.
const SHARED: &str = "node";

/// `tidegate cert`
#[derive(Debug, Subcommand)]
pub(crate) enum CertCommand {
    /// Make a certificate authority and certificates for nodes, for tests and small clusters.
    ///
    /// Writes ca.crt, ca.key and for each node NAME.crt and NAME.key; keys are for their owner alone. Nothing is
    /// overwritten. Without nodes there is one certificate `node` for every process on --hosts.
    Init {
        /// Where the files go; made if it does not exist.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Hosts of a certificate `node` that every process may use.
        #[arg(long, value_name = "HOST", value_delimiter = ',')]
        hosts: Vec<String>,
        #[command(flatten)]
        nodes: Nodes,
    },
    /// Make certificates for more nodes.
    Issue {
        /// The folder with ca.crt and ca.key.
        #[arg(long, value_name = "DIR")]
        ca: PathBuf,
        /// Where the files go; by default beside the authority's.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        #[command(flatten)]
        nodes: Nodes,
    },
}

/// The nodes that get a certificate.
#[derive(Debug, Args)]
pub(crate) struct Nodes {
    /// A node that may be a coordinator and a worker: its name and the hosts and addresses at which it is reached.
    #[arg(long = "node", value_name = "NAME=HOST,…", value_parser = node)]
    nodes: Vec<(String, Vec<String>)>,
    /// A node that may be a coordinator.
    #[arg(long = "coordinator", value_name = "NAME=HOST,…", value_parser = node)]
    coordinators: Vec<(String, Vec<String>)>,
    /// A node that may be a worker.
    #[arg(long = "worker", value_name = "NAME=HOST,…", value_parser = node)]
    workers: Vec<(String, Vec<String>)>,
    /// Days for which the certificates count.
    #[arg(long, value_name = "N", default_value = "730", value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
}

impl Nodes {
    fn requests(&self) -> Vec<NodeRequest> {
        let of = |nodes: &[(String, Vec<String>)], roles: NodeRoles| {
            let request = move |(name, hosts): &(String, Vec<String>)| NodeRequest {
                name: name.clone(),
                hosts: hosts.clone(),
                roles,
            };
            nodes.iter().map(request).collect::<Vec<_>>()
        };
        let mut all = of(&self.nodes, NodeRoles::ALL);
        all.extend(of(&self.coordinators, NodeRoles::only(NodeRole::Coordinator)));
        all.extend(of(&self.workers, NodeRoles::only(NodeRole::Worker)));
        all
    }
}

/// Runs a command.
///
/// # Errors
/// What cannot be read or written, `ALREADY_EXISTS` for what is there.
pub(super) fn run(command: CertCommand) -> Result<()> {
    let now_ms = SystemClock::shared().now_ms().unsigned_abs();
    match command {
        CertCommand::Init { out, hosts, nodes } => {
            let mut requests = nodes.requests();
            if requests.is_empty() || !hosts.is_empty() {
                let local = || ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
                let hosts = if hosts.is_empty() { local() } else { hosts };
                requests.push(NodeRequest {
                    name: SHARED.to_owned(),
                    hosts,
                    roles: NodeRoles::ALL,
                });
            }
            let validity = Validity { now_ms, days: AUTHORITY_DAYS };
            let authority = Authority::create("Tidegate cluster authority", validity)?;
            let (certificate, key) = (out.join("ca.crt"), out.join("ca.key"));
            refuse_existing([certificate.as_path(), key.as_path()])?;
            let own = authority.own();
            let own = [
                (certificate, own.certificate.clone(), Secrecy::Public),
                (key, own.key.clone(), Secrecy::Private),
            ];
            let validity = Validity { now_ms, days: nodes.days };
            let said = issue(&authority, &requests, validity, &out, own.into())?;
            lines(&format!(
                "{said}\nKeep {} where no node can read it: whoever has it can become a node.",
                out.join("ca.key").display()
            ))
        }
        CertCommand::Issue { ca, out, nodes } => {
            let requests = nodes.requests();
            if requests.is_empty() {
                let message = "no node is named";
                return Err(Error::new(ErrorCode::InvalidOption, message)
                    .help("name them: --node, --coordinator or --worker NAME=HOST,…"));
            }
            let authority = Authority::open(read(&ca.join("ca.crt"))?, read(&ca.join("ca.key"))?)?;
            let validity = Validity { now_ms, days: nodes.days };
            let out = out.unwrap_or(ca);
            lines(&issue(&authority, &requests, validity, &out, Vec::new())?)
        }
    }
}

/// Makes all certificates, then writes them with `files`, and says what to put into configurations.
fn issue(
    authority: &Authority,
    requests: &[NodeRequest],
    validity: Validity,
    out: &Path,
    mut files: Vec<(PathBuf, String, Secrecy)>,
) -> Result<String> {
    let shown = |path: &Path| {
        std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
    };
    let mut said = Vec::new();
    for request in requests {
        let issued = authority.issue(request, validity)?;
        let name = &request.name;
        let (certificate, key) = (out.join(format!("{name}.crt")), out.join(format!("{name}.key")));
        let roles: Vec<&str> = request.roles.iter().map(NodeRole::as_str).collect();
        said.push(format!(
            "# {name}: {}, reached at {}; for {} days\n[tls]\nca = \"{}\"\ncertificate = \"{}\"\nkey = \"{}\"\n",
            roles.join(" and "),
            request.hosts.join(", "),
            validity.days,
            shown(&out.join("ca.crt")),
            shown(&certificate),
            shown(&key),
        ));
        files.push((certificate, issued.certificate, Secrecy::Public));
        files.push((key, issued.key, Secrecy::Private));
    }
    let mut names: Vec<&Path> = files.iter().map(|(path, ..)| path.as_path()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        let message = format!("{} would be written twice", twice[0].display());
        return Err(
            Error::new(ErrorCode::InvalidOption, message).help("give nodes different names")
        );
    }
    make_folder(out)?;
    refuse_existing(names)?;
    for (path, text, secrecy) in &files {
        write_new(path, text, *secrecy)?;
    }
    Ok(said.join("\n"))
}

/// `NAME=HOST,…`
fn node(text: &str) -> Result<(String, Vec<String>), String> {
    let (name, hosts) = text.split_once('=').ok_or("write NAME=HOST,…")?;
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name == "ca" || name.len() > 63 || !name.bytes().all(fits) {
        return Err(format!("'{name}' is no name of a node: lower-case letters, digits, '-'"));
    }
    let hosts: Vec<String> = hosts.split(',').map(|host| host.trim().to_owned()).collect();
    Ok((name.to_owned(), hosts))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn nodes(texts: &[&str]) -> Nodes {
        let nodes = texts.iter().map(|text| node(text).unwrap()).collect();
        Nodes { nodes, coordinators: Vec::new(), workers: Vec::new(), days: 7 }
    }

    fn init(out: &Path, texts: &[&str]) -> Result<()> {
        run(CertCommand::Init { out: out.to_owned(), hosts: Vec::new(), nodes: nodes(texts) })
    }

    #[test]
    fn files_are_written_once_and_keys_are_private() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("pki");
        init(&out, &["a=h1,127.0.0.1"]).unwrap();
        let mode = |name: &str| out.join(name).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!([mode("ca.crt"), mode("a.crt")], [0o644, 0o644]);
        assert_eq!([mode("ca.key"), mode("a.key")], [0o600, 0o600]);
        let before = read(&out.join("ca.key")).unwrap();
        assert_eq!(init(&out, &["b=h"]).unwrap_err().code(), ErrorCode::AlreadyExists);
        assert_eq!(read(&out.join("ca.key")).unwrap(), before);
        assert!(!out.join("b.key").exists());
        let issue = |name: &str| {
            let nodes = nodes(&[&format!("{name}=h")]);
            run(CertCommand::Issue { ca: out.clone(), out: None, nodes })
        };
        issue("b").unwrap();
        assert_eq!(issue("a").unwrap_err().code(), ErrorCode::AlreadyExists);
        let files = |name: &str| [".crt", ".key"].map(|end| out.join(format!("{name}{end}")));
        let [certificate, key] = files("b");
        let identity = super::super::identity(&out.join("ca.crt"), &certificate, &key).unwrap();
        assert_eq!(identity.roles(), NodeRoles::ALL);
    }

    #[test]
    fn mistakes_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = init(folder.path(), &["a=h", "a=i"]).unwrap_err().to_string();
        assert!(error.contains("a.crt would be written twice"), "{error}");
        let error = init(folder.path(), &["a=h:7411"]).unwrap_err().to_string();
        assert!(error.contains("'h:7411'"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        for bad in ["a", "=h", "ca=h", "A=h", "../a=h"] {
            assert!(node(bad).is_err(), "{bad}");
        }
    }
}
