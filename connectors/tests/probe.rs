//! Connectivity tests, listings, descriptions and topics against real servers, found through `TIDEGATE_…`.
#![cfg(all(feature = "probe", feature = "jdbc", feature = "kafka", feature = "s3"))]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests of a real service run in real time"
)]

mod probe {
    mod delivery;
    mod elasticsearch;
    mod files;
    mod ftp;
    mod hbase;
    mod hive;
    mod http;
    mod kafka;
    mod oracle;
    mod redis;
    mod registry;
    mod relational;
    mod s3;
    mod source;
    mod tls;
    mod topics;
    mod unreachable;
}
