//! Secrets at rest: each text is encrypted with a data key of its own (AES-256-GCM), which is encrypted with a key that
//! only a file or the environment has. What a text belongs to is authenticated with it, so that one cannot be moved to
//! another place.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidegate_types::{Error, ErrorCode, Result};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Random bytes that sealing a text takes: a data key, and two nonces.
pub const RANDOM_BYTES: usize = KEY_BYTES + 2 * NONCE_LEN;

/// An encrypted text; both parts are base64 of nonce and ciphertext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Id of the key that the data key is encrypted with.
    pub key_id: String,
    /// The data key.
    pub data_key: String,
    /// The text.
    pub ciphertext: String,
}

/// Keys by id; the first of the file seals, all of them open. Clones share them.
#[derive(Clone)]
pub struct Keyring {
    first: String,
    keys: Arc<BTreeMap<String, LessSafeKey>>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("first", &self.first).finish_non_exhaustive()
    }
}

impl Keyring {
    /// From the text of a key file: a line `ID:BASE64` for each key of 32 bytes; empty lines and those that begin with
    /// `#` count for nothing.
    ///
    /// # Errors
    /// `INVALID_OPTION` with the line; never with a key.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |line: usize, why: &str| {
            Error::new(ErrorCode::InvalidOption, format!("key file, line {line}: {why}")).help(
                "write ID:BASE64 with 32 random bytes, as `tidegate secrets create-key` prints it",
            )
        };
        let mut keys = BTreeMap::new();
        let mut first = None;
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let (id, encoded) =
                text.split_once(':').ok_or_else(|| wrong(line, "there is no ':'"))?;
            let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if id.is_empty() || id.len() > 63 || !id.chars().all(fits) {
                return Err(wrong(
                    line,
                    "the id has other characters than letters, digits, '-', '_', '.'",
                ));
            }
            let bytes =
                STANDARD.decode(encoded.trim()).map_err(|_| wrong(line, "it is no base64"))?;
            if bytes.len() != KEY_BYTES {
                return Err(wrong(line, "the key has not 32 bytes"));
            }
            if keys.insert(id.to_owned(), cipher(&bytes)?).is_some() {
                return Err(wrong(line, "there are two keys with this id"));
            }
            first.get_or_insert_with(|| id.to_owned());
        }
        let first = first.ok_or_else(|| wrong(1, "there is no key"))?;
        Ok(Self { first, keys: Arc::new(keys) })
    }

    /// The line of a key file for a key of random bytes.
    pub fn line(id: &str, key: &[u8; KEY_BYTES]) -> String {
        format!("{id}:{}", STANDARD.encode(key))
    }

    /// Encrypts a text that belongs to something, with random bytes that are used for nothing else.
    ///
    /// # Errors
    /// `INTERNAL` if it cannot be encrypted.
    pub fn seal(&self, text: &str, of: &str, random: &[u8; RANDOM_BYTES]) -> Result<Envelope> {
        let key =
            self.keys.get(&self.first).ok_or_else(|| Error::internal("the first key is gone"))?;
        let (data_key, nonces) = random.split_at(KEY_BYTES);
        let (first, second) = nonces.split_at(NONCE_LEN);
        Ok(Envelope {
            key_id: self.first.clone(),
            data_key: encrypt(key, data_key, of, first)?,
            ciphertext: encrypt(&cipher(data_key)?, text.as_bytes(), of, second)?,
        })
    }

    /// The text of an envelope.
    ///
    /// # Errors
    /// `FAILED_PRECONDITION` if its key is not here; `CORRUPT` if it is damaged or belongs to something else.
    pub fn open(&self, envelope: &Envelope, of: &str) -> Result<String> {
        let key = self.keys.get(&envelope.key_id).ok_or_else(|| {
            let message = format!("the key '{}' of a secret of {of} is not known", envelope.key_id);
            Error::new(ErrorCode::FailedPrecondition, message)
                .help("the key file of this coordinator must have it: section [secrets]")
        })?;
        let data_key = decrypt(key, &envelope.data_key, of)?;
        let text = decrypt(&cipher(&data_key)?, &envelope.ciphertext, of)?;
        String::from_utf8(text).map_err(|_| damaged(of))
    }
}

