//! From `plan::Expr` to nodes: each distinct sub-expression once, operands before their readers.

use std::collections::HashMap;

use tidegate_plan::{CastMode, Expr, FunctionRef};
use tidegate_types::{Error, Result, SqlType, TypeKind};

use super::{Call, Evaluator, Node, NodeId, arrow_type, literal};
use crate::cast;
use crate::datetime::zone::Zone;
use crate::function::{Prepared, Volatility};
use crate::registry;

/// Deepest nesting that is compiled: recursion uses the stack.
const MAX_DEPTH: usize = 2_000;

pub(super) fn compile(expr: &Expr, zone: Zone) -> Result<Evaluator> {
    let mut compiler = Compiler::default();
    let root = compiler.add(expr, 0)?;
    let ty = expr.ty().clone();
    Ok(Evaluator {
        shared: compiler.readers.iter().map(|readers| *readers > 1).collect(),
        nodes: compiler.nodes,
        infallible: compiler.infallible,
        root,
        data_type: arrow_type(&ty),
        ty,
        zone,
    })
}

/// Whether an expression reads no column and calls nothing volatile.
pub(super) fn is_foldable(expr: &Expr) -> bool {
    let mut foldable = true;
    expr.walk(&mut |expr| match expr {
        Expr::Column { .. } => foldable = false,
        Expr::Call { function, .. } => {
            let immutable = registry::lookup(&function.name)
                .is_some_and(|function| function.volatility == Volatility::Immutable);
            foldable &= immutable;
        }
        _ => {}
    });
    foldable
}

#[derive(Default)]
struct Compiler {
    nodes: Vec<Node>,
    readers: Vec<u32>,
    infallible: Vec<bool>,
    /// Nodes by a text that says what they compute.
    known: HashMap<String, NodeId>,
}

impl Compiler {
    fn add(&mut self, expr: &Expr, depth: usize) -> Result<NodeId> {
        if depth > MAX_DEPTH {
            return Err(Error::unsupported(format!(
                "an expression is nested more than {MAX_DEPTH} levels deep"
            )));
        }
        match expr {
            Expr::Column { index, .. } => {
                Ok(self.intern(format!("#{index}"), Node::Column(*index), true))
            }
            Expr::Literal(literal) => {
                let key = format!("{:?} {}", literal.value, literal.ty);
                let array = literal::to_array(literal)?;
                Ok(self.intern(key, Node::Constant(array), true))
            }
            Expr::Call { function, args, ty } => self.add_call(function, args, ty, depth),
            Expr::Cast { input, ty, mode } => self.add_cast(input, ty, *mode, depth),
            Expr::Case { branches, otherwise, ty } => {
                let mut nodes = Vec::with_capacity(branches.len());
                for (condition, value) in branches {
                    nodes.push((self.add(condition, depth + 1)?, self.add(value, depth + 1)?));
                }
                let otherwise = self.add(otherwise, depth + 1)?;
                Ok(self.case(nodes, otherwise, ty))
            }
            Expr::Field { input, index, .. } => {
                let input = self.add(input, depth + 1)?;
                let safe = self.infallible[input];
                let node = Node::Field { input, index: *index };
                Ok(self.intern(format!("field {input} {index}"), node, safe))
            }
        }
    }

    fn add_all(&mut self, exprs: &[Expr], depth: usize) -> Result<Vec<NodeId>> {
        exprs.iter().map(|expr| self.add(expr, depth + 1)).collect()
    }

