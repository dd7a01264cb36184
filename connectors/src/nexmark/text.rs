//! The texts of events: tables that are filled once per source, from which events pick by number.
//!
//! A text column is a `take` from its table: 16 bytes are copied per row, the characters are shared.
//! Channels, URLs, names, cities and states are the benchmark's own lists. Item names, descriptions,
//! e-mail addresses and the padding of bids come from tables of a few thousand random texts; the
//! padding of people and auctions, whose length depends on the rest of the row, is cut from one long
//! random text.

use arrow::array::{Array, ArrayRef, StringViewArray, StringViewBuilder, UInt32Array};
use arrow::buffer::Buffer;
use arrow::compute::take;
use tidegate_types::{Error, Result};

use super::options::Shape;
use crate::counter_random::{Sequence, Stream};

/// Channels that half of the bids come through.
pub(super) const HOT_CHANNELS: u64 = 4;
/// The other channels.
pub(super) const OTHER_CHANNELS: u64 = 10_000;
/// Characters of the text that paddings start in.
const LETTERS: u64 = 64 * 1024;
const BID_EXTRAS: usize = 8192;
const ITEM_NAMES: usize = 4096;
const DESCRIPTIONS: usize = 4096;
const EMAILS: usize = 16_384;
const SHORTEST: u64 = 3;
const LONGEST_NAME: u64 = 20;
const LONGEST_DESCRIPTION: u64 = 100;

const HOT_NAMES: [&str; HOT_CHANNELS as usize] = ["Google", "Facebook", "Baidu", "Apple"];
const FIRST_NAMES: [&str; 11] = [
    "Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter",
];
const LAST_NAMES: [&str; 9] =
    ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"];
const CITIES: [&str; 10] = [
    "Phoenix",
    "Los Angeles",
    "San Francisco",
    "Boise",
    "Portland",
    "Bend",
    "Redmond",
    "Seattle",
    "Kent",
    "Cheyenne",
];
const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];

/// Streams of the tables; those of the events' fields have other numbers.
mod stream {
    pub(super) const LETTERS: u64 = 1000;
    pub(super) const URLS: u64 = 1001;
    pub(super) const BID_EXTRAS: u64 = 1002;
    pub(super) const ITEM_NAMES: u64 = 1003;
    pub(super) const DESCRIPTIONS: u64 = 1004;
    pub(super) const EMAILS: u64 = 1005;
}

/// Texts without NULL to pick from.
#[derive(Debug, Clone)]
pub(super) struct Table(StringViewArray);

impl Table {
    /// Number of texts.
    pub(super) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Bytes of a text.
    pub(super) fn text_len(&self, index: u64) -> u32 {
        // The lower half of a view is the length.
        self.0.views().get(index as usize).map_or(0, |view| *view as u32)
    }

    /// The texts at `indices`.
    ///
    /// # Errors
    /// `INTERNAL` if an index is out of bounds.
    pub(super) fn pick(&self, indices: &UInt32Array) -> Result<ArrayRef> {
        take(&self.0, indices, None).map_err(internal)
    }

    fn new<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self> {
        let (mut bytes, mut ranges) = (Vec::new(), Vec::new());
        for text in texts {
            let text = text.as_ref().as_bytes();
            ranges.push((bytes.len() as u32, text.len() as u32));
            bytes.extend_from_slice(text);
        }
        Self::of_ranges(Buffer::from_vec(bytes), ranges)
    }

    fn of_ranges(bytes: Buffer, ranges: Vec<(u32, u32)>) -> Result<Self> {
        let mut builder = StringViewBuilder::with_capacity(ranges.len());
        let block = builder.append_block(bytes);
        for (offset, length) in ranges {
            builder.try_append_view(block, offset, length).map_err(internal)?;
        }
        Ok(Self(builder.finish()))
    }
}

