//! Advice for names that do not exist: what is near, or what there is.

/// Most names that are listed.
const MAX_LISTED: usize = 12;

/// `did you mean 'x'?`, or the list of what exists if it is short; `None` if there is nothing to say.
pub(crate) fn advice<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str>,
    what: &str,
) -> Option<String> {
    let known: Vec<&str> = known.collect();
    let listed = || format!("{what}: {}", known.join(", "));
    match nearest(name, &known) {
        Some(near) if known.len() <= MAX_LISTED => {
            Some(format!("did you mean '{near}'? {}", listed()))
        }
        Some(near) => Some(format!("did you mean '{near}'?")),
        None if !known.is_empty() && known.len() <= MAX_LISTED => Some(listed()),
        None => None,
    }
}

fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    let score = |candidate: &str| strsim::jaro_winkler(&wanted, &candidate.to_lowercase());
    let best = known.iter().map(|candidate| (score(candidate), *candidate));
    best.filter(|(score, _)| *score >= 0.82)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