    fn add_call(
        &mut self,
        reference: &FunctionRef,
        args: &[Expr],
        ty: &SqlType,
        depth: usize,
    ) -> Result<NodeId> {
        let function = registry::get(reference)?;
        let operands = self.add_all(args, depth)?;
        match (function.name, operands.as_slice()) {
            ("AND" | "OR", [_, _, ..]) => {
                return Ok(self.logic(operands, function.name == "OR"));
            }
            ("IF", [condition, then, otherwise]) => {
                return Ok(self.case(vec![(*condition, *then)], *otherwise, ty));
            }
            ("COALESCE" | "IFNULL", [_, _, ..]) if !self.all_infallible(&operands) => {
                return self.coalesce(&operands, args, ty);
            }
            _ => {}
        }
        let safe = !function.fallible && self.all_infallible(&operands);
        let key = format!("{} {} {operands:?} {ty}", function.name, function.version);
        let node = Node::Call(Call {
            function,
            operands,
            arguments: args.iter().map(|arg| arg.ty().clone()).collect(),
            result: ty.clone(),
            prepared: Prepared::default(),
        });
        // Two volatile calls may differ, so each is a node of its own.
        let key = match function.volatility {
            Volatility::Immutable => key,
            Volatility::Volatile => format!("{key} @{}", self.nodes.len()),
        };
        Ok(self.intern(key, node, safe))
    }

    fn add_cast(
        &mut self,
        input: &Expr,
        ty: &SqlType,
        mode: CastMode,
        depth: usize,
    ) -> Result<NodeId> {
        let from = input.ty().clone();
        let input = self.add(input, depth + 1)?;
        let fallible = mode == CastMode::Cast && cast::is_fallible(&from, ty);
        let safe = !fallible && self.infallible[input];
        let key = format!("cast {input} {from} {ty} {mode:?}");
        Ok(self.intern(key, Node::Cast { input, from, to: ty.clone(), mode }, safe))
    }

    fn case(&mut self, branches: Vec<(NodeId, NodeId)>, otherwise: NodeId, ty: &SqlType) -> NodeId {
        let safe = self.infallible[otherwise]
            && branches.iter().all(|(c, v)| self.infallible[*c] && self.infallible[*v]);
        let key = format!("case {branches:?} {otherwise} {ty}");
        self.intern(key, Node::Case { branches, otherwise, ty: arrow_type(ty) }, safe)
    }

    fn logic(&mut self, operands: Vec<NodeId>, decided: bool) -> NodeId {
        let safe = self.all_infallible(&operands);
        let key = format!("logic {decided} {operands:?}");
        self.intern(key, Node::Logic { operands, decided }, safe)
    }

    /// `COALESCE(a, b, c)` whose later arguments may fail: CASE WHEN a IS NOT NULL THEN a …
    fn coalesce(&mut self, operands: &[NodeId], args: &[Expr], ty: &SqlType) -> Result<NodeId> {
        let is_not_null = FunctionRef { name: "IS NOT NULL".to_owned(), version: 1 };
        let function = registry::get(&is_not_null)?;
        let result = TypeKind::Boolean.not_null();
        let (otherwise, first) =
            operands.split_last().ok_or_else(|| Error::internal("COALESCE without arguments"))?;
        let mut branches = Vec::with_capacity(first.len());
        for (operand, arg) in first.iter().zip(args) {
            let node = Node::Call(Call {
                function,
                operands: vec![*operand],
                arguments: vec![arg.ty().clone()],
                result: result.clone(),
                prepared: Prepared::default(),
            });
            let key = format!("{} {} [{operand}] {result}", function.name, function.version);
            let safe = self.infallible[*operand];
            branches.push((self.intern(key, node, safe), *operand));
        }
        Ok(self.case(branches, *otherwise, ty))
    }

    fn all_infallible(&self, operands: &[NodeId]) -> bool {
        operands.iter().all(|id| self.infallible[*id])
    }

    /// The node with this key, made from `node` if there is none yet.
    fn intern(&mut self, key: String, node: Node, infallible: bool) -> NodeId {
        if let Some(id) = self.known.get(&key) {
            self.readers[*id] += 1;
            return *id;
        }
        let id = self.nodes.len();
        self.nodes.push(node);
        self.readers.push(1);
        self.infallible.push(infallible);
        self.known.insert(key, id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sub_expressions_are_one_node() {
        let int = || TypeKind::Int.nullable();
        let sum = || Expr::call("+", vec![Expr::column(0, int()), Expr::column(1, int())], int());
        let expr = Expr::call("*", vec![sum(), sum()], int());
        let program = compile(&expr, Zone::UTC).unwrap();
        assert_eq!(program.nodes.len(), 4);
        assert_eq!(program.shared, [true, true, true, false]);
    }
}
