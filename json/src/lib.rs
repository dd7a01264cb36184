//! JSON as the libraries of Flink read and write it: Jackson's tokens, leniencies and escapes, and the
//! paths of Jayway's JsonPath.
//!
//! | file | holds |
//! |---|---|
//! | [`cursor`] | the tokens of a text, one after the other |
//! | [`scan`] | finding quotes and braces eight bytes at a time |
//! | [`string`] | escapes, both ways |
//! | [`tree`] | a whole text as a flat list of nodes, whose memory is used again for the next text |
//! | [`number`] | numbers in the form of Java's `BigDecimal` |
//! | [`path`] | paths into a tree |

pub mod cursor;
pub mod number;
pub mod path;
pub mod scan;
pub mod string;
pub mod tree;
