//! How much may come out of what was uploaded.

use std::io::{self, Read};

use tidegate_types::{Error, ErrorCode};

/// Bounds of what an archive may unpack to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Files and folders.
    pub(super) entries: u64,
    /// Bytes of all together.
    pub(super) bytes: u64,
    /// Times the bytes of the archive, once there are more than `free` bytes.
    pub(super) ratio: u64,
    /// Bytes that may come out of any archive.
    pub(super) free: u64,
    /// Bytes of a name.
    pub(super) name: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 100_000, bytes: 4 << 30, ratio: 200, free: 64 << 20, name: 1_024 }
    }
}

/// Counts what comes out.
#[derive(Debug)]
pub(super) struct Unpacked {
    limits: Limits,
    packed: u64,
    bytes: u64,
    entries: u64,
}

impl Unpacked {
    /// Of an archive with so many bytes.
    pub(super) fn new(packed: u64, limits: Limits) -> Self {
        Self { limits, packed, bytes: 0, entries: 0 }
    }

    /// One that counts for itself, with the same bounds.
    pub(super) fn beside(&self) -> Self {
        Self::new(self.packed, self.limits)
    }

    /// Counts so many entries.
    pub(super) fn entries(&mut self, count: u64) -> Result<(), Error> {
        self.entries = self.entries.saturating_add(count);
        if self.entries <= self.limits.entries {
            return Ok(());
        }
        Err(bomb(format!("it has more than {} entries", self.limits.entries)))
    }

    /// Refuses names that lead out of where the archive is unpacked.
    pub(super) fn check_name(&self, name: &str) -> Result<(), Error> {
        let shown: String = name.chars().take(100).collect();
        if name.len() > self.limits.name {
            let most = self.limits.name;
            return Err(super::refused(format!("the name '{shown}…' has more than {most} bytes")));
        }
        let drive = name.as_bytes().get(1) == Some(&b':');
        let leads_out = name.starts_with(['/', '\\'])
            || drive
            || name.contains('\0')
            || name.split(['/', '\\']).any(|part| part == "..");
        if !leads_out {
            return Ok(());
        }
        let message = format!(
            "the entry '{}' leads out of the folder that it is unpacked in",
            shown.escape_default()
        );
        Err(super::refused(message).help("pack it with names below one folder, without '..'"))
    }

    /// A reader of what comes out, which ends with an error when it is too much.
    pub(super) fn counting<R: Read>(&mut self, inner: R) -> Counting<'_, R> {
        Counting { inner, unpacked: self, over: None }
    }

    fn count(&mut self, bytes: usize) -> Option<Error> {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        let Limits { bytes, ratio, free, .. } = self.limits;
        if self.bytes > bytes {
            return Some(bomb(format!("it unpacks to more than {bytes} bytes")));
        }
        if self.bytes > free && self.bytes > self.packed.saturating_mul(ratio) {
            let message =
                format!("it unpacks to more than {ratio} times its {} bytes", self.packed);
            return Some(bomb(message));
        }
        None
    }
}

fn bomb(message: String) -> Error {
    Error::new(ErrorCode::ResourceExhausted, message)
        .help("what is packed must stay small when it is unpacked: split it, or upload it as it is")
}

/// Reads and counts.
#[derive(Debug)]
pub(super) struct Counting<'a, R> {
    inner: R,
    unpacked: &'a mut Unpacked,
    over: Option<Error>,
}

impl<R> Counting<'_, R> {
    /// Why it has ended, if it was too much.
    pub(super) fn over(self) -> Option<Error> {
        self.over
    }
}

impl<R: Read> Read for Counting<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(over) = &self.over {
            return Err(io::Error::other(over.clone()));
        }
        let count = self.inner.read(buffer)?;
        if let Some(over) = self.unpacked.count(count) {
            self.over = Some(over.clone());
            return Err(io::Error::other(over));
        }
        Ok(count)
    }
}
