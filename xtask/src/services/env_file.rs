//! `services.env`: addresses and credentials of what is up and installed, as `KEY=VALUE` lines.

use anyhow::Result;

use super::record::{Instance, write_private};
use super::{ALL, Service};
use crate::project::Project;

/// The variables of all services that are up or only need to be installed, and where xtask and its
/// run folder are, so that a test can kill and restart a service.
pub(crate) fn variables(project: &Project) -> Result<Vec<(String, String)>> {
    let mut variables = vec![
        ("TIDEGATE_RUN_DIR".to_owned(), project.run_dir.display().to_string()),
        ("TIDEGATE_XTASK".to_owned(), project.program.display().to_string()),
    ];
    for service in ALL {
        let more = service_variables(project, service)?;
        variables.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
    }
    Ok(variables)
}

fn service_variables(
    project: &Project,
    service: &dyn Service,
) -> Result<Vec<(&'static str, String)>> {
    let mut variables = Vec::new();
    if service.installed(project) {
        variables.extend(service.static_env(project));
    }
    if let (Some(server), Some(instance)) = (service.server(), Instance::load(project, service)?) {
        variables.extend(server.env(&instance));
    }
    Ok(variables)
}

/// Writes the file anew.
pub(crate) fn write(project: &Project) -> Result<()> {
    let text = lines(&variables(project)?, false);
    write_private(&project.run_dir.join("services.env"), &text)
}

/// `KEY=VALUE` lines, or lines that a shell can evaluate.
pub(crate) fn lines(variables: &[(String, String)], export: bool) -> String {
    let line = |(key, value): &(String, String)| {
        if export {
            format!("export {key}='{}'\n", value.replace('\'', r"'\''"))
        } else {
            format!("{key}={value}\n")
        }
    };
    variables.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_are_quoted_for_a_shell() {
        let variables = [("A".to_owned(), "it's $x".to_owned())];
        assert_eq!(lines(&variables, false), "A=it's $x\n");
        assert_eq!(lines(&variables, true), "export A='it'\\''s $x'\n");
    }
}
