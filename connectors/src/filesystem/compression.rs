//! Compressed text files: told by their ending, decompressed piece by piece.

use std::io::{Error as IoError, ErrorKind, Write};

use flate2::write::MultiGzDecoder;
use tidegate_types::{Error, Result};
use zstd::stream::raw::{Decoder as ZstdDecoder, InBuffer, Operation, OutBuffer};

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    /// Not at all.
    None,
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstd,
}

impl Compression {
    /// By the ending of the file's name.
    ///
    /// # Errors
    /// `UNSUPPORTED` for endings of compressions that cannot be read.
    pub(super) fn of(file_name: &str) -> Result<Self> {
        let ending = file_name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        match ending.as_deref() {
            Some("gz" | "gzip") => Ok(Self::Gzip),
            Some("zst" | "zstd") => Ok(Self::Zstd),
            Some(other @ ("bz2" | "xz" | "deflate" | "lz4" | "snappy" | "br" | "zip")) => Err(
                Error::unsupported(format!("file {file_name}: .{other} files cannot be read"))
                    .help("compress with gzip or zstd, or leave the file out with 'source.path.regex-pattern'"),
            ),
            _ => Ok(Self::None),
        }
    }
}

/// Compressed bytes that are given to the decompressor at once: bounds what a piece can grow to.
pub(super) const PIECE: usize = 16 << 10;

/// Decompresses a stream of pieces.
pub(super) enum Decompressor {
    /// Gzip, several members one after the other included.
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    /// Zstandard, several frames one after the other included.
    Zstd {
        /// State of the stream.
        decoder: ZstdDecoder<'static>,
        /// Whether the last frame is complete.
        complete: bool,
    },
}

impl Decompressor {
    /// For a kind of compression; `None` if there is none.
    pub(super) fn new(compression: Compression) -> Result<Option<Self>, IoError> {
        Ok(match compression {
            Compression::None => None,
            Compression::Gzip => Some(Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))),
            Compression::Zstd => Some(Self::Zstd { decoder: ZstdDecoder::new()?, complete: true }),
        })
    }

    /// Decompresses a piece and appends the content to `out`.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), IoError> {
        match self {
            Self::Gzip(decoder) => {
                decoder.write_all(piece)?;
                decoder.flush()?;
                out.append(decoder.get_mut());
                Ok(())
            }
            Self::Zstd { decoder, complete } => push_zstd(decoder, complete, piece, out),
        }
    }

    /// After the last piece: appends the rest, and fails if the content was cut off.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), IoError> {
        match self {
            Self::Gzip(decoder) => {
                decoder.try_finish()?;
                out.append(decoder.get_mut());
                Ok(())
            }
            Self::Zstd { complete: true, .. } => Ok(()),
            Self::Zstd { .. } => {
                Err(IoError::new(ErrorKind::UnexpectedEof, "the zstd frame is cut off"))
            }
        }
    }
}

fn push_zstd(
    decoder: &mut ZstdDecoder<'static>,
    complete: &mut bool,
    piece: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), IoError> {
    let mut input = InBuffer::around(piece);
    let mut block = vec![0; 128 << 10];
    loop {
        let mut output = OutBuffer::around(block.as_mut_slice());
        let hint = decoder.run(&mut input, &mut output)?;
        let written = output.as_slice().len();
        out.extend_from_slice(output.as_slice());
        *complete = hint == 0;
        // A full block means that the decoder may hold back more.
        if input.pos() >= piece.len() && written < block.len() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decompress(kind: Compression, data: &[u8], piece: usize) -> Result<Vec<u8>, IoError> {
        let mut decompressor = Decompressor::new(kind)?.unwrap();
        let mut out = Vec::new();
        for piece in data.chunks(piece) {
            decompressor.push(piece, &mut out)?;
        }
        decompressor.finish(&mut out)?;
        Ok(out)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn both_kinds_survive_any_piece_size_and_concatenation() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(|i| (i % 251).to_le_bytes()).collect();
        let twice = [text.clone(), text.clone()].concat();
        let zstd = zstd::encode_all(text.as_slice(), 1).unwrap();
        for piece in [1, 7, 1000, 1 << 20] {
            let (a, b) = (gzip(&text), gzip(&text));
            assert!(decompress(Compression::Gzip, &[a, b].concat(), piece).unwrap() == twice);
            let frames = [zstd.clone(), zstd.clone()].concat();
            assert!(decompress(Compression::Zstd, &frames, piece).unwrap() == twice);
        }
    }

    #[test]
    fn what_is_cut_off_or_broken_is_an_error() {
        let packed = gzip(b"hello hello hello");
        assert!(decompress(Compression::Gzip, &packed[..packed.len() - 3], 5).is_err());
        assert!(decompress(Compression::Gzip, b"not gzip at all", 5).is_err());
        let packed = zstd::encode_all(&b"hello hello hello"[..], 1).unwrap();
        assert!(decompress(Compression::Zstd, &packed[..packed.len() - 3], 5).is_err());
    }

    #[test]
    fn endings_tell_the_compression() {
        assert_eq!(Compression::of("a.json.gz").unwrap(), Compression::Gzip);
        assert_eq!(Compression::of("a.ZST").unwrap(), Compression::Zstd);
        assert_eq!(Compression::of("part-0").unwrap(), Compression::None);
        assert!(Compression::of("a.bz2").is_err());
    }
}
