//! Names to columns, over one query: what each output column is made of, and how columns are used.
//!
//! This runs before types are known: its findings are what types, event times and keys are inferred
//! from. All unknown names of a query are found in one go.
//!
//! **Invariant:** a column of a table that could not be resolved is never a second mistake.

use std::collections::HashMap;

use catalog::diagnostic::closest;
use catalog::place::Place;
use sqlparser::ast::{
    Expr, GroupByExpr, Ident, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, Spanned, TableAlias, TableFactor, TableVersion,
    TableWithJoins,
};
use sqlparser::tokenizer::Span;

use super::span::Places;
use crate::diagnostic::{NameMistake, PlanDiagnostic, StreamMistake};

mod expressions;
mod versions;

/// A column of a source, by position in the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ColumnId {
    pub(crate) source: usize,
    pub(crate) column: usize,
}

/// What a column or an expression is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lineage {
    /// The source column that it is, unchanged.
    pub(crate) is: Option<ColumnId>,
    /// Source columns whose type it has.
    pub(crate) like: Vec<ColumnId>,
    /// Its type, where the expression alone says it.
    pub(crate) kind: Option<Kind>,
    /// Whether it is the time attribute of a window's result.
    pub(crate) is_window_time: bool,
}

impl Lineage {
    pub(super) fn of_kind(kind: Kind) -> Self {
        Self { kind: Some(kind), ..Self::default() }
    }
}

/// Families of types, as far as a use shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// TIMESTAMP or TIMESTAMP_LTZ.
    Time,
    /// Any number.
    Number,
    /// BOOLEAN.
    Boolean,
    /// STRING.
    Text,
    /// A quoted literal: STRING, or a time next to a time.
    Literal,
}

/// A column of a table or of a query's result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OutputColumn {
    pub(crate) name: String,
    pub(crate) lineage: Lineage,
    /// Where it is declared or computed.
    pub(crate) place: Option<Place>,
    /// Processing time, which no topic holds.
    pub(crate) is_proctime: bool,
}

/// A source or a model that a query can read.
#[derive(Debug, Clone)]
pub(crate) struct KnownTable {
    /// Name in the project.
    pub(crate) name: String,
    /// "source" or "model".
    pub(crate) word: &'static str,
    /// Position among the sources, for a source.
    pub(crate) source: Option<usize>,
    /// The declared key column and where, for a source.
    pub(crate) key: Option<(String, Place)>,
    pub(crate) columns: Vec<OutputColumn>,
    /// Where it is declared.
    pub(crate) place: Place,
    /// A broken model: its columns are not known.
    pub(crate) is_open: bool,
}

/// All tables by their name in rendered SQL.
pub(crate) type KnownTables = HashMap<String, KnownTable>;

/// A column is used as if it had a type.
#[derive(Debug, Clone)]
pub(crate) struct Use {
    pub(crate) column: ColumnId,
    pub(crate) kind: Kind,
    /// Such as "AVG" or "comparison with a number".
    pub(crate) reason: String,
    pub(crate) place: Place,
}

/// Two columns must have one type.
#[derive(Debug, Clone)]
pub(crate) struct SameType {
    pub(crate) left: ColumnId,
    pub(crate) right: ColumnId,
    pub(crate) place: Place,
}

/// A column is used as the time of its rows.
#[derive(Debug, Clone)]
pub(crate) struct TimeUse {
    pub(crate) lineage: Lineage,
    /// As written.
    pub(crate) column: String,
    /// `TUMBLE` or `FOR SYSTEM_TIME AS OF`.
    pub(crate) function: &'static str,
    pub(crate) place: Place,
    /// Where the column was computed, if it comes from a query or model.
    pub(crate) computed: Option<Place>,
}

/// A source is read as a versioned table.
#[derive(Debug, Clone)]
pub(crate) struct VersionUse {
    pub(crate) source: usize,
    /// Columns that it is joined on.
    pub(crate) key: Vec<usize>,
    pub(crate) place: Place,
}

/// Everything that one query shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Findings {
    pub(crate) columns: Vec<OutputColumn>,
    pub(crate) uses: Vec<Use>,
    pub(crate) same_types: Vec<SameType>,
    pub(crate) time_uses: Vec<TimeUse>,
    pub(crate) version_uses: Vec<VersionUse>,
    pub(crate) mistakes: Vec<PlanDiagnostic>,
}

