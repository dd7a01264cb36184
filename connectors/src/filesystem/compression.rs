//! Compressed text files: told by their ending, decompressed piece by piece.

use std::io::{Error as IoError, ErrorKind, Read as _, Write};

use flate2::write::{MultiGzDecoder, ZlibDecoder};
use liblzma::stream::Action;
use snap::read::FrameDecoder;
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
    /// `.bz2`
    Bzip2,
    /// `.xz`
    Xz,
    /// `.deflate`, with the head of zlib
    Deflate,
    /// `.sz`, in frames
    Snappy,
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
            Some("bz2") => Ok(Self::Bzip2),
            Some("xz") => Ok(Self::Xz),
            Some("deflate") => Ok(Self::Deflate),
            Some("sz") => Ok(Self::Snappy),
            Some(other @ ("lz4" | "snappy" | "br" | "zip")) => Err(
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
    /// Deflate with the head of zlib.
    Deflate(Box<ZlibDecoder<Vec<u8>>>),
    /// Zstandard, several frames one after the other included.
    Zstd {
        /// State of the stream.
        decoder: ZstdDecoder<'static>,
        /// Whether the last frame is complete.
        complete: bool,
    },
    /// Bzip2, several streams one after the other included.
    Bzip2 {
        /// State of the stream.
        decoder: bzip2::Decompress,
        /// Whether nothing of a stream was read yet.
        fresh: bool,
    },
    /// XZ, several streams one after the other included.
    Xz(liblzma::stream::Stream),
    /// Snappy in frames: what of a frame came so far.
    Snappy(Vec<u8>),
}

/// Most memory that a decoder of XZ may take.
const XZ_MEMORY: u64 = 256 << 20;
/// Content that is made room for at once.
const BLOCK: usize = 128 << 10;
/// Bytes in front of a frame of Snappy: its kind and its length.
const SNAPPY_HEAD: usize = 4;
/// The frame at the beginning of a file in Snappy.
const SNAPPY_BEGIN: &[u8] = b"\xff\x06\x00\x00sNaPpY";

impl Decompressor {
    /// For a kind of compression; `None` if there is none.
    pub(super) fn new(compression: Compression) -> Result<Option<Self>, IoError> {
        Ok(match compression {
            Compression::None => None,
            Compression::Gzip => Some(Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))),
            Compression::Deflate => Some(Self::Deflate(Box::new(ZlibDecoder::new(Vec::new())))),
            Compression::Zstd => Some(Self::Zstd { decoder: ZstdDecoder::new()?, complete: true }),
            Compression::Bzip2 => {
                Some(Self::Bzip2 { decoder: bzip2::Decompress::new(false), fresh: true })
            }
            Compression::Xz => {
                let flags = liblzma::stream::CONCATENATED;
                let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, flags);
                Some(Self::Xz(stream.map_err(IoError::from)?))
            }
            Compression::Snappy => Some(Self::Snappy(Vec::new())),
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
            Self::Deflate(decoder) => {
                decoder.write_all(piece)?;
                decoder.flush()?;
                out.append(decoder.get_mut());
                Ok(())
            }
            Self::Zstd { decoder, complete } => push_zstd(decoder, complete, piece, out),
            Self::Bzip2 { decoder, fresh } => push_bzip2(decoder, fresh, piece, out),
            Self::Xz(stream) => push_xz(stream, piece, out, Action::Run).map(|_| ()),
            Self::Snappy(frame) => push_snappy(frame, piece, out),
        }
    }

    /// After the last piece: appends the rest, and fails if the content was cut off.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), IoError> {
        let cut =
            |what: &str| Err(IoError::new(ErrorKind::UnexpectedEof, format!("{what} is cut off")));
        match self {
            Self::Gzip(decoder) => {
                decoder.try_finish()?;
                out.append(decoder.get_mut());
                Ok(())
            }
            Self::Deflate(decoder) => {
                decoder.try_finish()?;
                out.append(decoder.get_mut());
                Ok(())
            }
            Self::Zstd { complete: true, .. } | Self::Bzip2 { fresh: true, .. } => Ok(()),
            Self::Zstd { .. } => cut("the zstd frame"),
            Self::Bzip2 { .. } => cut("the bzip2 stream"),
            Self::Xz(stream) => match push_xz(stream, &[], out, Action::Finish)? {
                true => Ok(()),
                false => cut("the xz stream"),
            },
            Self::Snappy(frame) if frame.is_empty() => Ok(()),
            Self::Snappy(_) => cut("the snappy frame"),
        }
    }
}

/// Most content of one piece: more is no data, but made to fill the memory.
const MAX_GROWTH: usize = 256 << 20;

/// Fails where a piece has given too much.
fn check_growth(bytes: usize) -> Result<(), IoError> {
    if bytes <= MAX_GROWTH {
        return Ok(());
    }
    let message = format!("more than {MAX_GROWTH} bytes come of {PIECE} compressed ones");
    Err(IoError::new(ErrorKind::InvalidData, message))
}

