//! The connector `kafka` against a real broker, found through `TIDEGATE_KAFKA`.
#![cfg(feature = "kafka")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod kafka {
    mod broker;
    mod errors;
    mod read;
    mod table;
    mod write;
}