/// All tables of a source.
#[derive(Debug, Clone)]
pub(super) struct Texts {
    /// Hot channels first.
    pub(super) channels: Table,
    /// The URL of each channel.
    pub(super) urls: Table,
    pub(super) bid_extras: Table,
    pub(super) item_names: Table,
    pub(super) descriptions: Table,
    /// First and last names combined.
    pub(super) people: Table,
    pub(super) emails: Table,
    pub(super) cities: Table,
    pub(super) states: Table,
    letters: Buffer,
}

impl Texts {
    /// Fills the tables.
    ///
    /// # Errors
    /// `INTERNAL` only.
    pub(super) fn new(shape: &Shape) -> Result<Self> {
        let sequence = |field| Sequence::new(Stream::new(shape.seed, field));
        let largest = shape.person_avg_size.max(shape.auction_avg_size).max(shape.bid_avg_size);
        let letters = letters(sequence(stream::LETTERS), LETTERS + 2 * u64::from(largest));
        let bid_extras = bid_extras(&letters, shape.bid_avg_size, sequence(stream::BID_EXTRAS))?;
        let people = FIRST_NAMES
            .iter()
            .flat_map(|first| LAST_NAMES.iter().map(move |last| format!("{first} {last}")));
        let others = (0..OTHER_CHANNELS).map(|number| format!("channel-{number}"));
        let channels = HOT_NAMES.iter().map(|name| (*name).to_owned()).chain(others);
        Ok(Self {
            channels: Table::new(channels)?,
            urls: urls(sequence(stream::URLS))?,
            bid_extras,
            item_names: phrases(ITEM_NAMES, LONGEST_NAME, sequence(stream::ITEM_NAMES))?,
            descriptions: phrases(
                DESCRIPTIONS,
                LONGEST_DESCRIPTION,
                sequence(stream::DESCRIPTIONS),
            )?,
            people: Table::new(people)?,
            emails: emails(sequence(stream::EMAILS))?,
            cities: Table::new(CITIES)?,
            states: Table::new(STATES)?,
            letters,
        })
    }

    /// A column of paddings: of `used` bytes in the rest of each row and a draw.
    ///
    /// # Errors
    /// `INTERNAL` only.
    pub(super) fn extras(
        &self,
        average: u32,
        rows: impl ExactSizeIterator<Item = (u32, u64)>,
    ) -> Result<ArrayRef> {
        let mut builder = StringViewBuilder::with_capacity(rows.len());
        let block = builder.append_block(self.letters.clone());
        for (used, draw) in rows {
            let (offset, length) = padding(average, used, draw);
            builder.try_append_view(block, offset, length).map_err(internal)?;
        }
        Ok(std::sync::Arc::new(builder.finish()))
    }
}

/// Where in the letters the padding of a row starts, and how long it is: what the row lacks to the
/// average, ±20 %.
fn padding(average: u32, used: u32, draw: u64) -> (u32, u32) {
    let Some(lacking) = average.checked_sub(used) else {
        return (0, 0);
    };
    let delta = (2 * lacking + 5) / 10;
    let spread = crate::counter_random::low_below(draw, u64::from(2 * delta)) as u32;
    let offset = crate::counter_random::high_below(draw, LETTERS) as u32;
    (offset, lacking - delta + spread)
}

fn letters(mut random: Sequence, length: u64) -> Buffer {
    let bytes: Vec<u8> = (0..length).map(|_| b'a' + random.below(26) as u8).collect();
    Buffer::from_vec(bytes)
}

/// Bytes of a bid without padding, as the benchmark counts them.
const BID_BYTES: u32 = 32;

fn bid_extras(letters: &Buffer, average: u32, mut random: Sequence) -> Result<Table> {
    let ranges = (0..BID_EXTRAS).map(|_| padding(average, BID_BYTES, random.draw())).collect();
    Table::of_ranges(letters.clone(), ranges)
}

