//! The current time: that of the step, the same for all rows and expressions of it.

#![expect(clippy::unnecessary_wraps, reason = "functions of one table have one shape")]

use arrow::array::ArrayRef;
use arrow::datatypes::{
    DataType, Date32Type, Int64Type, Time32MillisecondType, TimeUnit, TimestampMillisecondType,
};
use datafusion::common::Result;

use super::builtin::{Definition, define, returns};
use super::calendar::MILLIS_PER_DAY;
use super::call::Call;
use super::types::timestamp_ltz;

/// `UNIX_TIMESTAMP()`, which unlike the one with arguments reads the clock.
pub(crate) const UNIX_NOW: &str = "$UNIX_NOW";

pub(super) const DEFINITIONS: &[Definition] = &[
    define("CURRENT_TIMESTAMP", "", ltz, timestamp),
    define("NOW", "", ltz, timestamp),
    define("CURRENT_ROW_TIMESTAMP", "", ltz, timestamp),
    define("PROCTIME", "", ltz, timestamp),
    define(
        "LOCALTIMESTAMP",
        "",
        |_| Ok(DataType::Timestamp(TimeUnit::Millisecond, None)),
        timestamp,
    ),
    define("CURRENT_DATE", "", returns::date, |call| {
        let days = i32::try_from(millis(call).div_euclid(MILLIS_PER_DAY)).ok();
        call.values::<Date32Type>(|_| Ok(days))
    }),
    define("CURRENT_TIME", "", time_type, time),
    define("LOCALTIME", "", time_type, time),
    define(UNIX_NOW, "", returns::bigint, |call| {
        let seconds = millis(call).div_euclid(1000);
        call.values::<Int64Type>(|_| Ok(Some(seconds)))
    }),
];

fn ltz(_: &datafusion::logical_expr::ReturnFieldArgs<'_>) -> Result<DataType> {
    Ok(timestamp_ltz(TimeUnit::Millisecond))
}

fn time_type(_: &datafusion::logical_expr::ReturnFieldArgs<'_>) -> Result<DataType> {
    Ok(DataType::Time32(TimeUnit::Millisecond))
}

fn millis(call: &Call<'_>) -> i64 {
    call.clock.get().0
}

fn timestamp(call: &Call<'_>) -> Result<ArrayRef> {
    let now = millis(call);
    call.values::<TimestampMillisecondType>(|_| Ok(Some(now)))
}

/// Whole seconds, as every TIME.
fn time(call: &Call<'_>) -> Result<ArrayRef> {
    let of_day = millis(call).rem_euclid(MILLIS_PER_DAY);
    let of_day = i32::try_from(of_day - of_day % 1000).ok();
    call.values::<Time32MillisecondType>(|_| Ok(of_day))
}
