//! What needs what: the order of models, and the selection of a part of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::Diagnostic;
use crate::diagnostic::reference::ReferenceMistake;
use crate::place::Place;
use crate::project::model::{Model, ReferenceKind};

pub mod select;

/// Models so that each stands after those it refers to, else in the order they are declared.
///
/// Cycles are reported, each once, and their models keep their declared order.
pub(crate) fn in_dependency_order(
    models: Vec<Model>,
    mistakes: &mut Vec<Diagnostic>,
) -> Vec<Model> {
    let mut search = Search::new(&models);
    for start in 0..models.len() {
        search.visit(start, mistakes);
    }
    let mut ranks = vec![0; models.len()];
    for (rank, index) in search.order.iter().enumerate() {
        if let Some(slot) = ranks.get_mut(*index) {
            *slot = rank;
        }
    }
    let mut ranked: Vec<(usize, Model)> = ranks.into_iter().zip(models).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, model)| model).collect()
}

/// How far the search has come with a model.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    /// On the path from the start: meeting it again is a cycle.
    Open,
    Done,
}

/// A depth-first search with its own stack, since chains of models may be long.
struct Search<'m> {
    models: &'m [Model],
    /// For each model, the models it refers to and where.
    needs: Vec<Vec<(usize, &'m Place)>>,
    marks: Vec<Mark>,
    order: Vec<usize>,
}

impl<'m> Search<'m> {
    fn new(models: &'m [Model]) -> Self {
        let mut by_name = BTreeMap::new();
        for (index, model) in models.iter().enumerate() {
            by_name.entry(model.name.value.as_str()).or_insert(index);
        }
        let needs = models
            .iter()
            .map(|model| {
                let references =
                    model.dependencies().filter(|reference| reference.kind == ReferenceKind::Model);
                references
                    .filter_map(|reference| {
                        Some((*by_name.get(reference.name.as_str())?, &reference.place))
                    })
                    .collect()
            })
            .collect();
        Self { models, needs, marks: vec![Mark::New; models.len()], order: Vec::new() }
    }

    fn visit(&mut self, start: usize, mistakes: &mut Vec<Diagnostic>) {
        if self.mark(start) != Mark::New {
            return;
        }
        // Each step: a model, and which of its needs comes next.
        let mut path = vec![(start, 0_usize)];
        self.set(start, Mark::Open);
        while let Some((model, next)) = path.last_mut() {
            let (model, turn) = (*model, *next);
            *next += 1;
            let need = self.needs.get(model).and_then(|needs| needs.get(turn)).map(|need| need.0);
            match need.map(|need| (need, self.mark(need))) {
                Some((need, Mark::New)) => {
                    self.set(need, Mark::Open);
                    path.push((need, 0));
                }
                Some((need, Mark::Open)) => mistakes.push(self.cycle(&path, need).into()),
                Some((_, Mark::Done)) => {}
                None => {
                    self.set(model, Mark::Done);
                    self.order.push(model);
                    path.pop();
                }
            }
        }
    }

    /// The cycle that closes at `again`, which is on `path`.
    fn cycle(&self, path: &[(usize, usize)], again: usize) -> ReferenceMistake {
        let start = path.iter().position(|(model, _)| *model == again).unwrap_or(0);
        let steps = path.get(start..).unwrap_or_default();
        let name = |index: usize| {
            self.models.get(index).map(|model| model.name.value.clone()).unwrap_or_default()
        };
        let mut names: Vec<String> = steps.iter().map(|(model, _)| name(*model)).collect();
        names.push(name(again));
        // Each step has already moved on to its next need.
        let places = steps
            .iter()
            .filter_map(|(model, next)| self.needs.get(*model)?.get(next.checked_sub(1)?))
            .map(|(_, place)| (*place).clone())
            .collect();
        ReferenceMistake::Cycle { path: names, places }
    }

    fn mark(&self, index: usize) -> Mark {
        self.marks.get(index).copied().unwrap_or(Mark::Done)
    }

    fn set(&mut self, index: usize, mark: Mark) {
        if let Some(slot) = self.marks.get_mut(index) {
            *slot = mark;
        }
    }
}

/// Everything reachable from `start` along `edges`, at most `steps` away, without `start` itself.
fn reachable<N: Clone + Ord>(
    start: &N,
    edges: &BTreeMap<N, BTreeSet<N>>,
    steps: usize,
) -> BTreeSet<N> {
    let mut found = BTreeSet::new();
    let mut front = vec![start.clone()];
    for _ in 0..steps {
        let mut next = Vec::new();
        for node in &front {
            for neighbour in edges.get(node).into_iter().flatten() {
                if neighbour != start && found.insert(neighbour.clone()) {
                    next.push(neighbour.clone());
                }
            }
        }
        if next.is_empty() {
            break;
        }
        front = next;
    }
    found
}
