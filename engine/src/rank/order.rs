//! The entries of each partition in their order, and their ranks.
//!
//! Where rows only come, a partition is a short array of those that can still have a rank that is kept, with the
//! bound that most rows are rejected by. Where rows go again all are kept, in one ordered tree.

use std::collections::BTreeMap;

use tidegate_plan::operator::RankFunction;

/// Entries by partition.
pub(super) struct Order {
    function: RankFunction,
    from: u64,
    to: u64,
    /// By entry its sort key: bytes that sort as the rows do.
    sorts: Vec<Box<[u8]>>,
    bytes: usize,
    form: Form,
}

enum Form {
    Short(Vec<Vec<u32>>),
    /// Partition, sort key, number in order of arrival → entry.
    Long(BTreeMap<(u32, Box<[u8]>, i64), u32>),
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
        let form = if updating { Form::Long(BTreeMap::new()) } else { Form::Short(Vec::new()) };
        Self { function, from: from.max(1), to, sorts: Vec::new(), bytes: 0, form }
    }

    /// Makes room for partitions.
    pub(super) fn resize(&mut self, partitions: usize) {
        if let Form::Short(lists) = &mut self.form {
            lists.resize_with(partitions.max(lists.len()), Vec::new);
        }
    }

    /// Where a row with a sort key would stand that comes after all others.
    pub(super) fn place(&self, partition: u32, sort: &[u8]) -> Place {
        let Form::Short(lists) = &self.form else { return Place::At(0) };
        let list = &lists[partition as usize];
        if let Some(last) = list.last()
            && self.is_full(list)
            && match self.function {
                RankFunction::RowNumber => *self.sorts[*last as usize] <= *sort,
                _ => *self.sorts[*last as usize] < *sort,
            }
        {
            return Place::Beyond;
        }
        if self.to == 0 {
            return Place::Beyond;
        }
        Place::At(list.partition_point(|entry| *self.sorts[*entry as usize] <= *sort))
    }

    /// Whether a row behind the last of a list has a rank that is not kept.
    fn is_full(&self, list: &[u32]) -> bool {
        match self.function {
            RankFunction::RowNumber | RankFunction::Rank => list.len() as u64 >= self.to,
            RankFunction::DenseRank => {
                self.ranks(list.iter().copied()).last().is_some_and(|(_, rank)| rank >= self.to)
            }
        }
    }

    /// Adds an entry with a number in order of arrival at its place; entries whose rank is not kept any more
    /// go to `evicted`.
    pub(super) fn insert(
        &mut self,
        (partition, entry, number): (u32, u32, i64),
        sort: &[u8],
        place: usize,
        evicted: &mut Vec<u32>,
    ) {
        if self.sorts.len() <= entry as usize {
            self.sorts.resize_with(entry as usize + 1, Box::default);
        }
        self.sorts[entry as usize] = sort.into();
        self.bytes += sort.len();
        match &mut self.form {
            Form::Short(lists) => lists[partition as usize].insert(place, entry),
            Form::Long(tree) => {
                tree.insert((partition, sort.into(), number), entry);
            }
        }
        self.prune(partition, evicted);
    }

    fn prune(&mut self, partition: u32, evicted: &mut Vec<u32>) {
        let Form::Short(lists) = &self.form else { return };
        let list = &lists[partition as usize];
        let sort = |entry: u32| &self.sorts[entry as usize];
        let kept = match self.function {
            RankFunction::RowNumber => usize::try_from(self.to).unwrap_or(usize::MAX),
            _ if (list.len() as u64) <= self.to => list.len(),
            RankFunction::Rank => {
                // The group of the last entry goes if even its first one's rank is not kept.
                let first = list
                    .last()
                    .map_or(0, |last| list.partition_point(|entry| sort(*entry) < sort(*last)));
                if first as u64 >= self.to { first } else { list.len() }
            }
            RankFunction::DenseRank => {
                self.ranks(list.iter().copied()).take_while(|(_, rank)| *rank <= self.to).count()
            }
        };
        if let Form::Short(lists) = &mut self.form {
            let list = &mut lists[partition as usize];
            evicted.extend(list.drain(kept.min(list.len())..));
        }
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, partition: u32, entry: u32, number: i64) {
        match &mut self.form {
            Form::Short(lists) => lists[partition as usize].retain(|other| *other != entry),
            Form::Long(tree) => {
                let sort = self.sorts[entry as usize].clone();
                tree.remove(&(partition, sort, number));
            }
        }
    }

    /// Forgets the sort key of an entry that is out.
    pub(super) fn forget(&mut self, entry: u32) {
        let sort = std::mem::take(&mut self.sorts[entry as usize]);
        self.bytes -= sort.len();
    }

    fn ranks(&self, list: impl Iterator<Item = u32>) -> impl Iterator<Item = (u32, u64)> {
        let (mut index, mut rank, mut before) = (0, 0, None::<u32>);
        list.map(move |entry| {
            index += 1;
            let equal =
                before.is_some_and(|b| self.sorts[b as usize] == self.sorts[entry as usize]);
            rank = match self.function {
                RankFunction::RowNumber => index,
                RankFunction::Rank if equal => rank,
                RankFunction::Rank => index,
                RankFunction::DenseRank => rank + u64::from(!equal),
            };
            before = Some(entry);
            (entry, rank)
        })
    }

    /// The entries of a partition whose rank is kept, with their ranks.
    pub(super) fn kept(&self, partition: u32) -> Vec<(u32, u64)> {
        let shown = |ranks: &mut dyn Iterator<Item = (u32, u64)>| -> Vec<(u32, u64)> {
            let ranks = ranks.take_while(|(_, rank)| *rank <= self.to);
            ranks.filter(|(_, rank)| *rank >= self.from).collect()
        };
        match &self.form {
            Form::Short(lists) => shown(&mut self.ranks(lists[partition as usize].iter().copied())),
            Form::Long(tree) => {
                let range = tree.range((partition, Box::default(), i64::MIN)..);
                let entries =
                    range.take_while(|((of, ..), _)| *of == partition).map(|(_, entry)| *entry);
                shown(&mut self.ranks(entries))
            }
        }
    }

    /// The last entry of a full partition: rows behind it are beyond.
    pub(super) fn bound(&self, partition: u32) -> Option<u32> {
        let Form::Short(lists) = &self.form else { return None };
        let list = &lists[partition as usize];
        list.last().copied().filter(|_| self.is_full(list))
    }

    /// Bytes held.
    pub(super) fn memory_size(&self) -> usize {
        let form = match &self.form {
            Form::Short(lists) => lists.capacity() * size_of::<Vec<u32>>() + self.sorts.len() * 8,
            Form::Long(tree) => tree.len() * 64 + self.bytes,
        };
        form + self.bytes + self.sorts.capacity() * size_of::<Box<[u8]>>()
    }
}
