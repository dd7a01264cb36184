//! Who is who in a cluster, and who may do what: certificates of nodes with their roles, tokens of clients, permissions.
//! Pure: files, sockets, clocks and random sources are their callers'.
//!
//! Not here: where permissions are checked (the coordinator's gate) and which one a method needs (the `.proto` files).

pub mod access;
pub mod authority;
pub mod envelope;
pub mod identity;
pub mod password;
pub mod policy;
pub mod role;
pub mod signature;
pub mod token;

pub use access::{Grants, KnownTokens, Principal, Role, TokenEntry, Tokens};
pub use authority::{Authority, Issued, NodeRequest, Validity};
pub use identity::Identity;
pub use policy::{Level, Policy, RoleSpec, Words};
pub use role::{NodeRole, NodeRoles};