fn cipher(key: &[u8]) -> Result<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, key)
        .map_err(|_| Error::internal("AES-256-GCM refuses a key of 32 bytes"))?;
    Ok(LessSafeKey::new(key))
}

fn encrypt(key: &LessSafeKey, text: &[u8], of: &str, nonce: &[u8]) -> Result<String> {
    let failed = || Error::internal("encrypt a secret");
    let mut sealed = text.to_vec();
    let unique = Nonce::try_assume_unique_for_key(nonce).map_err(|_| failed())?;
    key.seal_in_place_append_tag(unique, Aad::from(of.as_bytes()), &mut sealed)
        .map_err(|_| failed())?;
    Ok(STANDARD.encode([nonce, sealed.as_slice()].concat()))
}

fn decrypt(key: &LessSafeKey, text: &str, of: &str) -> Result<Vec<u8>> {
    let bytes = STANDARD.decode(text).map_err(|_| damaged(of))?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN).ok_or_else(|| damaged(of))?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged(of))?;
    let mut sealed = sealed.to_vec();
    let opened = key.open_in_place(nonce, Aad::from(of.as_bytes()), &mut sealed);
    Ok(opened.map_err(|_| damaged(of))?.to_vec())
}

fn damaged(of: &str) -> Error {
    Error::new(
        ErrorCode::Corrupt,
        format!("a secret of {of} is damaged, or belongs to something else"),
    )
    .help("give it anew")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(lines: &[&str]) -> Keyring {
        Keyring::parse(&lines.join("\n")).unwrap()
    }

    fn random(seed: u8) -> [u8; RANDOM_BYTES] {
        std::array::from_fn(|at| (at as u8).wrapping_mul(31).wrapping_add(seed))
    }

    #[test]
    fn a_secret_opens_with_its_key_and_where_it_belongs() {
        let (old, new) = (Keyring::line("k1", &[1; 32]), Keyring::line("k2", &[2; 32]));
        let keys = ring(&["# keys", "", &old]);
        let envelope =
            keys.seal("pässword", "projects/p/dataSources/d/password", &random(1)).unwrap();
        assert_eq!(envelope.key_id, "k1");
        let of = "projects/p/dataSources/d/password";
        assert_eq!(keys.open(&envelope, of).unwrap(), "pässword");
        // Another key is first now, the old one still opens.
        let rotated = ring(&[&new, &old]);
        assert_eq!(rotated.open(&envelope, of).unwrap(), "pässword");
        assert_eq!(rotated.seal("x", of, &random(2)).unwrap().key_id, "k2");
        assert_eq!(
            ring(&[&new]).open(&envelope, of).unwrap_err().code(),
            ErrorCode::FailedPrecondition
        );
        assert_eq!(keys.open(&envelope, "elsewhere").unwrap_err().code(), ErrorCode::Corrupt);
        let mut damaged = envelope.clone();
        damaged
            .ciphertext
            .replace_range(20..21, if &damaged.ciphertext[20..21] == "A" { "B" } else { "A" });
        assert_eq!(keys.open(&damaged, of).unwrap_err().code(), ErrorCode::Corrupt);
        assert!(!format!("{keys:?} {envelope:?}").contains("pässword"));
    }

    #[test]
    fn a_key_file_that_is_none_is_refused_by_line_and_without_its_keys() {
        let good = Keyring::line("a", &[7; 32]);
        let short = format!("b:{}", STANDARD.encode([9; 31]));
        for (text, said) in [
            (String::new(), "there is no key"),
            ("abc".to_owned(), "line 1: there is no ':'"),
            (format!("{good}\nb:!!"), "line 2: it is no base64"),
            (format!("{good}\n{short}"), "line 2: the key has not 32 bytes"),
            (format!("{good}\n{good}"), "two keys with this id"),
            (format!("a b:{}", STANDARD.encode([7; 32])), "other characters"),
        ] {
            let error = Keyring::parse(&text).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
            assert!(
                !error.contains(&STANDARD.encode([7; 32]))
                    && !error.contains(&STANDARD.encode([9; 31]))
            );
        }
    }
}
