//! `tidegate secrets`: keys with which secrets of data sources are encrypted.

use clap::Subcommand;
use tidegate_security::envelope::Keyring;
use tidegate_types::Result;

use crate::client::lines;
use crate::cluster::random_key;

/// `tidegate secrets`
#[derive(Debug, Subcommand)]
pub(crate) enum SecretsCommand {
    /// Make a key and print it, as a line of a key file.
    ///
    /// Every coordinator needs the same file: section [secrets], key-file. The first line of it encrypts, all of them
    /// decrypt: a new key comes first, the old ones stay until nothing is encrypted with them any more.
    CreateKey {
        /// What the key is called; another one than those in the file.
        #[arg(long, default_value = "k1", value_name = "ID")]
        id: String,
    },
}

/// Runs a command.
///
/// # Errors
/// `INVALID_OPTION` for an id that is none.
pub(super) fn run(command: SecretsCommand) -> Result<()> {
    let SecretsCommand::CreateKey { id } = command;
    let line = Keyring::line(&id, &random_key()?);
    Keyring::parse(&line)?;
    lines(&line)
}
