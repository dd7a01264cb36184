//! The table of all functions, assembled from the kernel modules.

use std::collections::HashMap;
use std::sync::LazyLock;

use tidegate_plan::FunctionRef;
use tidegate_types::{Error, ErrorCode, Result};

use crate::function::Function;
use crate::kernels;

static BY_NAME: LazyLock<HashMap<&'static str, &'static Function>> = LazyLock::new(|| {
    kernels::ALL
        .iter()
        .flat_map(|functions| functions.iter())
        .flat_map(|function| {
            std::iter::once(function.name)
                .chain(function.aliases.iter().copied())
                .map(move |name| (name, function))
        })
        .collect()
});

/// Functions that may have a value although an argument is NULL; all others are NULL then.
pub const TAKES_NULL: &[&str] = &[
    "$BUCKET",
    "AND",
    "ARRAY",
    "ARRAY_APPEND",
    "ARRAY_CONTAINS",
    "ARRAY_PREPEND",
    "ARRAY_REMOVE",
    "COALESCE",
    "CONCAT_WS",
    "COUNT_CHAR",
    "ELT",
    "IF",
    "IFNULL",
    "IN",
    "IS DISTINCT FROM",
    "IS FALSE",
    "IS JSON ARRAY",
    "IS JSON OBJECT",
    "IS JSON SCALAR",
    "IS JSON VALUE",
    "IS NOT DISTINCT FROM",
    "IS NOT FALSE",
    "IS NOT NULL",
    "IS NOT TRUE",
    "IS NOT UNKNOWN",
    "IS NULL",
    "IS TRUE",
    "IS UNKNOWN",
    "IS_ALPHA",
    "IS_DECIMAL",
    "IS_DIGIT",
    "JSON_ARRAY",
    "JSON_OBJECT",
    "JSON_VALUE",
    "MAP",
    "NULLIF",
    "OBJECT_OF",
    "OBJECT_UPDATE",
    "OR",
    "PRINT",
    "PRINTF",
    "ROW",
    "TRANSLATE",
    "TYPEOF",
];

/// The newest version of a function, by name or alias, in any case.
pub fn lookup(name: &str) -> Option<&'static Function> {
    match BY_NAME.get(name) {
        Some(function) => Some(function),
        None => BY_NAME.get(name.to_ascii_uppercase().as_str()).copied(),
    }
}

/// The function that a plan refers to.
///
/// # Errors
/// `INCOMPATIBLE` if this build does not have the function in that version.
pub fn get(reference: &FunctionRef) -> Result<&'static Function> {
    lookup(&reference.name).filter(|function| function.version == reference.version).ok_or_else(
        || {
            Error::new(
                ErrorCode::Incompatible,
                format!(
                    "the plan calls {} version {}, which this build does not have",
                    reference.name, reference.version
                ),
            )
            .help("compile the plan again from its SQL text")
        },
    )
}

/// Names of all functions, without aliases.
pub fn names() -> impl Iterator<Item = &'static str> {
    kernels::ALL.iter().flat_map(|functions| functions.iter()).map(|function| function.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_for_one_function() {
        let mut seen = HashMap::new();
        for function in kernels::ALL.iter().flat_map(|functions| functions.iter()) {
            for name in std::iter::once(&function.name).chain(function.aliases) {
                assert_eq!(*name, name.to_ascii_uppercase(), "names are in upper case");
                let earlier = seen.insert(*name, function.name);
                assert_eq!(earlier, None, "{name} is defined twice");
            }
        }
    }

    #[test]
    fn lookup_ignores_case_and_get_checks_the_version() {
        assert_eq!(lookup("upper").map(|f| f.name), Some("UPPER"));
        assert!(lookup("no such function").is_none());
        let reference = |version| FunctionRef { name: "UPPER".to_owned(), version };
        assert!(get(&reference(1)).is_ok());
        assert_eq!(get(&reference(9)).unwrap_err().code(), ErrorCode::Incompatible);
    }
}
