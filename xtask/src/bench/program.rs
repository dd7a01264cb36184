//! Programs that measure libraries: built and run by cargo, they print their figures as one line of JSON.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;

use crate::interrupt::Interrupt;
use crate::tidegate::lines;

/// Runs a program and takes its figures.
pub(crate) fn figures<T: DeserializeOwned + Send>(
    command: &mut Command,
    interrupt: &Interrupt,
) -> Result<T> {
    let mut figures = None;
    let status = lines::follow(command, interrupt, |line| {
        figures = Some(serde_json::from_str(line).context("read the figures")?);
        Ok(())
    })?;
    if !status.success() {
        bail!("the measurement ended with {status}");
    }
    figures.context("the measurement printed no figures")
}
