//! Crates that are pure, or get their connections handed in, never name a socket type.

use super::Finding;
use super::files::TextFile;

const SOCKETS: &[&str] = &["std::net", "tokio::net", "std::os::unix::net"];

/// Finds socket modules named in the sources of these crates, other than in comments.
pub(crate) fn check(files: &[TextFile], crates: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| belongs(file, crates)) {
        for (number, line) in (1..).zip(file.text.lines()) {
            let code = line.split("//").next().unwrap_or_default();
            if let Some(socket) = SOCKETS.iter().find(|socket| code.contains(*socket)) {
                let text = format!("names {socket}, in a crate without a network");
                findings.push(Finding::new(format!("{}:{number}", file.path), text));
            }
        }
    }
    findings
}

fn belongs(file: &TextFile, crates: &[&str]) -> bool {
    let mut parts = file.path.split('/');
    file.has_extension(&["rs"])
        && parts.next().is_some_and(|folder| crates.contains(&folder))
        && parts.next() == Some("src")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_in_a_pure_crate_fails_and_elsewhere_passes() {
        let text = "//! Has no std::net.\nuse tokio::net::TcpStream;\n";
        let found = check(&[TextFile::new("engine/src/a.rs", text)], &["engine"]);
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().starts_with("engine/src/a.rs:2: names tokio::net"));
        for path in ["connectors/src/a.rs", "engine/tests/a.rs", "engine/src/a.md"] {
            assert_eq!(check(&[TextFile::new(path, text)], &["engine"]), []);
        }
    }
}
