//! Multi-process tests on real services
