//! Aggregate functions by Flink's result types. They are planned, never called: the runtime has
//! accumulators of its own.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType};
use catalog::schema::{ColumnType, array_of, flink_type_name, multiset_of};
use datafusion::common::{Result, not_impl_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

use arrow::datatypes::FieldRef;

use crate::dataflow::AggregateFunction;

/// Names and functions.
const NAMES: [(&str, AggregateFunction); 16] = [
    ("count", AggregateFunction::Count),
    ("sum", AggregateFunction::Sum),
    ("avg", AggregateFunction::Avg),
    ("min", AggregateFunction::Min),
    ("max", AggregateFunction::Max),
    ("collect", AggregateFunction::Collect),
    ("listagg", AggregateFunction::ListAgg),
    ("array_agg", AggregateFunction::ArrayAgg),
    ("first_value", AggregateFunction::FirstValue),
    ("last_value", AggregateFunction::LastValue),
    ("stddev_pop", AggregateFunction::StddevPop),
    ("stddev_samp", AggregateFunction::StddevSamp),
    ("stddev", AggregateFunction::StddevSamp),
    ("var_pop", AggregateFunction::VarPop),
    ("var_samp", AggregateFunction::VarSamp),
    ("variance", AggregateFunction::VarSamp),
];

/// All of them by lower-case name.
pub(crate) fn aggregate_functions() -> HashMap<&'static str, Arc<AggregateUDF>> {
    NAMES
        .into_iter()
        .map(|(name, function)| {
            let planned = PlannedAggregate {
                name,
                function,
                signature: Signature::user_defined(Volatility::Immutable),
            };
            (name, Arc::new(AggregateUDF::from(planned)))
        })
        .collect()
}

/// The function that a planned aggregate stands for.
pub(crate) fn function_of(aggregate: &AggregateUDF) -> Option<AggregateFunction> {
    let any: &dyn std::any::Any = aggregate.inner().as_ref();
    any.downcast_ref::<PlannedAggregate>().map(|planned| planned.function)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PlannedAggregate {
    name: &'static str,
    function: AggregateFunction,
    signature: Signature,
}

impl AggregateUDFImpl for PlannedAggregate {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        result_type(self.function, arguments)
            .map(|_| arguments.to_vec())
            .or_else(|message| plan_err!("{}: {message}", self.name.to_uppercase()))
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        result_type(self.function, arguments)
            .or_else(|message| plan_err!("{}: {message}", self.name.to_uppercase()))
    }

    fn is_nullable(&self) -> bool {
        match self.function {
            AggregateFunction::Count | AggregateFunction::Collect => false,
            AggregateFunction::Sum
            | AggregateFunction::Avg
            | AggregateFunction::Min
            | AggregateFunction::Max
            | AggregateFunction::ListAgg
            | AggregateFunction::ArrayAgg
            | AggregateFunction::FirstValue
            | AggregateFunction::LastValue
            | AggregateFunction::StddevPop
            | AggregateFunction::StddevSamp
            | AggregateFunction::VarPop
            | AggregateFunction::VarSamp => true,
        }
    }

    fn accumulator(&self, _arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        not_impl_err!("{} is planned, never called", self.name)
    }

    fn state_fields(&self, _arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(Vec::new())
    }
}

/// Flink's type of an aggregate's result.
///
/// # Errors
/// Why these arguments do not fit, as a fragment.
fn result_type(function: AggregateFunction, arguments: &[DataType]) -> Result<DataType, String> {
    let one = || match arguments {
        [only] => Ok(only),
        _ => Err(format!("takes one argument, not {}", arguments.len())),
    };
    let number = || {
        let only = one()?;
        if only.is_numeric() {
            Ok(only)
        } else {
            Err(format!("takes a number, not {}", flink_type_name(only)))
        }
    };
    match function {
        AggregateFunction::Count if arguments.is_empty() => Ok(DataType::Int64),
        AggregateFunction::Count => one().map(|_| DataType::Int64),
        AggregateFunction::Sum => Ok(match number()? {
            DataType::Decimal128(_, scale) => {
                DataType::Decimal128(DECIMAL128_MAX_PRECISION, *scale)
            }
            other => other.clone(),
        }),
        AggregateFunction::Avg
        | AggregateFunction::StddevPop
        | AggregateFunction::StddevSamp
        | AggregateFunction::VarPop
        | AggregateFunction::VarSamp => Ok(match number()? {
            DataType::Decimal128(_, scale) => {
                DataType::Decimal128(DECIMAL128_MAX_PRECISION, (*scale).max(6))
            }
            other => other.clone(),
        }),
        AggregateFunction::Min | AggregateFunction::Max => match one()? {
            DataType::List(_) | DataType::Map(..) | DataType::Struct(_) | DataType::Binary => {
                Err("takes a number, a string, a boolean or a time".to_owned())
            }
            other => Ok(other.clone()),
        },
        AggregateFunction::Collect => one().map(|element| multiset_of(element.clone())),
        AggregateFunction::ListAgg => match arguments {
            [DataType::Utf8] | [DataType::Utf8, DataType::Utf8] => Ok(DataType::Utf8),
            _ => Err("takes a string, and a string between".to_owned()),
        },
        AggregateFunction::ArrayAgg => {
            one().map(|item| array_of(ColumnType { data_type: item.clone(), is_nullable: true }))
        }
        AggregateFunction::FirstValue | AggregateFunction::LastValue => one().cloned(),
    }
}
