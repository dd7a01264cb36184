//! Texts, bytes and numbers in other notations: Base64, hexadecimal, binary, character codes.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryViewBuilder};
use arrow::datatypes::{Int32Type, Int64Type};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use encoding_rs::Encoding;
use tidegate_types::{Error, Result, TypeKind};

use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{bigint, bytes, count, may_be_null, strict, text, texts_to};
use crate::vector::{self, Lane, TextLane, arrow_error, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("TO_BASE64", "The text or bytes in Base64", bind_to_base64, to_base64),
    Function::new("FROM_BASE64", "The text that a Base64 text stands for", bind_text, from_base64)
        .fallible(),
    Function::new("HEX", "A number or a text's bytes in hexadecimal", bind_hex, hex),
    Function::new("UNHEX", "The bytes that a hexadecimal text stands for", bind_unhex, unhex),
    Function::new("BIN", "An integer in binary", bind_bin, bin),
    Function::new("ASCII", "The code of the first byte", bind_ascii, ascii),
    Function::new("CHR", "The character of a code", bind_chr, chr),
    Function::new("ENCODE", "The bytes of a text in a character set", bind_encode, encode)
        .fallible(),
    Function::new("DECODE", "The text of bytes in a character set", bind_decode, decode).fallible(),
];

fn bind_text(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    texts_to(args, TypeKind::STRING)
}

fn bind_to_base64(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    match args[0].ty.kind.is_binary() {
        true => Ok(strict(args, vec![bytes(args, 0)?], TypeKind::STRING)),
        false => bind_text(args),
    }
}

fn bind_hex(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    let argument = if args[0].ty.kind.is_integer() { bigint(args, 0)? } else { text(args, 0)? };
    Ok(strict(args, vec![argument], TypeKind::STRING))
}

fn bind_unhex(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    Ok(may_be_null(vec![text(args, 0)?], TypeKind::BYTES))
}

fn bind_bin(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    Ok(strict(args, vec![bigint(args, 0)?], TypeKind::STRING))
}

fn bind_ascii(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    texts_to(args, TypeKind::Int)
}

fn bind_chr(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    Ok(may_be_null(vec![bigint(args, 0)?], TypeKind::STRING))
}

fn bind_encode(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    Ok(strict(args, vec![text(args, 0)?, text(args, 1)?], TypeKind::BYTES))
}

fn bind_decode(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    Ok(strict(args, vec![bytes(args, 0)?, text(args, 1)?], TypeKind::STRING))
}

fn one<'a>(values: &'a [Value], context: &KernelContext<'_>) -> Result<&'a Value> {
    values.first().ok_or_else(|| Error::internal(format!("{} takes an argument", context.name)))
}

fn rewrite(
    values: &[Value],
    context: &KernelContext<'_>,
    write: impl Fn(&str, &mut String) -> Result<bool>,
) -> Result<ArrayRef> {
    let value = one(values, context)?;
    let texts = TextLane::new(value)?;
    let nulls = strict_nulls(&[value], context.rows);
    let result =
        vector::map_text(context.rows, nulls.as_ref(), |row, out| write(texts.get(row), out))?;
    Ok(Arc::new(result))
}

fn to_base64(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let value = one(values, context)?;
    if context.arguments[0].kind.is_text() {
        return rewrite(values, context, |text, out| {
            STANDARD.encode_string(text, out);
            Ok(true)
        });
    }
    let array = vector::binaries(value.array())?;
    let nulls = strict_nulls(&[value], context.rows);
    let texts = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        STANDARD.encode_string(array.value(row * value.step()), out);
        Ok(true)
    })?;
    Ok(Arc::new(texts))
}

fn from_base64(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    rewrite(values, context, |text, out| {
        // As Java, with or without padding.
        let decoded = STANDARD_NO_PAD
            .decode(text.trim_end_matches('='))
            .map_err(|error| context.error(format!("'{text}' is not Base64: {error}")))?;
        out.push_str(&String::from_utf8_lossy(&decoded));
        Ok(true)
    })
}

fn hex(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    if context.arguments[0].kind.is_text() {
        return rewrite(values, context, |text, out| {
            for byte in text.bytes() {
                // Writing to a string cannot fail.
                let _ = write!(out, "{byte:02X}");
            }
            Ok(true)
        });
    }
    numbers(values, context, |number, out| {
        let _ = write!(out, "{number:X}");
    })
}

fn bin(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    numbers(values, context, |number, out| {
        let _ = write!(out, "{number:b}");
    })
}

/// The character of the lowest eight bits; no character for a negative code.
fn chr(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    numbers(values, context, |number, out| {
        if number >= 0 {
            out.push(char::from((number & 0xFF) as u8));
        }
    })
}

