//! Tenants, projects and their services.

mod projects;
mod tenants;
