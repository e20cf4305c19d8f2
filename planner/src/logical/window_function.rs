//! Functions that stand for a window and its parts until [`super::streamify`] makes a node of them.
//! None of them is ever called.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields};
use catalog::schema::timestamp;
use datafusion::common::{Result, not_impl_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::sql::rewrite::{TUMBLE, WINDOW_END, WINDOW_START, WINDOW_TIME};

/// All of them by name.
pub(crate) fn window_functions() -> HashMap<&'static str, Arc<ScalarUDF>> {
    [TUMBLE, WINDOW_START, WINDOW_END, WINDOW_TIME]
        .into_iter()
        .map(|name| (name, Arc::new(ScalarUDF::from(WindowFunction::new(name)))))
        .collect()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct WindowFunction {
    name: &'static str,
    signature: Signature,
}

impl WindowFunction {
    fn new(name: &'static str) -> Self {
        Self { name, signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for WindowFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match (self.name, arguments) {
            (TUMBLE, [time @ DataType::Timestamp(..), ..]) => Ok(window_type(time)),
            (TUMBLE, [other, ..]) => {
                plan_err!(
                    "TUMBLE needs a timestamp, not {}",
                    catalog::schema::flink_type_name(other)
                )
            }
            (part, [DataType::Struct(fields)]) => {
                let position = match part {
                    WINDOW_START => 0,
                    WINDOW_END => 1,
                    _ => 2,
                };
                match fields.get(position) {
                    Some(field) => Ok(field.data_type().clone()),
                    None => plan_err!("no window"),
                }
            }
            _ => plan_err!("no window"),
        }
    }

    fn invoke_with_args(&self, _arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        not_impl_err!("{} is planned, never called", self.name)
    }
}

/// `ROW<window_start, window_end, window_time>`; bounds are TIMESTAMP(3) without a zone.
fn window_type(time: &DataType) -> DataType {
    DataType::Struct(Fields::from(vec![
        Field::new("window_start", timestamp(3, false), false),
        Field::new("window_end", timestamp(3, false), false),
        Field::new("window_time", time.clone(), false),
    ]))
}