fn push_bzip2(
    decoder: &mut bzip2::Decompress,
    fresh: &mut bool,
    piece: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), IoError> {
    let (mut rest, start) = (piece, out.len());
    loop {
        check_growth(out.len() - start)?;
        let (read, written) = (decoder.total_in(), out.len());
        out.reserve(BLOCK);
        let status = decoder.decompress_vec(rest, out).map_err(IoError::from)?;
        let consumed = usize::try_from(decoder.total_in() - read).unwrap_or(usize::MAX);
        rest = rest.get(consumed..).unwrap_or_default();
        if consumed > 0 {
            *fresh = false;
        }
        if status == bzip2::Status::StreamEnd {
            (*decoder, *fresh) = (bzip2::Decompress::new(false), true);
        }
        // Without room left the decoder may hold back more.
        let full = out.len() == out.capacity();
        if rest.is_empty() && !full || consumed == 0 && out.len() == written {
            return Ok(());
        }
    }
}

/// Returns whether the stream ended.
fn push_xz(
    stream: &mut liblzma::stream::Stream,
    piece: &[u8],
    out: &mut Vec<u8>,
    action: Action,
) -> Result<bool, IoError> {
    let (mut rest, start) = (piece, out.len());
    loop {
        check_growth(out.len() - start)?;
        let (read, written) = (stream.total_in(), out.len());
        out.reserve(BLOCK);
        let status = stream.process_vec(rest, out, action).map_err(IoError::from)?;
        let consumed = usize::try_from(stream.total_in() - read).unwrap_or(usize::MAX);
        rest = rest.get(consumed..).unwrap_or_default();
        if status == liblzma::stream::Status::StreamEnd {
            return Ok(true);
        }
        let full = out.len() == out.capacity();
        if rest.is_empty() && !full || consumed == 0 && out.len() == written {
            return Ok(false);
        }
    }
}

fn push_snappy(frame: &mut Vec<u8>, piece: &[u8], out: &mut Vec<u8>) -> Result<(), IoError> {
    frame.extend_from_slice(piece);
    let mut done = 0;
    while let Some(head) = frame.get(done..).and_then(|rest| rest.first_chunk::<SNAPPY_HEAD>()) {
        let [_, length @ ..] = *head;
        let length = u32::from_le_bytes([length[0], length[1], length[2], 0]) as usize;
        let end = done + SNAPPY_HEAD + length;
        let Some(whole) = frame.get(done..end) else { break };
        // The decoder wants the beginning of a file in front of any frame.
        FrameDecoder::new(SNAPPY_BEGIN.chain(whole)).read_to_end(out)?;
        done = end;
    }
    frame.drain(..done);
    Ok(())
}

fn push_zstd(
    decoder: &mut ZstdDecoder<'static>,
    complete: &mut bool,
    piece: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), IoError> {
    let mut input = InBuffer::around(piece);
    let (mut block, start) = (vec![0; BLOCK], out.len());
    loop {
        check_growth(out.len() - start)?;
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
    fn the_other_kinds_survive_any_piece_size_and_concatenation() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(|i| (i % 251).to_le_bytes()).collect();
        let twice = [text.clone(), text.clone()].concat();
        let bzip2 = || {
            let level = bzip2::Compression::fast();
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), level);
            encoder.write_all(&text).unwrap();
            encoder.finish().unwrap()
        };
        let xz = || liblzma::encode_all(text.as_slice(), 1).unwrap();
        let snappy = || {
            let mut encoder = snap::write::FrameEncoder::new(Vec::new());
            encoder.write_all(&text).unwrap();
            encoder.into_inner().unwrap()
        };
        for piece in [1, 7, 1000, 1 << 20] {
            for (kind, packed) in [
                (Compression::Bzip2, bzip2()),
                (Compression::Xz, xz()),
                (Compression::Snappy, snappy()),
            ] {
                let whole = [packed.clone(), packed.clone()].concat();
                assert!(decompress(kind, &whole, piece).unwrap() == twice, "{kind:?} {piece}");
                assert!(decompress(kind, &packed[..packed.len() - 3], piece).is_err(), "{kind:?}");
                assert!(decompress(kind, b"nothing of this sort", piece).is_err(), "{kind:?}");
            }
            let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            zlib.write_all(&text).unwrap();
            let zlib = zlib.finish().unwrap();
            assert!(decompress(Compression::Deflate, &zlib, piece).unwrap() == text);
            assert!(decompress(Compression::Deflate, &zlib[..zlib.len() - 9], piece).is_err());
        }
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
    fn what_grows_without_end_is_refused() {
        let zeros = vec![0; 64 << 20];
        let level = bzip2::Compression::best();
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), level);
        encoder.write_all(&zeros).unwrap();
        let packed = encoder.finish().unwrap().repeat(8);
        assert!(packed.len() < PIECE);
        let mut decompressor = Decompressor::new(Compression::Bzip2).unwrap().unwrap();
        let error = decompressor.push(&packed, &mut Vec::new()).unwrap_err().to_string();
        assert!(error.contains("compressed ones"), "{error}");
    }

    #[test]
    fn endings_tell_the_compression() {
        assert_eq!(Compression::of("a.json.gz").unwrap(), Compression::Gzip);
        assert_eq!(Compression::of("a.ZST").unwrap(), Compression::Zstd);
        assert_eq!(Compression::of("part-0").unwrap(), Compression::None);
        assert_eq!(Compression::of("a.csv.bz2").unwrap(), Compression::Bzip2);
        assert!(Compression::of("a.lz4").is_err());
    }
}
