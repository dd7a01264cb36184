//! What is generated from the `.proto` files, and conversions between it and types of the domain.

/// What nodes of a cluster say to each other; not for clients.
pub mod internal {
    /// Version 1.
    #[allow(missing_docs, clippy::all, reason = "generated")]
    pub mod v1 {
        tonic::include_proto!("tidegate.internal.v1");
    }
}