/// Resolves every name of `query`.
pub(crate) fn resolve(query: &Query, tables: &KnownTables, places: &Places) -> Findings {
    let mut resolver =
        Resolver { tables, places, queries: Vec::new(), findings: Findings::default() };
    let result = resolver.query(query);
    let mut findings = resolver.findings;
    findings.columns = result.columns;
    findings
}

pub(super) struct Resolver<'a> {
    tables: &'a KnownTables,
    places: &'a Places,
    /// Queries of WITH that are in scope, innermost last.
    queries: Vec<(String, Relation)>,
    findings: Findings,
}

/// One table of a FROM clause, or a query's result.
#[derive(Debug, Clone, Default)]
pub(super) struct Relation {
    /// How columns can be qualified.
    qualifier: String,
    /// For messages: "source `clickstream`".
    description: String,
    columns: Vec<OutputColumn>,
    /// Its columns are not known: it is broken.
    is_open: bool,
    declared: Option<(Place, String)>,
    /// Position among the sources, for a source itself.
    source: Option<usize>,
    key: Option<(String, Place)>,
}

/// The tables whose columns an expression may name.
pub(super) type Scope = [Relation];

impl Resolver<'_> {
    fn query(&mut self, query: &Query) -> Relation {
        let outer = self.queries.len();
        if let Some(with) = &query.with {
            for cte in &with.cte_tables {
                let mut result = self.query(&cte.query);
                rename(&mut result, Some(&cte.alias));
                self.queries.push((cte.alias.name.value.clone(), result));
            }
        }
        let result = match query.body.as_ref() {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            // Refused by the check; nothing more is said about their columns.
            _ => Relation { is_open: true, ..Relation::default() },
        };
        self.queries.truncate(outer);
        result
    }

    fn select(&mut self, select: &Select) -> Relation {
        let mut scope = Vec::new();
        for table in &select.from {
            self.from(table, &mut scope);
        }
        if let Some(condition) = &select.selection {
            self.boolean(condition, &scope, "WHERE");
        }
        let groups: &[Expr] = match &select.group_by {
            GroupByExpr::Expressions(groups, _) => groups,
            GroupByExpr::All(_) => &[],
        };
        for group in groups {
            self.expression(group, &scope);
        }
        if let Some(condition) = &select.having {
            self.boolean(condition, &scope, "HAVING");
        }
        let is_open = scope.iter().any(|relation| relation.is_open);
        let mut result = Relation { is_open, ..Relation::default() };
        for item in &select.projection {
            self.select_item(item, &scope, &mut result);
        }
        if !groups.is_empty() {
            // A grouped query's rows have the window's time, not their inputs'.
            for column in &mut result.columns {
                column.lineage.is = None;
            }
        }
        self.refuse_duplicates(&result.columns);
        result
    }

    fn select_item(&mut self, item: &SelectItem, scope: &Scope, result: &mut Relation) {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let name = match expr {
                    Expr::Identifier(ident) => ident.value.clone(),
                    Expr::CompoundIdentifier(parts) => {
                        parts.last().map_or_else(String::new, |part| part.value.clone())
                    }
                    _ => format!("EXPR${}", result.columns.len()),
                };
                self.output(name, expr, scope, result);
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                self.output(alias.value.clone(), expr, scope, result);
            }
            SelectItem::Wildcard(_) => {
                let columns: Vec<OutputColumn> =
                    scope.iter().flat_map(|relation| relation.columns.iter().cloned()).collect();
                self.wildcard(columns, item.span(), result);
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                let qualifier = last_part(name);
                match scope.iter().find(|relation| relation.qualifier == qualifier) {
                    Some(relation) => {
                        self.wildcard(relation.columns.clone(), item.span(), result);
                    }
                    None => self.unknown_qualifier(&qualifier, scope, item.span()),
                }
            }
            // Refused by the check.
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(_), _)
            | SelectItem::ExprWithAliases { .. } => result.is_open = true,
        }
    }

    fn output(&mut self, name: String, expr: &Expr, scope: &Scope, result: &mut Relation) {
        let lineage = self.expression(expr, scope);
        let place = Some(self.places.place(expr.span()));
        result.columns.push(OutputColumn { name, lineage, place, is_proctime: false });
    }

    fn wildcard(&mut self, columns: Vec<OutputColumn>, at: Span, result: &mut Relation) {
        if columns.iter().any(|column| column.is_proctime) {
            self.proctime(at);
        }
        result.columns.extend(columns);
    }

    fn refuse_duplicates(&mut self, columns: &[OutputColumn]) {
        let mut seen: HashMap<&str, &OutputColumn> = HashMap::new();
        for column in columns {
            let Some(first) = seen.insert(&column.name, column) else { continue };
            let at = column.place.clone().unwrap_or_else(|| self.places.whole());
            let first = first.place.clone().unwrap_or_else(|| self.places.whole());
            let column = column.name.clone();
            self.mistake(NameMistake::DuplicateColumn { column, at, first });
        }
    }

    fn from(&mut self, table: &TableWithJoins, scope: &mut Vec<Relation>) {
        let first = self.relation(&table.relation);
        scope.push(first);
        for join in &table.joins {
            let right = self.relation(&join.relation);
            if let TableFactor::Table {
                version: Some(TableVersion::ForSystemTimeAsOf(time)), ..
            } = &join.relation
            {
                self.time_use(time, scope, "FOR SYSTEM_TIME AS OF");
                self.version_use(join, &right, scope);
            }
            scope.push(right);
            let on = match &join.join_operator {
                JoinOperator::Join(JoinConstraint::On(on))
                | JoinOperator::Inner(JoinConstraint::On(on))
                | JoinOperator::Left(JoinConstraint::On(on))
                | JoinOperator::LeftOuter(JoinConstraint::On(on)) => Some(on),
                _ => None,
            };
            if let Some(on) = on {
                self.boolean(on, scope, "ON");
            }
            if let Some(right) = scope.last_mut() {
                // Only the left side's time is the time of a joined row.
                right.columns.iter_mut().for_each(|column| column.lineage.is = None);
            }
        }
    }

    fn relation(&mut self, factor: &TableFactor) -> Relation {
        match factor {
            TableFactor::Table { name, alias, .. } => {
                let mut relation = self.table(name);
                rename(&mut relation, alias.as_ref());
                relation
            }
            TableFactor::Derived { subquery, alias, .. } => {
                let mut relation = self.query(subquery);
                "the query in FROM".clone_into(&mut relation.description);
                rename(&mut relation, alias.as_ref());
                relation
            }
            // Refused by the check.
            _ => Relation { is_open: true, ..Relation::default() },
        }
    }

    fn table(&mut self, name: &ObjectName) -> Relation {
        let written = last_part(name);
        if name.0.len() == 1 {
            if let Some((_, query)) = self.queries.iter().rev().find(|(cte, _)| *cte == written) {
                let mut relation = query.clone();
                relation.qualifier.clone_from(&written);
                relation.description = format!("query `{written}`");
                return relation;
            }
            if let Some(table) = self.tables.get(&written) {
                return known_relation(table);
            }
        }
        let help = self.help_for_table(&written);
        let at = self.places.place(name.span());
        self.mistake(NameMistake::UnknownTable { table: name.to_string(), help, at });
        Relation { qualifier: written, is_open: true, ..Relation::default() }
    }

    fn help_for_table(&self, written: &str) -> Option<String> {
        let mut tables: Vec<&KnownTable> = self.tables.values().collect();
        tables.sort_by(|left, right| (left.word, &left.name).cmp(&(right.word, &right.name)));
        if let Some(table) = tables.iter().find(|table| table.name == written) {
            let function = if table.word == "source" { "source" } else { "ref" };
            return Some(format!("Write {{{{ {function}(\"{written}\") }}}}."));
        }
        let names = tables.iter().map(|table| table.name.as_str());
        let queries = self.queries.iter().map(|(name, _)| name.as_str());
        closest(written, names.chain(queries)).first().map(|name| format!("did you mean `{name}`?"))
    }

    /// The relation and the column that a name means; the mistake is already noted if there is none.
    fn column<'s>(
        &mut self,
        qualifier: Option<&Ident>,
        name: &Ident,
        scope: &'s Scope,
    ) -> Option<(&'s Relation, &'s OutputColumn)> {
        let tables: Vec<&Relation> = match qualifier {
            None => scope.iter().collect(),
            Some(qualifier) => {
                let wanted = bare_name(&qualifier.value);
                let tables: Vec<&Relation> =
                    scope.iter().filter(|relation| relation.qualifier == wanted).collect();
                if tables.is_empty() {
                    self.unknown_qualifier(wanted, scope, qualifier.span);
                    return None;
                }
                tables
            }
        };
        let mut found = tables.iter().filter_map(|relation| {
            let mut columns = relation.columns.iter();
            columns.find(|column| column.name == name.value).map(|column| (*relation, column))
        });
        match (found.next(), found.next()) {
            (Some(only), None) => {
                if only.1.is_proctime {
                    self.proctime(name.span);
                }
                Some(only)
            }
            (Some((first, _)), Some((second, _))) => {
                let tables = vec![first.qualifier.clone(), second.qualifier.clone()];
                let at = self.places.place(name.span);
                let column = name.value.clone();
                self.mistake(NameMistake::AmbiguousColumn { column, tables, at });
                None
            }
            (None, _) => {
                if !tables.iter().any(|relation| relation.is_open) {
                    self.unknown_column(name, &tables);
                }
                None
            }
        }
    }

    fn unknown_column(&mut self, name: &Ident, tables: &[&Relation]) {
        let columns = tables.iter().flat_map(|table| &table.columns);
        let suggestions = closest(&name.value, columns.map(|column| column.name.as_str()));
        let searched = match tables {
            [only] => only.description.clone(),
            _ => "any table of this query".to_owned(),
        };
        let declared = match tables {
            [only] => only.declared.clone(),
            _ => None,
        };
        let at = self.places.place(name.span);
        let column = name.value.clone();
        self.mistake(NameMistake::UnknownColumn { column, searched, suggestions, at, declared });
    }

    fn unknown_qualifier(&mut self, written: &str, scope: &Scope, at: Span) {
        if scope.iter().any(|relation| relation.is_open && relation.qualifier.is_empty()) {
            return;
        }
        let known = scope.iter().map(|relation| relation.qualifier.as_str());
        let help = match closest(written, known.clone()).first() {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let known: Vec<String> = known.map(|name| format!("`{name}`")).collect();
                format!("The tables of this query are {}.", known.join(", "))
            }
        };
        let at = self.places.place(at);
        let table = written.to_owned();
        self.mistake(NameMistake::UnknownTable { table, help: Some(help), at });
    }

    fn proctime(&mut self, at: Span) {
        let at = self.places.place(at);
        self.findings
            .mistakes
            .push(StreamMistake::not_supported("a processing-time column", at).into());
    }

    fn mistake(&mut self, mistake: NameMistake) {
        self.findings.mistakes.push(mistake.into());
    }
}

