//! Digests of texts, in hexadecimal: MD5, SHA1, SHA224 to SHA512, SHA2.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::Int32Type;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use tidegate_types::{Error, Result, SqlType, TypeKind};

use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{bytes, count, fail, int, literal_integer, strict, text};
use crate::vector::{self, Lane, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("MD5", "The MD5 digest", |args| bind(args, 32), hash::<Md5>),
    Function::new("SHA1", "The SHA-1 digest", |args| bind(args, 40), hash::<Sha1>),
    Function::new("SHA224", "The SHA-224 digest", |args| bind(args, 56), hash::<Sha224>),
    Function::new("SHA256", "The SHA-256 digest", |args| bind(args, 64), hash::<Sha256>),
    Function::new("SHA384", "The SHA-384 digest", |args| bind(args, 96), hash::<Sha384>),
    Function::new("SHA512", "The SHA-512 digest", |args| bind(args, 128), hash::<Sha512>),
    Function::new("SHA2", "The SHA-2 digest of a number of bits", bind_sha2, sha2).fallible(),
];

fn bind(args: &[Argument], length: u32) -> Result<Signature> {
    count(args, 1..=1)?;
    Ok(strict(args, vec![input(args)?], TypeKind::Char { length }))
}

/// A text or bytes.
fn input(args: &[Argument]) -> Result<SqlType> {
    if args[0].ty.kind.is_binary() { bytes(args, 0) } else { text(args, 0) }
}

fn bind_sha2(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    if let Some(bits) = literal_integer(args, 1)
        && !matches!(bits, 224 | 256 | 384 | 512)
    {
        return Err(fail(format!("there is no SHA-2 digest of {bits} bits"))
            .help("use 224, 256, 384 or 512"));
    }
    let arguments = vec![input(args)?, int(args, 1)?];
    Ok(strict(args, arguments, TypeKind::VarChar { length: 128 }))
}

fn write_digest<D: Digest>(bytes: &[u8], out: &mut String) {
    for byte in D::digest(bytes) {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
}

fn hash<D: Digest>(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [value] = values else {
        return Err(Error::internal(format!("{} takes one argument", context.name)));
    };
    let source = value.to_binary()?;
    let nulls = strict_nulls(&[value], context.rows);
    let digests = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        write_digest::<D>(source.value(row * value.step()), out);
        Ok(true)
    })?;
    Ok(Arc::new(digests))
}

fn sha2(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [value, bits] = values else {
        return Err(Error::internal("SHA2 takes two arguments"));
    };
    let source = value.to_binary()?;
    let lengths = Lane::<i32>::new::<Int32Type>(bits)?;
    let nulls = strict_nulls(&[value, bits], context.rows);
    let digests = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        let bytes = source.value(row * value.step());
        match lengths.get(row) {
            224 => write_digest::<Sha224>(bytes, out),
            256 => write_digest::<Sha256>(bytes, out),
            384 => write_digest::<Sha384>(bytes, out),
            512 => write_digest::<Sha512>(bytes, out),
            other => return Err(context.error(format!("there is no digest of {other} bits"))),
        }
        Ok(true)
    })?;
    Ok(Arc::new(digests))
}

#[cfg(test)]
mod tests {
    use crate::testing::{call, int, over, show, some, text, try_call, type_of};

    #[test]
    fn digests_of_texts() {
        let got = over(&[Some(""), Some("ä")], |s| call("MD5", vec![s]));
        assert_eq!(
            got,
            some(["d41d8cd98f00b204e9800998ecf8427e", "8419b71c87a225a2c70b50486fbee545"])
        );
        let sha = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
        assert_eq!(show(&call("SHA256", vec![text("a")])).as_deref(), Some(sha));
        assert_eq!(show(&call("SHA2", vec![text("a"), int(256)])).as_deref(), Some(sha));
        let sha = "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8";
        assert_eq!(show(&call("SHA1", vec![text("a")])).as_deref(), Some(sha));
        assert_eq!(type_of(&call("SHA512", vec![text("a")])), "CHAR(128) NOT NULL");
        assert!(try_call("SHA2", vec![text("a"), int(100)]).is_err());
    }
}
