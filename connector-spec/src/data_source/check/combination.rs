//! What must hold between several parameters, beyond the conditions of single ones.

use super::ParameterViolation;
use crate::data_source::parameters::Parameters;

/// Pairs of a type of which the first is nothing without the second.
const NEEDS: &[(&str, &str, &str)] = &[
    ("kafka", "client-certificate", "client-key"),
    ("kafka", "client-key", "client-certificate"),
    ("kafka", "client-key-password", "client-key"),
    ("kafka", "schema-registry-username", "schema-registry-url"),
    ("kafka", "schema-registry-password", "schema-registry-username"),
    ("hbase", "password", "username"),
    ("elasticsearch", "password", "username"),
    ("elasticsearch", "username", "password"),
    ("redis", "username", "password"),
];

/// Pairs of a type of which only one may be there.
const EXCLUDES: &[(&str, &str, &str)] =
    &[("oracle", "service-name", "sid"), ("elasticsearch", "username", "api-key")];

pub(super) fn check(parameters: &Parameters<'_>) -> Vec<ParameterViolation> {
    let spec = parameters.spec();
    let given = |name: &str| parameters.given(name).is_some();
    let mut found = Vec::new();
    for (_, first, second) in NEEDS.iter().filter(|(kind, ..)| *kind == spec.name) {
        if given(first) && !given(second) {
            found.push(ParameterViolation::new(
                second,
                format!("'{first}' needs '{second}' too"),
                format!("set '{second}', or leave out '{first}'"),
            ));
        }
    }
    for (_, first, second) in EXCLUDES.iter().filter(|(kind, ..)| *kind == spec.name) {
        if given(first) && given(second) {
            found.push(ParameterViolation::new(
                second,
                format!("'{first}' and '{second}' exclude each other"),
                "leave one of them out",
            ));
        }
    }
    if spec.name == "oracle" && !given("service-name") && !given("sid") {
        found.push(ParameterViolation::new(
            "service-name",
            "'service-name' is missing",
            "set 'service-name', or 'sid' where the database has none",
        ));
    }
    found
}
