//! Scalar functions.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::planner::ExprPlanner;

use crate::dataflow::StepClock;
use crate::tables::ScalarFunctions;

pub(crate) struct FlinkScalars {
    functions: HashMap<String, Arc<ScalarUDF>>,
}

impl FlinkScalars {
    pub(crate) fn new(_clock: &StepClock) -> Self {
        let functions = datafusion::functions::all_default_functions();
        Self { functions: functions.into_iter().map(|f| (f.name().to_owned(), f)).collect() }
    }

    pub(crate) fn planners() -> Vec<Arc<dyn ExprPlanner>> {
        Vec::new()
    }
}

impl ScalarFunctions for FlinkScalars {
    fn get(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.functions.get(name).map(Arc::clone)
    }
}
