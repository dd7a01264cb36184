//! The end of an ORC file: where its stripes are, the types of its columns, and how to read all of that.

use crate::format::protobuf::wire::{Wire, write_delimited, write_tag, write_varint};
use tidegate_types::{Field, TypeKind};

/// What a file begins with, and says again at its end.
pub(super) const MAGIC: &[u8; 3] = b"ORC";
/// Version 0.12 of the format, which all readers know.
const VERSION: [u64; 2] = [0, 12];
/// Number of a version of a writer: of which defects it is free.
const WRITER_VERSION: u64 = 9;
/// Stands for writers that have no number.
const WRITER: u64 = u32::MAX as u64;
/// Longest part in front of which its length stands, in bytes.
const MAX_CHUNK: usize = (1 << 23) - 1;

/// Where a stripe is.
#[derive(Debug, Clone, Copy)]
pub(super) struct StripePlace {
    pub(super) offset: u64,
    pub(super) index: u64,
    pub(super) data: u64,
    pub(super) footer: u64,
    pub(super) rows: u64,
}

/// How the streams of a file are compressed: the number that the format has for it, and the longest part that is
/// compressed at once, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Compressed {
    pub(super) kind: u64,
    pub(super) block: usize,
}

/// The end of a file with these columns. `compressed`: unless its streams are as they are.
pub(super) fn tail(
    columns: &[Field],
    stripes: &[StripePlace],
    compressed: Option<Compressed>,
) -> Vec<u8> {
    let mut footer = Vec::new();
    let content: u64 = stripes.iter().map(|at| at.index + at.data + at.footer).sum();
    number(1, MAGIC.len() as u64, &mut footer);
    number(2, MAGIC.len() as u64 + content, &mut footer);
    for stripe in stripes {
        let mut place = Vec::new();
        let parts = [stripe.offset, stripe.index, stripe.data, stripe.footer, stripe.rows];
        for (part, field) in parts.into_iter().zip(1..) {
            number(field, part, &mut place);
        }
        bytes(3, &place, &mut footer);
    }
    bytes(4, &root_type(columns), &mut footer);
    columns.iter().for_each(|column| bytes(4, &column_type(&column.ty.kind), &mut footer));
    number(6, stripes.iter().map(|stripe| stripe.rows).sum(), &mut footer);
    number(9, WRITER, &mut footer);
    if let Some(compressed) = compressed {
        footer = as_it_is(&footer, compressed.block);
    }
    let mut postscript = Vec::new();
    number(1, footer.len() as u64, &mut postscript);
    number(2, compressed.map_or(0, |compressed| compressed.kind), &mut postscript);
    if let Some(compressed) = compressed {
        number(3, compressed.block as u64, &mut postscript);
    }
    let mut version = Vec::new();
    VERSION.iter().for_each(|part| write_varint(*part, &mut version));
    bytes(4, &version, &mut postscript);
    // There are no statistics.
    number(5, 0, &mut postscript);
    number(6, WRITER_VERSION, &mut postscript);
    bytes(8000, MAGIC, &mut postscript);
    let length = u8::try_from(postscript.len()).unwrap_or(u8::MAX);
    let mut tail = footer;
    tail.extend_from_slice(&postscript);
    tail.push(length);
    tail
}

fn number(field: u32, value: u64, out: &mut Vec<u8>) {
    write_tag(field, Wire::Varint, out);
    write_varint(value, out);
}

fn bytes(field: u32, value: &[u8], out: &mut Vec<u8>) {
    write_tag(field, Wire::Delimited, out);
    write_delimited(value, out);
}

/// The rows: a struct of the columns, whose types stand behind it.
fn root_type(columns: &[Field]) -> Vec<u8> {
    const STRUCT: u64 = 12;
    let mut root = Vec::new();
    number(1, STRUCT, &mut root);
    let mut children = Vec::new();
    (1..=columns.len() as u64).for_each(|child| write_varint(child, &mut children));
    bytes(2, &children, &mut root);
    columns.iter().for_each(|column| bytes(3, column.name.as_bytes(), &mut root));
    root
}

fn column_type(kind: &TypeKind) -> Vec<u8> {
    let (number_of, length) = match kind {
        TypeKind::Boolean => (0, None),
        TypeKind::TinyInt => (1, None),
        TypeKind::SmallInt => (2, None),
        TypeKind::Int => (3, None),
        TypeKind::BigInt => (4, None),
        TypeKind::Float => (5, None),
        TypeKind::Double => (6, None),
        TypeKind::Binary { .. } | TypeKind::VarBinary { .. } => (8, None),
        TypeKind::Timestamp { .. } => (9, None),
        TypeKind::Date => (15, None),
        TypeKind::VarChar { length } if *kind != TypeKind::STRING => (16, Some(*length)),
        TypeKind::Char { length } => (17, Some(*length)),
        TypeKind::TimestampLtz { .. } => (18, None),
        _ => (7, None),
    };
    let mut ty = Vec::new();
    number(1, number_of, &mut ty);
    if let Some(length) = length {
        number(4, u64::from(length), &mut ty);
    }
    ty
}

/// Parts with their lengths in front, none of them compressed.
fn as_it_is(content: &[u8], block: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 3);
    for part in content.chunks(block.clamp(1, MAX_CHUNK)) {
        let header = ((part.len() as u32) << 1) | 1;
        out.extend_from_slice(&header.to_le_bytes()[..3]);
        out.extend_from_slice(part);
    }
    out
}