fn known_relation(table: &KnownTable) -> Relation {
    let count = table.columns.len();
    let declared = match table.word {
        "source" => Some((table.place.clone(), format!("declared here with {count} columns"))),
        _ => Some((table.place.clone(), format!("this query gives {count} columns"))),
    };
    Relation {
        qualifier: table.name.clone(),
        description: format!("{} `{}`", table.word, table.name),
        columns: table.columns.clone(),
        is_open: table.is_open,
        declared,
        source: table.source,
        key: table.key.clone(),
    }
}

fn rename(relation: &mut Relation, alias: Option<&TableAlias>) {
    let Some(alias) = alias else { return };
    relation.qualifier.clone_from(&alias.name.value);
    for (column, new) in relation.columns.iter_mut().zip(&alias.columns) {
        column.name.clone_from(&new.name.value);
    }
}

/// `source.x` and `model.x`, as templates write them, without the first word.
pub(crate) fn bare_name(rendered: &str) -> &str {
    rendered.strip_prefix("source.").or_else(|| rendered.strip_prefix("model.")).unwrap_or(rendered)
}

fn last_part(name: &ObjectName) -> String {
    let part = name.0.last().and_then(|part| part.as_ident());
    part.map_or_else(|| name.to_string(), |ident| ident.value.clone())
}