fn numbers(
    values: &[Value],
    context: &KernelContext<'_>,
    write: impl Fn(i64, &mut String),
) -> Result<ArrayRef> {
    let value = one(values, context)?;
    let lane = Lane::<i64>::new::<Int64Type>(value)?;
    let nulls = strict_nulls(&[value], context.rows);
    let result = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        write(lane.get(row), out);
        Ok(true)
    })?;
    Ok(Arc::new(result))
}

fn unhex(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let value = one(values, context)?;
    let texts = TextLane::new(value)?;
    let nulls = strict_nulls(&[value], context.rows);
    let mut builder = BinaryViewBuilder::with_capacity(context.rows);
    let mut decoded = Vec::new();
    for row in 0..context.rows {
        decoded.clear();
        if vector::valid(nulls.as_ref(), row) && decode_hex(texts.get(row), &mut decoded).is_some()
        {
            builder.try_append_value(&decoded).map_err(arrow_error)?;
        } else {
            builder.append_null();
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// A digit alone stands for the lower half of the first byte.
fn decode_hex(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let digits = text.as_bytes();
    let value = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    let (first, rest) = digits.split_at(digits.len() % 2);
    for digit in first {
        out.push(value(*digit)?);
    }
    for pair in rest.chunks_exact(2) {
        out.push((value(pair[0])? << 4) | value(pair[1])?);
    }
    Some(())
}

/// The first byte of the text as a signed number, as Flink does; 0 for an empty text.
fn ascii(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let value = one(values, context)?;
    let texts = TextLane::new(value)?;
    let nulls = strict_nulls(&[value], context.rows);
    let codes = vector::map_rows::<Int32Type>(context.rows, nulls, |row| {
        Ok(Some(texts.get(row).bytes().next().map_or(0, |byte| i32::from(byte as i8))))
    })?;
    Ok(Arc::new(codes))
}

/// Character sets that ENCODE and DECODE know.
#[derive(Clone, Copy)]
enum Charset {
    Utf8,
    Latin1,
    Ascii,
    Utf16Be,
    Utf16Le,
    /// Big endian, with a mark in front when encoded.
    Utf16,
    /// GBK, Big5, Shift_JIS, windows-1252, …
    Other(&'static Encoding),
}

fn charset(name: &str, context: &KernelContext<'_>) -> Result<Charset> {
    Ok(match name.to_ascii_uppercase().as_str() {
        "UTF-8" | "UTF8" => Charset::Utf8,
        "ISO-8859-1" | "LATIN1" => Charset::Latin1,
        "US-ASCII" | "ASCII" => Charset::Ascii,
        "UTF-16BE" => Charset::Utf16Be,
        "UTF-16LE" => Charset::Utf16Le,
        "UTF-16" => Charset::Utf16,
        _ => match Encoding::for_label(name.as_bytes()) {
            Some(encoding) => Charset::Other(encoding),
            None => return Err(context.error(format!("there is no character set '{name}'"))),
        },
    })
}

fn encode(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [text, set] = values else {
        return Err(Error::internal("ENCODE takes two arguments"));
    };
    let (texts, sets) = (TextLane::new(text)?, TextLane::new(set)?);
    let nulls = strict_nulls(&[text, set], context.rows);
    let mut builder = BinaryViewBuilder::with_capacity(context.rows);
    let mut encoded = Vec::new();
    for row in 0..context.rows {
        if !vector::valid(nulls.as_ref(), row) {
            builder.append_null();
            continue;
        }
        encoded.clear();
        encode_text(texts.get(row), charset(sets.get(row), context)?, &mut encoded);
        builder.try_append_value(&encoded).map_err(arrow_error)?;
    }
    Ok(Arc::new(builder.finish()))
}

fn encode_text(text: &str, set: Charset, out: &mut Vec<u8>) {
    let single = |limit: u32| {
        move |c: char| {
            if u32::from(c) < limit { u32::from(c) as u8 } else { b'?' }
        }
    };
    match set {
        Charset::Utf8 => out.extend_from_slice(text.as_bytes()),
        Charset::Latin1 => out.extend(text.chars().map(single(256))),
        Charset::Ascii => out.extend(text.chars().map(single(128))),
        Charset::Utf16Le => out.extend(text.encode_utf16().flat_map(u16::to_le_bytes)),
        Charset::Utf16Be => out.extend(text.encode_utf16().flat_map(u16::to_be_bytes)),
        Charset::Utf16 if text.is_empty() => {}
        Charset::Utf16 => {
            out.extend([0xFE, 0xFF]);
            out.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
        }
        Charset::Other(encoding) => {
            for c in text.chars() {
                match encoding.encode(c.encode_utf8(&mut [0; 4])) {
                    (bytes, _, false) => out.extend_from_slice(&bytes),
                    _ => out.push(b'?'),
                }
            }
        }
    }
}

fn decode(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [encoded, set] = values else {
        return Err(Error::internal("DECODE takes two arguments"));
    };
    let (array, sets) = (vector::binaries(encoded.array())?, TextLane::new(set)?);
    let nulls = strict_nulls(&[encoded, set], context.rows);
    let result = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        let bytes = array.value(row * encoded.step());
        decode_text(bytes, charset(sets.get(row), context)?, out);
        Ok(true)
    })?;
    Ok(Arc::new(result))
}

fn decode_text(bytes: &[u8], set: Charset, out: &mut String) {
    let units = |from: fn([u8; 2]) -> u16, bytes: &[u8]| -> Vec<u16> {
        bytes.chunks_exact(2).map(|pair| from([pair[0], pair[1]])).collect()
    };
    match set {
        Charset::Utf8 => out.push_str(&String::from_utf8_lossy(bytes)),
        Charset::Latin1 => out.extend(bytes.iter().map(|byte| char::from(*byte))),
        Charset::Ascii => {
            let replaced = |byte: &u8| {
                if byte.is_ascii() { char::from(*byte) } else { char::REPLACEMENT_CHARACTER }
            };
            out.extend(bytes.iter().map(replaced));
        }
        Charset::Utf16Le => {
            out.push_str(&String::from_utf16_lossy(&units(u16::from_le_bytes, bytes)))
        }
        Charset::Utf16Be => {
            out.push_str(&String::from_utf16_lossy(&units(u16::from_be_bytes, bytes)))
        }
        Charset::Utf16 => {
            let units = match bytes {
                [0xFF, 0xFE, rest @ ..] => units(u16::from_le_bytes, rest),
                [0xFE, 0xFF, rest @ ..] => units(u16::from_be_bytes, rest),
                rest => units(u16::from_be_bytes, rest),
            };
            out.push_str(&String::from_utf16_lossy(&units));
        }
        Charset::Other(encoding) => out.push_str(&encoding.decode_without_bom_handling(bytes).0),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{bigint, call, cast_to, failure, int, over, show, some, text};
    use tidegate_plan::Expr;
    use tidegate_types::TypeKind;

    fn value(name: &str, args: Vec<Expr>) -> Option<String> {
        show(&call(name, args))
    }

    #[test]
    fn base64_both_ways() {
        let got = over(&[Some(""), Some("日本語")], |s| call("TO_BASE64", vec![s]));
        assert_eq!(got, some(["", "5pel5pys6Kqe"]));
        assert_eq!(value("FROM_BASE64", vec![text("aGVsbG8=")]).as_deref(), Some("hello"));
        let error = failure(&call("FROM_BASE64", vec![text("!")]));
        assert!(error.to_string().contains("'!' is not Base64"), "{error}");
    }

    #[test]
    fn hexadecimal_and_binary() {
        assert_eq!(value("HEX", vec![int(255)]).as_deref(), Some("FF"));
        assert_eq!(value("HEX", vec![bigint(-1)]).as_deref(), Some("FFFFFFFFFFFFFFFF"));
        assert_eq!(value("HEX", vec![text("abc")]).as_deref(), Some("616263"));
        let bytes = call("UNHEX", vec![text("616263")]);
        assert_eq!(show(&cast_to(bytes, TypeKind::STRING)).as_deref(), Some("abc"));
        assert_eq!(value("UNHEX", vec![text("xy")]), None);
        assert_eq!(value("BIN", vec![int(5)]).as_deref(), Some("101"));
    }

    #[test]
    fn character_codes() {
        let got = over(&[Some("abc"), Some(""), Some("ä")], |s| call("ASCII", vec![s]));
        assert_eq!(got, some(["97", "0", "-61"]));
        assert_eq!(value("CHR", vec![int(353)]).as_deref(), Some("a"));
        assert_eq!(value("CHR", vec![int(-1)]).as_deref(), Some(""));
    }

    #[test]
    fn character_sets() {
        for set in ["UTF-8", "ISO-8859-1", "UTF-16", "utf-16le"] {
            let encoded = call("ENCODE", vec![text("ä"), text(set)]);
            assert_eq!(value("DECODE", vec![encoded, text(set)]).as_deref(), Some("ä"), "{set}");
        }
        let error = failure(&call("ENCODE", vec![text("a"), text("EBCDIC")]));
        assert!(error.to_string().contains("EBCDIC"), "{error}");
    }
}
