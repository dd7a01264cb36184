//! State files: how entries of state tables are stored, and which files make up a table.
//!
//! Where files and manifests are, and what a manifest says, is in `tidegate-checkpoint`.

pub mod file;
pub mod state_file;
pub mod table_files;

pub use table_files::TableFiles;
