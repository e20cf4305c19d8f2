//! One call over one batch: typed views of the arguments, and loops that build the result.
//!
//! A constant argument stays one value; nothing is expanded to a column.

#![expect(clippy::unnecessary_wraps, reason = "functions of one table have one shape")]

use std::sync::Arc;

use arrow::array::{
    Array, ArrayAccessor, ArrayRef, BooleanBuilder, PrimitiveArray, PrimitiveBuilder, StringArray,
    StringBuilder,
};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Float64Type, Int32Type, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ColumnarValue;

use crate::dataflow::StepClock;

/// What a kernel sees.
pub(super) struct Call<'a> {
    /// The function's name for messages.
    pub(super) name: &'a str,
    /// The arguments, of the types that the parameters name.
    pub(super) arguments: &'a [ColumnarValue],
    /// Rows of the result; 1 if all arguments are constants.
    pub(super) rows: usize,
    /// What the result must be.
    pub(super) return_type: &'a DataType,
    /// The step's time.
    pub(super) clock: &'a StepClock,
}

/// An argument, row by row.
pub(super) enum Column<A> {
    /// The same in every row; row 0 of an array.
    Constant(A),
    /// A value a row.
    Rows(A),
}

impl<A: ArrayAccessor> Column<A> {
    /// The value of a row, or nothing for NULL.
    pub(super) fn get(&self, row: usize) -> Option<A::Item> {
        let (array, row) = match self {
            Self::Constant(array) => (array, 0),
            Self::Rows(array) => (array, row),
        };
        array.is_valid(row).then(|| array.value(row))
    }

    /// The value, if it is the same in every row and not NULL.
    pub(super) fn constant(&self) -> Option<A::Item> {
        match self {
            Self::Constant(array) if array.is_valid(0) => Some(array.value(0)),
            Self::Constant(_) | Self::Rows(_) => None,
        }
    }
}

/// An argument as an array; a constant has one row.
pub(super) struct Argument {
    pub(super) array: ArrayRef,
    pub(super) is_constant: bool,
}

impl Argument {
    /// A typed view.
    pub(super) fn column<A: Array + 'static>(&self) -> Result<Column<&A>> {
        let Some(array) = self.array.as_any().downcast_ref::<A>() else {
            return exec_err!("unexpected argument of type {}", self.array.data_type());
        };
        Ok(if self.is_constant { Column::Constant(array) } else { Column::Rows(array) })
    }

    pub(super) fn texts(&self) -> Result<Column<&StringArray>> {
        self.column()
    }

    pub(super) fn ints(&self) -> Result<Column<&PrimitiveArray<Int32Type>>> {
        self.column()
    }

    pub(super) fn bigints(&self) -> Result<Column<&PrimitiveArray<Int64Type>>> {
        self.column()
    }

    pub(super) fn doubles(&self) -> Result<Column<&PrimitiveArray<Float64Type>>> {
        self.column()
    }
}

impl Call<'_> {
    /// The argument at `index`.
    pub(super) fn argument(&self, index: usize) -> Result<Argument> {
        match self.arguments.get(index) {
            Some(ColumnarValue::Array(array)) => {
                Ok(Argument { array: Arc::clone(array), is_constant: false })
            }
            Some(ColumnarValue::Scalar(value)) => {
                Ok(Argument { array: value.to_array_of_size(1)?, is_constant: true })
            }
            None => exec_err!("`{}` lacks argument {}", self.name, index + 1),
        }
    }

    /// The argument with a value for every row of the result.
    pub(super) fn array(&self, index: usize) -> Result<ArrayRef> {
        match self.arguments.get(index) {
            Some(value) => value.to_array(self.rows),
            None => exec_err!("`{}` lacks argument {}", self.name, index + 1),
        }
    }

    pub(super) fn argument_count(&self) -> usize {
        self.arguments.len()
    }

    /// The constant text at `index`.
    pub(super) fn literal(&self, index: usize) -> Option<&str> {
        match self.arguments.get(index) {
            Some(ColumnarValue::Scalar(value)) => value.try_as_str().flatten(),
            Some(ColumnarValue::Array(_)) | None => None,
        }
    }

    /// Texts: `write` appends a row's text to the empty buffer, and says whether it is not NULL.
    pub(super) fn write_texts(
        &self,
        mut write: impl FnMut(usize, &mut String) -> Result<Option<()>>,
    ) -> Result<ArrayRef> {
        let mut builder = StringBuilder::with_capacity(self.rows, 0);
        let mut buffer = String::new();
        for row in 0..self.rows {
            buffer.clear();
            match write(row, &mut buffer)? {
                Some(()) => builder.append_value(&buffer),
                None => builder.append_null(),
            }
        }
        Ok(Arc::new(builder.finish()))
    }

    /// Texts that are parts of arguments.
    pub(super) fn slices<'b>(
        &self,
        mut slice: impl FnMut(usize) -> Option<&'b str>,
    ) -> Result<ArrayRef> {
        let mut builder = StringBuilder::with_capacity(self.rows, 0);
        for row in 0..self.rows {
            builder.append_option(slice(row));
        }
        Ok(Arc::new(builder.finish()))
    }

    /// Booleans.
    pub(super) fn booleans(
        &self,
        mut value: impl FnMut(usize) -> Result<Option<bool>>,
    ) -> Result<ArrayRef> {
        let mut builder = BooleanBuilder::with_capacity(self.rows);
        for row in 0..self.rows {
            builder.append_option(value(row)?);
        }
        Ok(Arc::new(builder.finish()))
    }

    /// Numbers and times; the array gets the result's type (units, zones, precisions).
    pub(super) fn values<T: ArrowPrimitiveType>(
        &self,
        mut value: impl FnMut(usize) -> Result<Option<T::Native>>,
    ) -> Result<ArrayRef> {
        let mut builder = PrimitiveBuilder::<T>::with_capacity(self.rows);
        for row in 0..self.rows {
            builder.append_option(value(row)?);
        }
        let array = builder.finish();
        if array.data_type() == self.return_type {
            return Ok(Arc::new(array));
        }
        Ok(Arc::new(array.with_data_type(self.return_type.clone())))
    }

    pub(super) fn ints(&self, value: impl FnMut(usize) -> Result<Option<i32>>) -> Result<ArrayRef> {
        self.values::<Int32Type>(value)
    }

    pub(super) fn bigints(
        &self,
        value: impl FnMut(usize) -> Result<Option<i64>>,
    ) -> Result<ArrayRef> {
        self.values::<Int64Type>(value)
    }

    pub(super) fn doubles(
        &self,
        value: impl FnMut(usize) -> Result<Option<f64>>,
    ) -> Result<ArrayRef> {
        self.values::<Float64Type>(value)
    }
}
