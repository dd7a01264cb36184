//! The entries of each partition in their order, and their ranks.
//!
//! Where rows only come, a partition is a short array of those that can still have a rank that is kept, with the
//! bound that most rows are rejected by. Where rows go again all are kept, in one ordered tree.

use std::collections::BTreeMap;

use tidegate_plan::operator::RankFunction;

use crate::keyed::SortBytes;

/// Entries by partition.
pub(super) struct Order {
    function: RankFunction,
    from: u64,
    to: u64,
    /// Bytes of sort keys behind their heads, and of the lists.
    bytes: usize,
    form: Form,
}

enum Form {
    Short(Vec<Vec<(SortBytes, u32)>>),
    Long {
        /// Partition, sort key, number in order of arrival → entry.
        tree: BTreeMap<(u32, SortBytes, i64), u32>,
        /// By entry its sort key.
        sorts: Vec<SortBytes>,
    },
}

/// What becomes of a new row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Its rank is not kept, and never will be.
    Beyond,
    /// It stands at this index.
    At(usize),
}

impl Order {
    /// No partitions; `updating`: entries may go again.
    pub(super) fn new(function: RankFunction, from: u64, to: u64, updating: bool) -> Self {
        let form = match updating {
            true => Form::Long { tree: BTreeMap::new(), sorts: Vec::new() },
            false => Form::Short(Vec::new()),
        };
        Self { function, from: from.max(1), to, bytes: 0, form }
    }

    /// Makes room for partitions.
    pub(super) fn resize(&mut self, partitions: usize) {
        if let Form::Short(lists) = &mut self.form {
            lists.resize_with(partitions.max(lists.len()), Vec::new);
        }
    }

    /// Where a row with a sort key would stand that comes after all others.
    pub(super) fn place(&self, partition: u32, sort: &SortBytes) -> Place {
        let Form::Short(lists) = &self.form else { return Place::At(0) };
        let list = &lists[partition as usize];
        if self.to == 0 {
            return Place::Beyond;
        }
        if let Some((last, _)) = list.last()
            && self.is_full(list)
            && match self.function {
                RankFunction::RowNumber => last <= sort,
                _ => last < sort,
            }
        {
            return Place::Beyond;
        }
        Place::At(list.partition_point(|(held, _)| held <= sort))
    }

    /// Whether a row behind the last of a list has a rank that is not kept.
    fn is_full(&self, list: &[(SortBytes, u32)]) -> bool {
        match self.function {
            RankFunction::RowNumber | RankFunction::Rank => list.len() as u64 >= self.to,
            RankFunction::DenseRank => {
                let ranks = self.ranks(list.iter().map(|(sort, entry)| (sort, *entry)));
                ranks.last().is_some_and(|(_, rank)| rank >= self.to)
            }
        }
    }

    /// Adds an entry with a number in order of arrival at its place; entries whose rank is not kept any more
    /// go to `evicted`.
    pub(super) fn insert(
        &mut self,
        (partition, entry, number): (u32, u32, i64),
        sort: SortBytes,
        place: usize,
        evicted: &mut Vec<u32>,
    ) {
        self.bytes += sort.heap_size();
        match &mut self.form {
            Form::Short(lists) => {
                let list = &mut lists[partition as usize];
                let before = list.capacity();
                list.insert(place, (sort, entry));
                self.bytes += (list.capacity() - before) * size_of::<(SortBytes, u32)>();
                self.prune(partition, evicted);
            }
            Form::Long { tree, sorts } => {
                if sorts.len() <= entry as usize {
                    sorts.resize_with(entry as usize + 1, SortBytes::default);
                }
                sorts[entry as usize] = sort.clone();
                tree.insert((partition, sort, number), entry);
            }
        }
    }

    fn prune(&mut self, partition: u32, evicted: &mut Vec<u32>) {
        let Form::Short(lists) = &self.form else { return };
        let list = &lists[partition as usize];
        if list.len() as u64 <= self.to {
            return;
        }
        let kept = match self.function {
            RankFunction::RowNumber => usize::try_from(self.to).unwrap_or(usize::MAX),
            RankFunction::Rank => {
                // The group of the last entry goes if even its first one's rank is not kept.
                let last = list.last().map(|(sort, _)| sort);
                let first = list.partition_point(|(sort, _)| Some(sort) < last);
                if first as u64 >= self.to { first } else { list.len() }
            }
            RankFunction::DenseRank => {
                let ranks = self.ranks(list.iter().map(|(sort, entry)| (sort, *entry)));
                ranks.take_while(|(_, rank)| *rank <= self.to).count()
            }
        };
        if let Form::Short(lists) = &mut self.form {
            for (sort, entry) in lists[partition as usize].drain(kept..) {
                self.bytes -= sort.heap_size();
                evicted.push(entry);
            }
        }
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, partition: u32, entry: u32, number: i64) {
        match &mut self.form {
            Form::Short(lists) => {
                let list = &mut lists[partition as usize];
                if let Some(place) = list.iter().position(|(_, other)| *other == entry) {
                    self.bytes -= list.remove(place).0.heap_size();
                }
            }
            Form::Long { tree, sorts } => {
                let sort = std::mem::take(&mut sorts[entry as usize]);
                self.bytes -= sort.heap_size();
                tree.remove(&(partition, sort, number));
            }
        }
    }

    fn ranks<'a>(
        &'a self,
        list: impl Iterator<Item = (&'a SortBytes, u32)>,
    ) -> impl Iterator<Item = (u32, u64)> {
        let (mut index, mut rank, mut before) = (0, 0, None::<&SortBytes>);
        list.map(move |(sort, entry)| {
            index += 1;
            rank = match self.function {
                RankFunction::RowNumber => index,
                RankFunction::Rank if before == Some(sort) => rank,
                RankFunction::Rank => index,
                RankFunction::DenseRank => rank + u64::from(before != Some(sort)),
            };
            before = Some(sort);
            (entry, rank)
        })
    }

    /// Adds the entries of a partition whose rank is kept, with their ranks, to `kept`.
    pub(super) fn kept(&self, partition: u32, kept: &mut Vec<(u32, u64)>) {
        let shown = |(_, rank): &(u32, u64)| *rank >= self.from;
        let within = |(_, rank): &(u32, u64)| *rank <= self.to;
        match &self.form {
            Form::Short(lists) => {
                let list = lists[partition as usize].iter();
                let ranks = self.ranks(list.map(|(sort, entry)| (sort, *entry)));
                kept.extend(ranks.take_while(within).filter(shown));
            }
            Form::Long { tree, .. } => {
                let range = tree.range((partition, SortBytes::default(), i64::MIN)..);
                let entries = range
                    .take_while(|((of, ..), _)| *of == partition)
                    .map(|((_, sort, _), entry)| (sort, *entry));
                kept.extend(self.ranks(entries).take_while(within).filter(shown));
            }
        }
    }

    /// The last entry of a full partition: rows behind it are beyond.
    pub(super) fn bound(&self, partition: u32) -> Option<u32> {
        let Form::Short(lists) = &self.form else { return None };
        let list = &lists[partition as usize];
        list.last().map(|(_, entry)| *entry).filter(|_| self.is_full(list))
    }

    /// Bytes held.
    pub(super) fn memory_size(&self) -> usize {
        let form = match &self.form {
            Form::Short(lists) => lists.capacity() * size_of::<Vec<(SortBytes, u32)>>(),
            Form::Long { tree, sorts } => {
                self.bytes + tree.len() * 64 + sorts.capacity() * size_of::<SortBytes>()
            }
        };
        form + self.bytes
    }
}
