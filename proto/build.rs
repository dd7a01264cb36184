//! Generates Rust from every `.proto` file below `tidegate/`, without a protoc. Fails if a method does not say who may
//! call it.

use std::error::Error;
use std::path::{Path, PathBuf};

#[path = "src/access.rs"]
#[allow(dead_code, unreachable_pub, reason = "the build only checks that the table can be made")]
mod access;

#[allow(clippy::print_stdout, reason = "cargo reads it")]
fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let mut files = Vec::new();
    collect(&root.join("tidegate"), &mut files)?;
    files.sort();
    println!("cargo:rerun-if-changed=tidegate");
    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(true).open_files(&files)?;
    // Encoded by the compiler: a decoded set would have lost the options of methods.
    let encoded = compiler.encode_file_descriptor_set();
    access::table(&encoded)?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("descriptors.bin");
    std::fs::write(out, encoded)?;
    let descriptors = compiler.file_descriptor_set();
    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure().compile_fds_with_config(descriptors, config)?;
    Ok(())
}

/// Adds the `.proto` files of a folder and those below it.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