/// One URL per channel. Nine in ten of those that are not hot end in a channel's number.
fn urls(mut random: Sequence) -> Result<Table> {
    let mut urls = Vec::with_capacity((HOT_CHANNELS + OTHER_CHANNELS) as usize);
    for _ in 0..HOT_CHANNELS {
        urls.push(url(&mut random));
    }
    for channel in 0..OTHER_CHANNELS as i32 {
        let mut url = url(&mut random);
        if random.below(10) > 0 {
            let id = channel.reverse_bits().unsigned_abs();
            url.push_str(&format!("&channel_id={id}"));
        }
        urls.push(url);
    }
    Table::new(urls)
}

fn url(random: &mut Sequence) -> String {
    let [a, b, c] = [(); 3].map(|()| word(random, 3, 5));
    format!("https://www.nexmark.com/{a}/{b}/{c}/item.htm?query=1")
}

fn emails(mut random: Sequence) -> Result<Table> {
    let email = |_| {
        let (name, host) = (word(&mut random, 3, 6), word(&mut random, 3, 4));
        format!("{name}@{host}.com")
    };
    Table::new((0..EMAILS).map(email))
}

/// Texts of letters and, one in thirteen, spaces; none at either end.
fn phrases(count: usize, longest: u64, mut random: Sequence) -> Result<Table> {
    let phrase = |_| {
        let length = SHORTEST + random.below(longest - SHORTEST);
        let text: String = (0..length)
            .map(|_| if random.below(13) == 0 { ' ' } else { letter(&mut random) })
            .collect();
        text.trim().to_owned()
    };
    Table::new((0..count).map(phrase))
}

fn word(random: &mut Sequence, shortest: u64, longest: u64) -> String {
    let length = shortest + random.below(longest - shortest + 1);
    (0..length).map(|_| letter(random)).collect()
}

fn letter(random: &mut Sequence) -> char {
    char::from(b'a' + random.below(26) as u8)
}

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::internal(format!("nexmark texts: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts() -> Texts {
        Texts::new(&Shape::default()).unwrap()
    }

    #[test]
    fn urls_have_the_forms_that_the_queries_take_apart() {
        let texts = texts();
        let urls: Vec<&str> = texts.urls.0.iter().flatten().collect();
        assert_eq!(urls.len(), 10_004);
        for url in &urls {
            let rest = url.strip_prefix("https://www.nexmark.com/").unwrap();
            let parts: Vec<&str> = rest.split('/').collect();
            assert_eq!(parts.len(), 4, "{url}");
            assert!(parts[..3].iter().all(|word| (3..=5).contains(&word.len())), "{url}");
            assert!(parts[3].starts_with("item.htm?query=1"), "{url}");
        }
        let with_id = urls.iter().filter(|url| url.contains("&channel_id=")).count();
        assert!((8_850..9_150).contains(&with_id), "{with_id}");
        assert!(!urls[..4].iter().any(|url| url.contains("channel_id")));
    }

    #[test]
    fn paddings_fill_rows_to_the_average() {
        let texts = texts();
        let bytes: u64 =
            (0..BID_EXTRAS as u64).map(|i| u64::from(texts.bid_extras.text_len(i))).sum();
        let average = bytes as f64 / BID_EXTRAS as f64;
        assert!((66.0..70.0).contains(&average), "{average}");
        assert_eq!(padding(100, 101, 7), (0, 0));
        for draw in [0, u64::MAX, 0x1234_5678_9abc_def0] {
            let (offset, length) = padding(500, 100, draw);
            assert!(u64::from(offset) < LETTERS && (320..480).contains(&length), "{length}");
        }
    }

    #[test]
    fn names_are_within_their_bounds() {
        let texts = texts();
        assert_eq!(texts.people.len(), 99);
        assert!((0..texts.item_names.len()).all(|i| texts.item_names.text_len(i) < 20));
        assert!((0..texts.descriptions.len()).all(|i| texts.descriptions.text_len(i) < 100));
        let email = texts.emails.0.value(17);
        assert!(email.contains('@') && email.ends_with(".com"), "{email}");
    }
}
