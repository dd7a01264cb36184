//! Compression of the blocks of Avro files.

use std::io::{Read as _, Write as _};

/// How blocks are compressed (`codec`, and `avro.codec` in the head of a file).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    Null,
    Deflate,
    Snappy,
    Zstandard,
    Bzip2,
    Xz,
}

/// Largest content of a block, in bytes: what is larger is refused rather than held in memory.
pub(crate) const MAX_BLOCK_BYTES: usize = 256 << 20;

/// Bytes of the checksum behind a block in Snappy.
const CHECKSUM: usize = 4;

impl Codec {
    /// The codec with a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "null" => Self::Null,
            "deflate" => Self::Deflate,
            "snappy" => Self::Snappy,
            "zstandard" => Self::Zstandard,
            "bzip2" => Self::Bzip2,
            "xz" => Self::Xz,
            _ => return None,
        })
    }

    /// Its name in the head of a file.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Deflate => "deflate",
            Self::Snappy => "snappy",
            Self::Zstandard => "zstandard",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
        }
    }

    /// The compressed form of a block.
    pub(super) fn compress(self, content: &[u8]) -> std::io::Result<Vec<u8>> {
        Ok(match self {
            Self::Null => content.to_vec(),
            Self::Deflate => {
                let level = flate2::Compression::default();
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
                encoder.write_all(content)?;
                encoder.finish()?
            }
            Self::Snappy => {
                let mut packed = snap::raw::Encoder::new().compress_vec(content)?;
                packed.extend_from_slice(&crc32fast::hash(content).to_be_bytes());
                packed
            }
            Self::Zstandard => zstd::encode_all(content, zstd::DEFAULT_COMPRESSION_LEVEL)?,
            Self::Bzip2 => {
                let level = bzip2::Compression::best();
                let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), level);
                encoder.write_all(content)?;
                encoder.finish()?
            }
            Self::Xz => {
                const LEVEL: u32 = 6;
                let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), LEVEL);
                encoder.write_all(content)?;
                encoder.finish()?
            }
        })
    }

    /// The content of a block.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn decompress(self, packed: &[u8]) -> Result<Vec<u8>, String> {
        let content = match self {
            Self::Null => Ok(packed.to_vec()),
            Self::Deflate => bounded(flate2::read::DeflateDecoder::new(packed)),
            Self::Snappy => return snappy(packed),
            Self::Zstandard => zstd::Decoder::new(packed).map_err(text).and_then(bounded),
            Self::Bzip2 => bounded(bzip2::read::BzDecoder::new(packed)),
            Self::Xz => bounded(liblzma::read::XzDecoder::new(packed)),
        };
        content.map_err(|error| format!("a block is not properly compressed: {error}"))
    }
}

fn text(error: std::io::Error) -> String {
    error.to_string()
}

/// All that a decoder gives, within the bound.
fn bounded(decoder: impl std::io::Read) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    decoder.take(MAX_BLOCK_BYTES as u64 + 1).read_to_end(&mut content).map_err(text)?;
    if content.len() > MAX_BLOCK_BYTES {
        return Err(format!("it holds more than {MAX_BLOCK_BYTES} bytes"));
    }
    Ok(content)
}

fn snappy(packed: &[u8]) -> Result<Vec<u8>, String> {
    let broken = |error: &str| format!("a block is not properly compressed: {error}");
    let packed = packed.split_last_chunk::<CHECKSUM>();
    let (packed, checksum) = packed.ok_or_else(|| broken("it has no checksum"))?;
    let length = snap::raw::decompress_len(packed).map_err(|error| broken(&error.to_string()))?;
    if length > MAX_BLOCK_BYTES {
        return Err(broken(&format!("it holds more than {MAX_BLOCK_BYTES} bytes")));
    }
    let content = snap::raw::Decoder::new().decompress_vec(packed);
    let content = content.map_err(|error| broken(&error.to_string()))?;
    if crc32fast::hash(&content).to_be_bytes() != *checksum {
        return Err(broken("its checksum is another"));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_gives_back_what_it_took() {
        let content: Vec<u8> = (0..100_000_u32).flat_map(|i| (i % 251).to_le_bytes()).collect();
        for name in ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"] {
            let codec = Codec::named(name).unwrap();
            assert_eq!(codec.name(), name);
            for content in [&content[..], &[]] {
                let packed = codec.compress(content).unwrap();
                assert!(codec.decompress(&packed).unwrap() == content, "{name}");
                if codec != Codec::Null && !content.is_empty() {
                    assert!(codec.decompress(&packed[..packed.len() / 2]).is_err(), "{name}");
                    assert!(codec.decompress(b"no such thing").is_err(), "{name}");
                }
            }
        }
        assert_eq!(Codec::named("lzo"), None);
    }
}
