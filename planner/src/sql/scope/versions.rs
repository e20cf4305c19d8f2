//! Temporal joins: which source has versions, and by which columns they are looked up.

use sqlparser::ast::{BinaryOperator, Expr, Join, JoinConstraint, JoinOperator, Spanned};

use super::{Relation, Resolver, Scope, VersionUse, bare_name};
use crate::diagnostic::StreamMistake;

impl Resolver<'_> {
    /// Notes the key by which `join` looks up versions of `right`.
    pub(super) fn version_use(&mut self, join: &Join, right: &Relation, left: &Scope) {
        if right.is_open {
            return;
        }
        let at = join.relation.span();
        let Some(source) = right.source else {
            let (table, at) = (right.qualifier.clone(), self.places.place(at));
            self.findings.mistakes.push(StreamMistake::NotVersioned { table, at }.into());
            return;
        };
        let (JoinOperator::Join(JoinConstraint::On(on))
        | JoinOperator::Inner(JoinConstraint::On(on))
        | JoinOperator::Left(JoinConstraint::On(on))
        | JoinOperator::LeftOuter(JoinConstraint::On(on))) = &join.join_operator
        else {
            return;
        };
        let mut key = Vec::new();
        for condition in conjuncts(on) {
            let Expr::BinaryOp { left: first, op: BinaryOperator::Eq, right: second } = condition
            else {
                continue;
            };
            let sides = [(first, second), (second, first)];
            let column = sides.iter().find_map(|(own, other)| {
                let column = column_of(own, right, left)?;
                names_no_column_of(other, right).then_some(column)
            });
            if let Some(column) = column
                && !key.contains(&column)
            {
                key.push(column);
            }
        }
        self.note_version(source, right, key, on);
    }

    fn note_version(&mut self, source: usize, right: &Relation, mut key: Vec<usize>, on: &Expr) {
        let place = self.places.place(on.span());
        let Some(first) = key.first().copied() else {
            let table = right.qualifier.clone();
            self.findings.mistakes.push(StreamMistake::NoJoinKey { table, at: place }.into());
            return;
        };
        if let Some((declared, declaration)) = &right.key {
            let position = right.columns.iter().position(|column| column.name == *declared);
            match position.filter(|position| key.contains(position)) {
                Some(position) => key = vec![position],
                None => {
                    let column = right.columns.get(first).map(|column| column.name.clone());
                    self.findings.mistakes.push(
                        StreamMistake::NotOnKey {
                            table: bare_name(&right.qualifier).to_owned(),
                            column: column.unwrap_or_default(),
                            key: declared.clone(),
                            at: place,
                            declared: declaration.clone(),
                        }
                        .into(),
                    );
                    return;
                }
            }
        }
        self.findings.version_uses.push(VersionUse { source, key, place });
    }
}

/// The parts of a condition that must all be true.
pub(crate) fn conjuncts(condition: &Expr) -> Vec<&Expr> {
    match condition {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            let mut parts = conjuncts(left);
            parts.extend(conjuncts(right));
            parts
        }
        Expr::Nested(inner) => conjuncts(inner),
        other => vec![other],
    }
}

/// The position of the column of `right` that `expr` is.
fn column_of(expr: &Expr, right: &Relation, left: &Scope) -> Option<usize> {
    let position = |name: &str| right.columns.iter().position(|column| column.name == name);
    match expr {
        Expr::Nested(inner) => column_of(inner, right, left),
        Expr::Identifier(name) => {
            let is_on_left = left
                .iter()
                .flat_map(|relation| &relation.columns)
                .any(|column| column.name == name.value);
            if is_on_left { None } else { position(&name.value) }
        }
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [table, name] if bare_name(&table.value) == right.qualifier => position(&name.value),
            _ => None,
        },
        _ => None,
    }
}

fn names_no_column_of(expr: &Expr, right: &Relation) -> bool {
    use std::ops::ControlFlow;
    let named = sqlparser::ast::visit_expressions(expr, |inner| match inner {
        Expr::CompoundIdentifier(parts)
            if parts.first().is_some_and(|table| bare_name(&table.value) == right.qualifier) =>
        {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    named.is_continue()
}
