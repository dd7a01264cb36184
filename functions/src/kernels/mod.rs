//! The functions, by what they work on. Each file has the type rules beside the kernels, and a
//! table `FUNCTIONS`; the registry is made of these tables.

mod arithmetic;
mod array;
mod bucket;
mod clock;
mod collection;
mod comparison;
mod compose;
mod conditional;
mod conversion;
mod encoding;
mod extract;
mod hash;
pub(crate) mod like;
mod logic;
mod math;
mod membership;
mod overlay;
mod pad;
mod regex;
mod round;
mod search;
mod temporal;
mod text;
mod url;

use crate::function::Function;

/// The tables of all functions.
pub(crate) const ALL: &[&[Function]] = &[
    arithmetic::FUNCTIONS,
    array::FUNCTIONS,
    bucket::FUNCTIONS,
    clock::FUNCTIONS,
    collection::FUNCTIONS,
    comparison::FUNCTIONS,
    compose::FUNCTIONS,
    conditional::FUNCTIONS,
    conversion::FUNCTIONS,
    encoding::FUNCTIONS,
    extract::FUNCTIONS,
    hash::FUNCTIONS,
    like::FUNCTIONS,
    logic::FUNCTIONS,
    math::FUNCTIONS,
    membership::FUNCTIONS,
    overlay::FUNCTIONS,
    pad::FUNCTIONS,
    regex::FUNCTIONS,
    round::FUNCTIONS,
    search::FUNCTIONS,
    temporal::FUNCTIONS,
    text::FUNCTIONS,
    url::FUNCTIONS,
];
