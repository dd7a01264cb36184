//! Accounts, their sessions and roles.

mod attempts;
mod roles;
mod secrets;
mod sessions;
mod users;

pub(super) use secrets::Hasher;
pub(crate) use secrets::{one_time_password, salt};

pub(super) use attempts::Attempts;
