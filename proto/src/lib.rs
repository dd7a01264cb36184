//! What is generated from the `.proto` files, and conversions between it and types of the domain.
