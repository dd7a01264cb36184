//! What checkpoints say: manifests and the folders that they are in.
