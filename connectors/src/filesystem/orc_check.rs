//! What is looked at in an ORC file before the library reads it: the library goes down the tree of the file's types without
//! asking whether it is one, and how deep.

use std::io::{self, Read as _};

use bytes::Bytes;
use orc_rust::compression::Decompressor;
use orc_rust::reader::AsyncChunkReader as _;
use orc_rust::reader::metadata::read_metadata;

use super::orc_object::OrcObject;
use super::orc_tail::{Compressed, tail};
use crate::format::protobuf::wire::{Cursor, Read, Wire, WireValue};

/// Bytes at the end of a file that are fetched first, as the library does.
const TAIL_BYTES: u64 = 16 << 10;
/// Longest footer, in bytes, as it is and compressed.
const MAX_FOOTER: u64 = 64 << 20;
/// Deepest nesting of types.
const MAX_DEPTH: u32 = 100;
/// Bytes that are compressed at once where a file does not say.
const DEFAULT_BLOCK: u64 = 256 << 10;

/// Looks at the end of a file.
///
/// # Errors
/// What is wrong with it, or why it cannot be had.
pub(super) async fn check(object: &mut OrcObject) -> io::Result<()> {
    let size = object.len().await?;
    let length = size.min(TAIL_BYTES);
    let end = object.get_bytes(size - length, length).await?;
    let postscript = Postscript::read(&end).map_err(wrong)?;
    let start = (size - 1 - postscript.length).checked_sub(postscript.footer);
    let start = start.filter(|_| postscript.footer <= MAX_FOOTER);
    let start = start.ok_or_else(|| wrong("its footer has no place in it".to_owned()))?;
    let footer = object.get_bytes(start, postscript.footer).await?;
    let footer = postscript.decompress(footer)?;
    check_types(&footer).map_err(wrong)
}

fn wrong(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// What the end of a file says of its footer.
struct Postscript {
    length: u64,
    footer: u64,
    compression: u64,
    block: u64,
}

impl Postscript {
    fn read(end: &[u8]) -> Read<Self> {
        let (length, rest) = end.split_last().ok_or("it is empty")?;
        let start = rest.len().checked_sub(usize::from(*length)).ok_or("it is too short")?;
        let mut found =
            Self { length: u64::from(*length), footer: 0, compression: 0, block: DEFAULT_BLOCK };
        let mut fields = Cursor::new(rest, start, rest.len());
        while let Some((number, value)) = fields.field()? {
            match number {
                1 => found.footer = value.bits,
                2 => found.compression = value.bits,
                3 => found.block = value.bits,
                _ => {}
            }
        }
        Ok(found)
    }

    /// The library does that for a file only: one that has nothing but an end of the same kind.
    fn decompress(&self, footer: Bytes) -> io::Result<Bytes> {
        if self.compression == 0 {
            return Ok(footer);
        }
        let block = usize::try_from(self.block).unwrap_or(usize::MAX);
        let kind = Some(Compressed { kind: self.compression, block });
        let metadata = read_metadata(&mut Bytes::from(tail(&[], &[], kind)));
        let compression = metadata.map_err(io::Error::other)?.compression();
        let mut content = Vec::new();
        let decompressed = Decompressor::new(footer, compression, Vec::new());
        let read = decompressed.take(MAX_FOOTER + 1).read_to_end(&mut content)?;
        if read as u64 > MAX_FOOTER {
            return Err(wrong(format!("its footer has more than {MAX_FOOTER} bytes")));
        }
        Ok(content.into())
    }
}

/// Fails unless the types of a footer are a tree, written from the top down, and not too deep.
fn check_types(footer: &[u8]) -> Read<()> {
    const TYPES: u32 = 4;
    const CHILDREN: u32 = 2;
    // For each type how deep it is; of types that nobody has seen yet nothing.
    let mut depths: Vec<Option<u32>> = vec![Some(0)];
    let mut fields = Cursor::new(footer, 0, footer.len());
    let mut index = 0;
    while let Some((number, value)) = fields.field()? {
        if number != TYPES || value.wire != Wire::Delimited {
            continue;
        }
        let depth = depths.get(index).copied().flatten();
        let depth = depth.ok_or_else(|| format!("its type {index} is part of none"))?;
        let mut parts = Cursor::new(footer, value.start, value.end);
        while let Some((number, value)) = parts.field()? {
            if number != CHILDREN {
                continue;
            }
            for child in numbers(footer, value)? {
                let child = usize::try_from(child)
                    .ok()
                    .filter(|child| *child > index && *child <= footer.len() && depth < MAX_DEPTH);
                let child = child
                    .ok_or_else(|| format!("its type {index} holds itself, or is too deep"))?;
                if depths.len() <= child {
                    depths.resize(child + 1, None);
                }
                match depths.get_mut(child) {
                    Some(slot @ None) => *slot = Some(depth + 1),
                    _ => return Err(format!("its type {child} is part of several")),
                }
            }
        }
        index += 1;
    }
    Ok(())
}

/// The numbers of a repeated field, packed or not.
fn numbers(bytes: &[u8], value: WireValue) -> Read<Vec<u64>> {
    if value.wire != Wire::Delimited {
        return Ok(vec![value.bits]);
    }
    let mut all = Vec::new();
    let mut packed = Cursor::new(bytes, value.start, value.end);
    while !packed.is_at_end() {
        all.push(packed.varint()?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A footer of types with these children.
    fn footer(types: &[&[u8]]) -> Vec<u8> {
        let mut footer = vec![8, 3];
        for children in types {
            let ty = [&[8, 12, 18, children.len() as u8], *children].concat();
            footer.extend([&[34, ty.len() as u8], ty.as_slice()].concat());
        }
        footer
    }

    #[test]
    fn only_trees_pass() {
        assert_eq!(check_types(&footer(&[&[1, 2], &[], &[3], &[]])), Ok(()));
        for (types, message) in [
            (&[&[0][..]][..], "holds itself"),
            (&[&[1], &[2], &[1]], "holds itself"),
            (&[&[1, 1], &[]], "part of several"),
            (&[&[1, 2], &[2], &[]], "part of several"),
            (&[&[2], &[], &[]], "part of none"),
        ] {
            let error = check_types(&footer(types)).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
        let deep: Vec<[u8; 1]> = (1..=110).map(|child| [child]).collect();
        let deep: Vec<&[u8]> = deep.iter().map(|children| &children[..]).collect();
        assert!(check_types(&footer(&deep)).unwrap_err().contains("too deep"));
        assert!(check_types(&[34, 9, 1]).is_err());
    }
}
