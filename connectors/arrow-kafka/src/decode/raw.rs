//! The whole value as one column: text or bytes as they are, numbers in big-endian bytes, as
//! Flink's `raw` format.

use arrow::datatypes::DataType;

use super::column::{Column, Token};
use crate::rejected::{Misfit, Problem};

/// Whether a whole value can be a column of this type.
pub(super) fn is_supported(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8
            | DataType::Binary
            | DataType::Boolean
            | DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Float32
            | DataType::Float64
    )
}

/// Appends the value `bytes`.
pub(super) fn append(
    column: &mut Column,
    data_type: &DataType,
    bytes: &[u8],
) -> Result<(), Misfit> {
    let number = match data_type {
        DataType::Boolean => match bytes {
            [byte] => return column.append(Token::Bool(*byte != 0)),
            _ => None,
        },
        DataType::Int8 => bytes.try_into().ok().map(|b| i64::from(i8::from_be_bytes(b))),
        DataType::Int16 => bytes.try_into().ok().map(|b| i64::from(i16::from_be_bytes(b))),
        DataType::Int32 => bytes.try_into().ok().map(|b| i64::from(i32::from_be_bytes(b))),
        DataType::Int64 => bytes.try_into().ok().map(i64::from_be_bytes),
        DataType::Float32 => match bytes.try_into() {
            Ok(bytes) => {
                column.append_double(f64::from(f32::from_be_bytes(bytes)));
                return Ok(());
            }
            Err(_length) => None,
        },
        DataType::Float64 => match bytes.try_into() {
            Ok(bytes) => {
                column.append_double(f64::from_be_bytes(bytes));
                return Ok(());
            }
            Err(_length) => None,
        },
        _ => return column.append_bytes(bytes),
    };
    match number {
        Some(number) => column.append_number(Some(number)),
        None => {
            let found = format!("{} bytes", bytes.len());
            Err(Misfit::new(Problem::WrongType, data_type, &found))
        }
    }
}

#[cfg(test)]
mod tests;
