//! What is generated from the `.proto` files, and conversions between it and types of the domain.

pub mod access;
pub mod dynamic;
pub mod status;
pub mod tasks;

/// The public API.
#[allow(missing_docs, clippy::all, reason = "generated")]
pub mod v1 {
    tonic::include_proto!("tidegate.v1");
}

/// Descriptors of everything that is served, encoded: for reflection and for the permissions of methods.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// What nodes of a cluster say to each other; not for clients.
pub mod internal {
    /// Version 1.
    #[allow(missing_docs, clippy::all, reason = "generated")]
    pub mod v1 {
        tonic::include_proto!("tidegate.internal.v1");
    }
}
