//! One of our functions as DataFusion sees it.
//!
//! A [`Definition`] is a line of a table: name, parameters, result type, kernel. Flink casts nothing
//! silently but to a wider number, so parameters name families, and an argument of another family
//! is refused.

use std::hash::{Hash, Hasher};

use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::call::Call;
use super::types::{common_type, flink_type_name};
use crate::dataflow::StepClock;

/// One function.
///
/// `parameters` lists the overloads, separated by blanks, a letter a parameter: `S` text, `I`
/// integer up to INT, `L` integer up to BIGINT, `D` any number (read as DOUBLE), `N` any number as
/// it is, `B` boolean, `Y` bytes, `T` TIMESTAMP or TIMESTAMP_LTZ, `E` DATE, `C` TIME, `X` array,
/// `M` map, `A` anything, `=` the common type of all arguments; a `*` behind a letter repeats it
/// from once on.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) name: &'static str,
    pub(super) parameters: &'static str,
    pub(super) returns: fn(&ReturnFieldArgs<'_>) -> Result<DataType>,
    pub(super) evaluate: fn(&Call<'_>) -> Result<arrow::array::ArrayRef>,
}

/// Shorthand for a table line.
pub(super) const fn define(
    name: &'static str,
    parameters: &'static str,
    returns: fn(&ReturnFieldArgs<'_>) -> Result<DataType>,
    evaluate: fn(&Call<'_>) -> Result<arrow::array::ArrayRef>,
) -> Definition {
    Definition { name, parameters, returns, evaluate }
}

/// A definition with its clock.
#[derive(Debug)]
pub(super) struct Builtin {
    definition: &'static Definition,
    signature: Signature,
    clock: StepClock,
}

impl Builtin {
    pub(super) fn new(definition: &'static Definition, clock: StepClock) -> Self {
        let is_clock = super::now::DEFINITIONS.iter().any(|now| now.name == definition.name);
        let volatility = if is_clock { Volatility::Volatile } else { Volatility::Immutable };
        Self { definition, signature: Signature::user_defined(volatility), clock }
    }

    /// As the user wrote it: forms of the language are functions with names of their own.
    fn shown_name(&self) -> &str {
        match self.definition.name {
            "$CONCATENATE" => "||",
            "$NEGATE" => "-",
            "$ITEM" => "[…]",
            "$IS_JSON" => "IS JSON",
            name => name.trim_start_matches('$'),
        }
    }
}

impl PartialEq for Builtin {
    fn eq(&self, other: &Self) -> bool {
        self.definition.name == other.definition.name
    }
}

impl Eq for Builtin {}

impl Hash for Builtin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.definition.name.hash(state);
    }
}

impl ScalarUDFImpl for Builtin {
    fn name(&self) -> &str {
        self.definition.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("`{}` needs its arguments to know its type", self.shown_name())
    }

    fn return_field_from_args(
        &self,
        args: ReturnFieldArgs<'_>,
    ) -> Result<arrow::datatypes::FieldRef> {
        let data_type = (self.definition.returns)(&args)?;
        Ok(std::sync::Arc::new(arrow::datatypes::Field::new(self.name(), data_type, true)))
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let mut overloads = self.definition.parameters.split(' ');
        if let Some(coerced) = overloads.find_map(|overload| bind(overload, arguments)) {
            return Ok(coerced);
        }
        let types = arguments.iter().map(flink_type_name).collect::<Vec<_>>().join(", ");
        plan_err!("`{}` cannot be applied to ({types})", self.shown_name())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let call = Call {
            name: self.shown_name(),
            arguments: &args.args,
            rows,
            return_type: args.return_field.data_type(),
            clock: &self.clock,
        };
        let array = (self.definition.evaluate)(&call)?;
        if array.data_type() != call.return_type || array.len() != rows {
            return exec_err!(
                "`{}` gave {} rows of {} for {rows} rows of {}",
                call.name,
                array.len(),
                array.data_type(),
                call.return_type
            );
        }
        if is_constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }
}

/// The types to cast the arguments to, if they fit the overload.
fn bind(overload: &str, arguments: &[DataType]) -> Option<Vec<DataType>> {
    let (letters, repeats) = match overload.strip_suffix('*') {
        Some(letters) => (letters, true),
        None => (overload, false),
    };
    let letters: Vec<char> = letters.chars().collect();
    let fits =
        if repeats { arguments.len() >= letters.len() } else { arguments.len() == letters.len() };
    if !fits {
        return None;
    }
    if overload.starts_with('=') {
        let common = common_type(arguments)?;
        return Some(vec![common; arguments.len()]);
    }
    let letter_of = |index: usize| letters.get(index).or_else(|| letters.last()).copied();
    let bound = arguments.iter().enumerate();
    bound.map(|(index, argument)| bind_one(letter_of(index)?, argument)).collect()
}

fn bind_one(letter: char, argument: &DataType) -> Option<DataType> {
    use DataType as D;
    let canonical = match letter {
        'S' => D::Utf8,
        'I' => D::Int32,
        'L' => D::Int64,
        'D' => D::Float64,
        'B' => D::Boolean,
        'Y' => D::Binary,
        'E' => D::Date32,
        _ => argument.clone(),
    };
    let fits = match letter {
        'S' => matches!(argument, D::Utf8),
        'I' => matches!(argument, D::Int8 | D::Int16 | D::Int32),
        'L' => matches!(argument, D::Int8 | D::Int16 | D::Int32 | D::Int64),
        'D' | 'N' => is_number(argument),
        'B' => matches!(argument, D::Boolean),
        'Y' => matches!(argument, D::Binary),
        'T' => matches!(argument, D::Timestamp(_, _)),
        'E' => matches!(argument, D::Date32),
        'C' => matches!(argument, D::Time32(_)),
        'X' => matches!(argument, D::List(_)),
        'M' => matches!(argument, D::Map(_, _)),
        'A' => true,
        _ => false,
    };
    (fits || (argument.is_null() && !matches!(letter, 'N' | 'T' | 'C' | 'X' | 'M')))
        .then_some(canonical)
}

pub(super) fn is_number(data_type: &DataType) -> bool {
    use DataType as D;
    matches!(
        data_type,
        D::Int8 | D::Int16 | D::Int32 | D::Int64 | D::Float32 | D::Float64 | D::Decimal128(_, _)
    )
}

/// Result types for the tables.
#[expect(clippy::unnecessary_wraps, reason = "functions of one table have one shape")]
pub(super) mod returns {
    use super::{DataType, Result, ReturnFieldArgs};

    pub(in crate::functions) fn text(_: &ReturnFieldArgs<'_>) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    pub(in crate::functions) fn int(_: &ReturnFieldArgs<'_>) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    pub(in crate::functions) fn bigint(_: &ReturnFieldArgs<'_>) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    pub(in crate::functions) fn double(_: &ReturnFieldArgs<'_>) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    pub(in crate::functions) fn boolean(_: &ReturnFieldArgs<'_>) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    pub(in crate::functions) fn date(_: &ReturnFieldArgs<'_>) -> Result<DataType> {
        Ok(DataType::Date32)
    }

    /// The type of the argument at `index`.
    pub(in crate::functions) fn argument(
        args: &ReturnFieldArgs<'_>,
        index: usize,
    ) -> Result<DataType> {
        match args.arg_fields.get(index) {
            Some(field) => Ok(field.data_type().clone()),
            None => datafusion::common::plan_err!("argument {} is missing", index + 1),
        }
    }

    pub(in crate::functions) fn first(args: &ReturnFieldArgs<'_>) -> Result<DataType> {
        argument(args, 0)
    }

    pub(in crate::functions) fn second(args: &ReturnFieldArgs<'_>) -> Result<DataType> {
        argument(args, 1)
    }

    /// The text of the literal argument at `index`.
    pub(in crate::functions) fn literal<'a>(
        args: &'a ReturnFieldArgs<'_>,
        index: usize,
    ) -> Option<&'a str> {
        args.scalar_arguments.get(index).copied().flatten()?.try_as_str().flatten()
    }

    /// The value of the literal integer argument at `index`.
    pub(in crate::functions) fn integer(args: &ReturnFieldArgs<'_>, index: usize) -> Option<i64> {
        let value = args.scalar_arguments.get(index).copied().flatten()?;
        match value.cast_to(&DataType::Int64).ok()? {
            datafusion::common::ScalarValue::Int64(value) => value,
            _ => None,
        }
    }
}
