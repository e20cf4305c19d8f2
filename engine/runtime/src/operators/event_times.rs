//! Time columns as milliseconds.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow::error::ArrowError;

/// The event times of a column.
///
/// # Units
/// Milliseconds; finer times are cut down to the millisecond before them, as in Flink.
///
/// # Errors
/// If the column is no timestamp.
pub(crate) fn event_times(column: &ArrayRef) -> Result<Int64Array, ArrowError> {
    Ok(match column.data_type() {
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            column.as_primitive::<TimestampMillisecondType>().reinterpret_cast::<Int64Type>()
        }
        DataType::Timestamp(TimeUnit::Second, _) => {
            column.as_primitive::<TimestampSecondType>().unary(|time| time.saturating_mul(1_000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            column.as_primitive::<TimestampMicrosecondType>().unary(|time| time.div_euclid(1_000))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => column
            .as_primitive::<TimestampNanosecondType>()
            .unary(|time| time.div_euclid(1_000_000)),
        other => {
            return Err(ArrowError::InvalidArgumentError(format!("`{other}` is no event time")));
        }
    })
}

/// Milliseconds as a column of a timestamp type.
///
/// # Errors
/// If the type is no timestamp or cannot hold a time.
pub(crate) fn timestamps(times: &Int64Array, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    let zone = match data_type {
        DataType::Timestamp(_, zone) => zone.clone(),
        other => {
            return Err(ArrowError::InvalidArgumentError(format!("`{other}` is no timestamp")));
        }
    };
    let millis: ArrayRef = std::sync::Arc::new(
        times.reinterpret_cast::<TimestampMillisecondType>().with_timezone_opt(zone),
    );
    if millis.data_type() == data_type { Ok(millis) } else { cast(&millis, data_type) }
}
