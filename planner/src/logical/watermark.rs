//! `Watermark`: a source's rows with their event time.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use datafusion::common::{Column, DFSchema, DFSchemaRef, Result, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use crate::tables::RECORD_TIMESTAMP;

/// Rows of a source, one scan below. The time column is read whether or not the query names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Watermark {
    pub(crate) input: LogicalPlan,
    /// Position of the source in the project.
    pub(crate) source: usize,
    pub(crate) time: Expr,
    pub(crate) out_of_orderness_ms: i64,
    /// Key columns, where rows are versions.
    pub(crate) version_key: Option<Vec<String>>,
    schema: DFSchemaRef,
}

impl Watermark {
    pub(crate) fn try_new(
        input: LogicalPlan,
        source: usize,
        time: Column,
        out_of_orderness_ms: i64,
        version_key: Option<Vec<String>>,
    ) -> Result<Self> {
        let schema = schema_of(&input, version_key.is_some())?;
        let time = Expr::Column(time);
        Ok(Self { input, source, time, out_of_orderness_ms, version_key, schema })
    }
}

/// The hidden time is seen by a temporal join only.
fn schema_of(input: &LogicalPlan, has_versions: bool) -> Result<DFSchemaRef> {
    if has_versions {
        return Ok(Arc::clone(input.schema()));
    }
    let fields = input
        .schema()
        .iter()
        .filter(|(_, field)| field.name() != RECORD_TIMESTAMP)
        .map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)))
        .collect();
    Ok(Arc::new(DFSchema::new_with_metadata(fields, input.schema().metadata().clone())?))
}

impl PartialOrd for Watermark {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for Watermark {
    fn name(&self) -> &'static str {
        "Watermark"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![self.time.clone()]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watermark: {} - {} ms", self.time, self.out_of_orderness_ms)?;
        match &self.version_key {
            Some(key) => write!(f, ", versions by {}", key.join(", ")),
            None => Ok(()),
        }
    }

    fn with_exprs_and_inputs(
        &self,
        mut exprs: Vec<Expr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        let (Some(time), Some(input)) = (exprs.pop(), inputs.pop()) else {
            return plan_err!("Watermark has one input and one time");
        };
        let schema = schema_of(&input, self.version_key.is_some())?;
        Ok(Self { input, time, schema, version_key: self.version_key.clone(), ..*self })
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let input = self.input.schema();
        let columns = output_columns
            .iter()
            .map(|output| {
                let (qualifier, field) = self.schema.qualified_field(*output);
                input.index_of_column_by_name(qualifier, field.name())
            })
            .collect::<Option<Vec<usize>>>()?;
        Some(vec![columns])
    }
}
