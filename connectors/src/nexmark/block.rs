//! Blocks of events: which numbers are people, auctions and bids, and which ids exist at each.
//!
//! Events come in blocks (of 50 by default): the people, then the auctions, then the bids. The last
//! person and auction at an event follow from its block and its place in the block alone.

use super::options::Shape;

/// First id of a person.
pub(super) const FIRST_PERSON_ID: i64 = 1000;
/// First id of an auction.
pub(super) const FIRST_AUCTION_ID: i64 = 1000;
/// Events for ids a little ahead of the newest, as if they overtook the event that makes the id.
const ID_LEAD: i64 = 10;
/// People that bid and sell.
const ACTIVE_PEOPLE: i64 = 1000;
/// Auctions that are bid for.
pub(super) const IN_FLIGHT_AUCTIONS: i64 = 100;

/// The type of an event; the numbers are those of the column `event_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Kind {
    /// A person registers.
    Person = 0,
    /// An auction opens.
    Auction = 1,
    /// Somebody bids.
    Bid = 2,
}

impl Kind {
    /// All, by number.
    pub(super) const ALL: [Self; 3] = [Self::Person, Self::Auction, Self::Bid];
}

/// Consecutive events of one type in one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) kind: Kind,
    pub(super) block: u64,
    /// Number of the first event.
    pub(super) first: u64,
    pub(super) count: u64,
}

impl Run {
    /// The events' numbers.
    pub(super) fn numbers(&self) -> std::ops::Range<u64> {
        self.first..self.first + self.count
    }
}

/// Ids from which an event picks one: uniformly from `first`, `count` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidates {
    pub(super) first: i64,
    pub(super) count: u64,
}

/// The proportions of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks {
    people: u64,
    auctions: u64,
    total: u64,
}

impl Blocks {
    pub(super) fn new(shape: &Shape) -> Self {
        Self {
            people: shape.person_proportion,
            auctions: shape.auction_proportion,
            total: shape.total_proportion(),
        }
    }

    /// Events in a block.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Events of a type in a block.
    pub(super) fn proportion(&self, kind: Kind) -> u64 {
        let (from, to) = self.bounds(kind);
        to - from
    }

    /// Places in a block of the events of a type.
    fn bounds(&self, kind: Kind) -> (u64, u64) {
        let border = self.people + self.auctions;
        match kind {
            Kind::Person => (0, self.people),
            Kind::Auction => (self.people, border),
            Kind::Bid => (border, self.total),
        }
    }

    /// The runs of the events `first..end` whose type is in `wanted`, in order of their numbers.
    pub(super) fn runs(&self, first: u64, end: u64, wanted: [bool; 3]) -> Vec<Run> {
        let mut runs = Vec::with_capacity(((end - first) / self.total + 2) as usize);
        let mut block = first / self.total;
        while block * self.total < end {
            let start = block * self.total;
            for kind in Kind::ALL {
                let (from, to) = self.bounds(kind);
                let (from, to) = (first.max(start + from), end.min(start + to));
                if wanted[kind as usize] && from < to {
                    runs.push(Run { kind, block, first: from, count: to - from });
                }
            }
            block += 1;
        }
        runs
    }

    /// Id of person number `number`, which must be a person's event in `block`.
    pub(super) fn person_id(&self, block: u64, number: u64) -> i64 {
        (block * self.people + (number - block * self.total)) as i64 + FIRST_PERSON_ID
    }

    /// Id of auction number `number`, which must be an auction's event in `block`.
    pub(super) fn auction_id(&self, block: u64, number: u64) -> i64 {
        (block * self.auctions + (number - block * self.total - self.people)) as i64
            + FIRST_AUCTION_ID
    }

    /// Base-0 id of the last person at an auction or a bid of a block; −1: nobody.
    pub(super) fn last_person(&self, block: u64) -> i64 {
        ((block + 1) * self.people) as i64 - 1
    }

    /// Base-0 id of the last auction at a bid of a block; −1: none.
    pub(super) fn last_auction(&self, block: u64) -> i64 {
        ((block + 1) * self.auctions) as i64 - 1
    }

    /// Base-0 ids of people that an auction or bid of a block picks its seller or bidder from.
    pub(super) fn people(&self, block: u64) -> Candidates {
        let people = self.last_person(block) + 1;
        let active = people.min(ACTIVE_PEOPLE);
        Candidates { first: people - active, count: (active + ID_LEAD) as u64 }
    }

    /// Base-0 ids of auctions that a bid of a block picks from.
    pub(super) fn auctions(&self, block: u64) -> Candidates {
        let last = self.last_auction(block);
        let first = (last - IN_FLIGHT_AUCTIONS).max(0);
        Candidates { first, count: (last - first + 1 + ID_LEAD) as u64 }
    }

    /// Events in which as many auctions open as are in flight.
    pub(super) fn events_in_flight(&self) -> u64 {
        IN_FLIGHT_AUCTIONS as u64 * self.total / self.auctions.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_cover_a_range_in_order() {
        let blocks = Blocks::new(&Shape::default());
        let runs = blocks.runs(2, 103, [true; 3]);
        let numbers: Vec<u64> = runs.iter().flat_map(Run::numbers).collect();
        assert_eq!(numbers, (2..103).collect::<Vec<_>>());
        let kinds: Vec<(Kind, u64)> = runs.iter().map(|run| (run.kind, run.count)).collect();
        use Kind::{Auction, Bid, Person};
        let expected = [
            (Auction, 2),
            (Bid, 46),
            (Person, 1),
            (Auction, 3),
            (Bid, 46),
            (Person, 1),
            (Auction, 2),
        ];
        assert_eq!(kinds, expected);
        let bids = blocks.runs(2, 103, [false, false, true]);
        assert!(bids.iter().all(|run| run.kind == Bid) && bids.len() == 2);
    }

    #[test]
    fn ids_grow_without_gaps() {
        let blocks = Blocks::new(&Shape::default());
        let of = |kind, id: fn(&Blocks, u64, u64) -> i64| -> Vec<i64> {
            let mut wanted = [false; 3];
            wanted[kind as usize] = true;
            let runs = blocks.runs(0, 1000, wanted);
            runs.iter().flat_map(|run| run.numbers().map(|n| id(&blocks, run.block, n))).collect()
        };
        assert_eq!(of(Kind::Person, Blocks::person_id), (1000..1020).collect::<Vec<_>>());
        assert_eq!(of(Kind::Auction, Blocks::auction_id), (1000..1060).collect::<Vec<_>>());
        assert_eq!(blocks.last_person(19), 19);
        assert_eq!(blocks.last_auction(19), 59);
    }

    #[test]
    fn candidates_are_the_last_ones_and_a_few_to_come() {
        let blocks = Blocks::new(&Shape::default());
        assert_eq!(blocks.auctions(0), Candidates { first: 0, count: 13 });
        assert_eq!(blocks.auctions(99), Candidates { first: 199, count: 111 });
        assert_eq!(blocks.people(0), Candidates { first: 0, count: 11 });
        assert_eq!(blocks.people(4999), Candidates { first: 4000, count: 1010 });
    }

    #[test]
    fn a_type_without_share_has_no_ids_but_does_no_harm() {
        let shape = Shape {
            person_proportion: 0,
            auction_proportion: 0,
            bid_proportion: 5,
            ..Shape::default()
        };
        let blocks = Blocks::new(&shape);
        assert_eq!(blocks.people(3), Candidates { first: 0, count: 10 });
        assert_eq!(blocks.auctions(3), Candidates { first: 0, count: 10 });
        assert_eq!(blocks.runs(0, 12, [true; 3]).len(), 3);
    }
}
