//! `tidegate token`: random tokens for clients.

use clap::{Subcommand, ValueEnum};
use tidegate_security::token::{BYTES, TokenHash, from_random};
use tidegate_security::{Grants, Principal, Role};
use tidegate_types::{Error, Result};

use crate::client::lines;

/// `tidegate token`
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token: print it to standard output, and what the coordinators must know of it to standard error.
    ///
    /// The token is kept nowhere; coordinators keep its SHA-256.
    Create {
        /// Whose it is, as in audit records.
        #[arg(long, value_name = "NAME")]
        principal: String,
        /// A usual set of permissions.
        #[arg(long, value_enum)]
        role: Option<RoleName>,
        /// A permission, such as jobs.start, jobs.* or *.get.
        #[arg(long = "permission", value_name = "PERMISSION", required_unless_present = "role")]
        permissions: Vec<String>,
    },
}

/// Usual sets of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleName {
    /// Sees everything, changes nothing.
    Viewer,
    /// Works with jobs and savepoints, too.
    Operator,
    /// May do everything.
    Admin,
}

impl RoleName {
    fn role(self) -> Role {
        match self {
            Self::Viewer => Role::Viewer,
            Self::Operator => Role::Operator,
            Self::Admin => Role::Admin,
        }
    }
}

/// Runs a command.
///
/// # Errors
/// `INVALID_OPTION` for a name or a permission that is none.
pub(super) fn run(command: TokenCommand) -> Result<()> {
    let TokenCommand::Create { principal, role, permissions } = command;
    let mut random = [0; BYTES];
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let filled = provider.secure_random.fill(&mut random);
    filled.map_err(|_| Error::internal("the system has no random bytes"))?;
    let token = from_random(&random);
    eprint!("{}", entry(&principal, role, &permissions, &token)?);
    lines(&token)
}

/// What belongs into the configuration of the coordinators, or into their file of tokens.
fn entry(
    principal: &str,
    role: Option<RoleName>,
    permissions: &[String],
    token: &str,
) -> Result<String> {
    let of_role = role.map(|role| role.role().grants()).transpose()?;
    let of_role = of_role.map(Grants::texts).unwrap_or_default().iter().cloned();
    let grants = Grants::new(of_role.chain(permissions.iter().cloned()))?;
    Principal::new(principal.to_owned(), grants)?;
    let mut lines = vec!["[[auth.token]]".to_owned(), format!("principal = \"{principal}\"")];
    lines.extend(role.map(|role| format!("role = \"{}\"", role.role().name())));
    if !permissions.is_empty() {
        let quoted: Vec<String> = permissions.iter().map(|text| format!("\"{text}\"")).collect();
        lines.push(format!("permissions = [{}]", quoted.join(", ")));
    }
    lines.push(format!("sha256 = \"{}\"\n", TokenHash::of(token)));
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::parse_tokens;

    #[test]
    fn what_is_printed_is_what_the_configuration_takes() {
        let more = ["cluster.update".to_owned()];
        let text = entry("ci@host", Some(RoleName::Viewer), &more, "secret").unwrap();
        let tokens = parse_tokens(&text.replace("auth.token", "token")).unwrap();
        let found = tokens.find("secret").unwrap();
        assert_eq!(found.name, "ci@host");
        assert!(found.grants.allow("cluster.update") && !found.grants.allow("jobs.start"));
        assert!(entry("a b", Some(RoleName::Admin), &[], "t").is_err());
        assert!(entry("a", None, &["all".to_owned()], "t").is_err());
    }
}
