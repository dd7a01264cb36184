//! The connector `kafka` against a real broker, found through `TIDEGATE_KAFKA`.
#![cfg(feature = "kafka")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests of a real service run in real time"
)]

mod kafka {
    mod broker;
    mod by_key;
    mod errors;
    mod exactly_once;
    mod formats;
    mod growing;
    mod outage;
    mod read;
    mod table;
    mod write;
}
