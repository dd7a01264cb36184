//! Starting cargo from inside `cargo run`.

use std::env;
use std::process::Command;

use crate::project::Project;

/// A cargo command in the checkout, without the variables that `cargo run` set for this program:
/// build scripts that watch them would run again.
pub(crate) fn cargo(project: &Project) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(&project.root);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(set_by_cargo_run) {
            command.env_remove(name);
        }
    }
    command
}

fn set_by_cargo_run(name: &str) -> bool {
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}
