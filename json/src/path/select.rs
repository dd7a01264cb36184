//! Following a path through a tree.

use std::borrow::Cow;

use super::{Function, Path, Step};
use crate::tree::{Kind, NodeId, Tree, write_text};

/// What a path leads to.
#[derive(Debug, Clone, PartialEq)]
pub enum Found<'a> {
    /// A value of the tree.
    Node(NodeId),
    /// A number that a function computed, as text.
    Number(String),
    /// A list: of an indefinite path, or of keys.
    List(Vec<Found<'a>>),
    /// Members of an object that were chosen by name.
    Members(Vec<(String, NodeId)>),
    /// A key.
    Key(Cow<'a, str>),
}

impl Found<'_> {
    /// Whether it is neither array nor object.
    pub fn is_scalar(&self, tree: &Tree<'_>) -> bool {
        match self {
            Self::Node(node) => tree.is_scalar(*node),
            Self::Number(_) | Self::Key(_) => true,
            Self::List(_) | Self::Members(_) => false,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self, tree: &Tree<'_>) -> bool {
        matches!(self, Self::Node(node) if tree.kind(*node) == Kind::Null)
    }

    /// Appends it as JSON text.
    pub fn write(&self, tree: &Tree<'_>, out: &mut String) {
        match self {
            Self::Node(node) => tree.write(*node, out),
            Self::Number(text) => out.push_str(text),
            Self::Key(key) => write_text(key, out),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(tree, out);
                }
                out.push(']');
            }
            Self::Members(members) => {
                out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_text(key, out);
                    out.push(':');
                    tree.write(*value, out);
                }
                out.push('}');
            }
        }
    }
}

impl Path {
    /// What is at the path.
    ///
    /// # Errors
    /// Why there is nothing: only of definite paths, others find an empty list.
    pub fn find<'a>(&self, tree: &Tree<'a>) -> Result<Found<'a>, String> {
        find(&self.steps, tree, Tree::ROOT, Tree::ROOT)
    }
}

/// What steps lead to from a node.
pub(super) fn find<'a>(
    steps: &[Step],
    tree: &Tree<'a>,
    from: NodeId,
    root: NodeId,
) -> Result<Found<'a>, String> {
    let (steps, function) = match steps {
        [before @ .., Step::Function(function)] => (before, Some(*function)),
        _ => (steps, None),
    };
    if tree.kind(from) == Kind::Null {
        return Ok(Found::Node(from));
    }
    let mut walk = Walk { tree, root, nodes: Vec::new(), members: None };
    let definite = steps.iter().take_while(|step| step.is_definite()).count();
    let start = walk.definite(&steps[..definite], from)?;
    let found = if definite == steps.len() {
        Ok(Found::Node(start))
    } else {
        walk.check(&steps[definite], start)?;
        walk.indefinite(&steps[definite..], start);
        match walk.members {
            // Several names at the end of a path that is definite before them.
            Some(members) => Ok(Found::Members(members)),
            None => Ok(Found::List(walk.nodes.into_iter().map(Found::Node).collect())),
        }
    };
    match function {
        None => found,
        Some(function) => apply(function, &found?, tree),
    }
}

struct Walk<'t, 'a> {
    tree: &'t Tree<'a>,
    root: NodeId,
    nodes: Vec<NodeId>,
    members: Option<Vec<(String, NodeId)>>,
}

impl Walk<'_, '_> {
    fn definite(&self, steps: &[Step], from: NodeId) -> Result<NodeId, String> {
        let mut node = from;
        for step in steps {
            node = match step {
                Step::Names(names) => {
                    let name = names.first().map_or("", String::as_str);
                    let found = self.tree.member(node, name);
                    found.ok_or_else(|| format!("there is no value of the key '{name}'"))?
                }
                Step::Indices(indices) => {
                    let index = indices.first().copied().unwrap_or(0);
                    let found = self.element(node, index);
                    found.ok_or_else(|| format!("there is no element number {index}"))?
                }
                _ => return Err("a function stands inside a path".to_owned()),
            };
        }
        Ok(node)
    }

    /// Whether the first step that may lead to several values can be taken at all.
    fn check(&self, step: &Step, node: NodeId) -> Result<(), String> {
        let kind = self.tree.kind(node);
        let (fits, wanted) = match step {
            Step::Names(_) => (matches!(kind, Kind::Object(_)), "an object"),
            Step::Indices(_) | Step::Slice(..) => (matches!(kind, Kind::Array(_)), "an array"),
            Step::Filter(_) => (!self.tree.is_scalar(node), "an array or object"),
            _ => (true, ""),
        };
        if fits { Ok(()) } else { Err(format!("the path needs {wanted} where there is none")) }
    }

