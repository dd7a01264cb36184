//! Tags and values of the encoding.

/// What is wrong with a message.
pub(crate) type Read<T> = Result<T, String>;

/// How a value stands in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Varint,
    Fixed64,
    Delimited,
    Fixed32,
}

/// A value: its bits, or where its bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WireValue {
    pub(crate) wire: Wire,
    pub(crate) bits: u64,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// A place in a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
    end: usize,
}

/// Deepest nesting of groups, as in Java.
const MAX_GROUPS: u32 = 100;

impl<'a> Cursor<'a> {
    /// A part of a message.
    pub(crate) fn new(bytes: &'a [u8], start: usize, end: usize) -> Self {
        Self { bytes, position: start, end: end.min(bytes.len()) }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.position >= self.end
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Read<u64> {
        let rest = self.bytes.get(self.position..self.end).unwrap_or_default();
        let mut value = 0_u64;
        for (index, byte) in rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.position += index + 1;
                return Ok(value);
            }
        }
        Err(if rest.len() < 10 { cut() } else { "a number has more than 64 bits".to_owned() })
    }

    fn take<const N: usize>(&mut self) -> Read<[u8; N]> {
        let rest = self.bytes.get(self.position..self.end).unwrap_or_default();
        let taken = rest.first_chunk::<N>().ok_or_else(cut)?;
        self.position += N;
        Ok(*taken)
    }

    pub(super) fn fixed32(&mut self) -> Read<u64> {
        Ok(u64::from(u32::from_le_bytes(self.take()?)))
    }

    pub(super) fn fixed64(&mut self) -> Read<u64> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    fn delimited(&mut self) -> Read<(usize, usize)> {
        let length = self.varint()?;
        let length = usize::try_from(length).map_err(|_| cut())?;
        let start = self.position;
        let end = start.checked_add(length).filter(|end| *end <= self.end).ok_or_else(cut)?;
        self.position = end;
        Ok((start, end))
    }

    /// The next field: its number and value. Groups are passed over.
    #[inline]
    pub(crate) fn field(&mut self) -> Read<Option<(u32, WireValue)>> {
        loop {
            if self.is_at_end() {
                return Ok(None);
            }
            let (number, wire) = self.tag()?;
            let mut value = WireValue { wire: Wire::Varint, bits: 0, start: 0, end: 0 };
            match wire {
                0 => value.bits = self.varint()?,
                1 => (value.wire, value.bits) = (Wire::Fixed64, self.fixed64()?),
                2 => {
                    value.wire = Wire::Delimited;
                    (value.start, value.end) = self.delimited()?;
                }
                5 => (value.wire, value.bits) = (Wire::Fixed32, self.fixed32()?),
                3 => {
                    self.skip_group(number)?;
                    continue;
                }
                _ => return Err(format!("field {number} has the unknown wire type {wire}")),
            }
            return Ok(Some((number, value)));
        }
    }

    fn tag(&mut self) -> Read<(u32, u64)> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number > 0);
        Ok((number.ok_or_else(|| format!("{} is no field number", tag >> 3))?, tag & 7))
    }

    fn skip_group(&mut self, number: u32) -> Read<()> {
        let mut open = vec![number];
        while let Some(innermost) = open.last().copied() {
            if self.is_at_end() {
                return Err(cut());
            }
            let (number, wire) = self.tag()?;
            match wire {
                0 => drop(self.varint()?),
                1 => drop(self.fixed64()?),
                2 => drop(self.delimited()?),
                5 => drop(self.fixed32()?),
                3 if open.len() < MAX_GROUPS as usize => open.push(number),
                3 => return Err(format!("groups are nested deeper than {MAX_GROUPS}")),
                4 if number == innermost => drop(open.pop()),
                _ => return Err(format!("group {innermost} is not closed")),
            }
        }
        Ok(())
    }
}

#[cold]
fn cut() -> String {
    "the message ends too early".to_owned()
}

/// Appends a number.
pub(crate) fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends the tag of a field.
pub(crate) fn write_tag(number: u32, wire: Wire, out: &mut Vec<u8>) {
    let wire = match wire {
        Wire::Varint => 0,
        Wire::Fixed64 => 1,
        Wire::Delimited => 2,
        Wire::Fixed32 => 5,
    };
    write_varint(u64::from(number) << 3 | wire, out);
}

/// Appends bytes with their length in front.
pub(crate) fn write_delimited(bytes: &[u8], out: &mut Vec<u8>) {
    write_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Appends what `write` appends, with its length in front.
pub(super) fn write_nested<E>(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let start = out.len();
    write(out)?;
    let mut length = Vec::new();
    write_varint((out.len() - start) as u64, &mut length);
    out.splice(start..start, length);
    Ok(())
}

/// ZigZag: small numbers of either sign have small codes.
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The number of a ZigZag code.
pub(super) fn unzigzag(code: u64) -> i64 {
    (code >> 1) as i64 ^ -((code & 1) as i64)
}
