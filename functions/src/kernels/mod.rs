//! The functions, by what they work on. Each file has the type rules beside the kernels, and a
//! table `FUNCTIONS`; the registry is made of these tables.

mod arithmetic;
mod array;
mod array_order;
mod array_sets;
pub(crate) mod bitmap;
mod bucket;
pub(crate) mod clock;
mod collection;
mod comparison;
mod compose;
mod conditional;
mod conversion;
mod elt;
mod encoding;
mod extract;
mod hash;
mod hash_code;
mod inet;
mod json;
pub(crate) mod like;
mod logic;
mod map;
mod mask;
mod math;
mod membership;
mod object;
mod overlay;
mod pad;
mod print;
mod printf;
mod random;
mod regex;
mod round;
mod search;
mod temporal;
mod text;
mod text_class;
mod url;

use crate::function::Function;

/// The tables of all functions.
pub(crate) const ALL: &[&[Function]] = &[
    arithmetic::FUNCTIONS,
    array::FUNCTIONS,
    array_order::FUNCTIONS,
    array_sets::FUNCTIONS,
    bitmap::FUNCTIONS,
    bucket::FUNCTIONS,
    clock::FUNCTIONS,
    collection::FUNCTIONS,
    comparison::FUNCTIONS,
    compose::FUNCTIONS,
    conditional::FUNCTIONS,
    conversion::FUNCTIONS,
    elt::FUNCTIONS,
    encoding::FUNCTIONS,
    extract::FUNCTIONS,
    hash::FUNCTIONS,
    hash_code::FUNCTIONS,
    inet::FUNCTIONS,
    json::FUNCTIONS,
    like::FUNCTIONS,
    logic::FUNCTIONS,
    map::FUNCTIONS,
    mask::FUNCTIONS,
    math::FUNCTIONS,
    membership::FUNCTIONS,
    object::FUNCTIONS,
    overlay::FUNCTIONS,
    pad::FUNCTIONS,
    print::FUNCTIONS,
    printf::FUNCTIONS,
    random::FUNCTIONS,
    regex::FUNCTIONS,
    round::FUNCTIONS,
    search::FUNCTIONS,
    temporal::FUNCTIONS,
    text::FUNCTIONS,
    text_class::FUNCTIONS,
    url::FUNCTIONS,
];