    fn element(&self, array: NodeId, index: i64) -> Option<NodeId> {
        let Kind::Array(count) = self.tree.kind(array) else { return None };
        let index = if index < 0 { index + i64::from(count) } else { index };
        self.tree.elements(array).nth(usize::try_from(index).ok()?)
    }

    fn indefinite(&mut self, steps: &[Step], node: NodeId) {
        let Some((step, rest)) = steps.split_first() else {
            self.nodes.push(node);
            return;
        };
        match step {
            Step::Names(names) if names.len() > 1 && rest.is_empty() && self.nodes.is_empty() => {
                let found = names.iter().filter_map(|name| {
                    self.tree.member(node, name).map(|value| (name.clone(), value))
                });
                self.members = Some(found.collect());
            }
            Step::Names(names) => {
                for name in names {
                    if let Some(value) = self.tree.member(node, name) {
                        self.indefinite(rest, value);
                    }
                }
            }
            Step::Wildcard => {
                for child in self.children(node) {
                    self.indefinite(rest, child);
                }
            }
            Step::Indices(indices) => {
                for index in indices {
                    if let Some(element) = self.element(node, *index) {
                        self.indefinite(rest, element);
                    }
                }
            }
            Step::Slice(from, to) => {
                let Kind::Array(count) = self.tree.kind(node) else { return };
                let count = i64::from(count);
                let place = |at: i64| if at < 0 { (at + count).max(0) } else { at.min(count) };
                let (from, to) = (place(from.unwrap_or(0)), place(to.unwrap_or(count)));
                let length = usize::try_from(to - from).unwrap_or(0);
                for element in self.tree.elements(node).skip(from as usize).take(length) {
                    self.indefinite(rest, element);
                }
            }
            Step::Filter(filter) => {
                // Of an object itself, of an array the elements.
                let candidates = match self.tree.kind(node) {
                    Kind::Array(_) => self.tree.elements(node).collect(),
                    Kind::Object(_) => vec![node],
                    _ => Vec::new(),
                };
                for candidate in candidates {
                    if filter.accepts(self.tree, candidate, self.root) {
                        self.indefinite(rest, candidate);
                    }
                }
            }
            Step::Descend => self.descend(rest, node),
            Step::Function(_) => {}
        }
    }

    fn children(&self, node: NodeId) -> Vec<NodeId> {
        match self.tree.kind(node) {
            Kind::Array(_) => self.tree.elements(node).collect(),
            Kind::Object(_) => {
                self.tree.distinct_members(node).into_iter().map(|(_, value)| value).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The steps from this node, then from each below it.
    fn descend(&mut self, steps: &[Step], node: NodeId) {
        if !self.tree.is_scalar(node) {
            self.indefinite(steps, node);
        }
        for child in self.children(node) {
            self.descend(steps, child);
        }
    }
}

fn apply<'a>(function: Function, found: &Found<'a>, tree: &Tree<'a>) -> Result<Found<'a>, String> {
    let items: Vec<NodeId> = match found {
        Found::Node(node) => match tree.kind(*node) {
            Kind::Array(_) => tree.elements(*node).collect(),
            Kind::Object(_) if function == Function::Length => {
                return Ok(Found::Number(tree.distinct_members(*node).len().to_string()));
            }
            Kind::Object(_) if function == Function::Keys => {
                let members = tree.distinct_members(*node).into_iter();
                return Ok(Found::List(members.map(|(key, _)| Found::Key(key)).collect()));
            }
            _ => return Err("a function stands behind a value that has no elements".to_owned()),
        },
        Found::List(items) => items
            .iter()
            .filter_map(|item| match item {
                Found::Node(node) => Some(*node),
                _ => None,
            })
            .collect(),
        _ => return Err("a function stands behind a value that has no elements".to_owned()),
    };
    let number = |node: &NodeId| match tree.kind(*node) {
        Kind::Integer | Kind::Decimal => tree.raw(*node).parse::<f64>().ok(),
        _ => None,
    };
    let numbers: Vec<f64> = items.iter().filter_map(number).collect();
    let computed = match function {
        Function::Length => return Ok(Found::Number(items.len().to_string())),
        Function::Keys => return Err("an array has no keys".to_owned()),
        Function::First | Function::Last => {
            let item = if function == Function::First { items.first() } else { items.last() };
            let item = item.ok_or_else(|| "an array is empty".to_owned())?;
            return Ok(Found::Node(*item));
        }
        _ if numbers.is_empty() => return Err("there are no numbers to compute with".to_owned()),
        Function::Min => numbers.iter().copied().fold(f64::INFINITY, f64::min),
        Function::Max => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Function::Sum => numbers.iter().sum(),
        Function::Average => numbers.iter().sum::<f64>() / numbers.len() as f64,
    };
    Ok(Found::Number(format!("{computed:?}")))
}
