//! Answers to queries: as a table for people, as JSON lines, as CSV.

use arrow::array::RecordBatch;
use arrow::csv;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::json::LineDelimitedWriter;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::run::bare_table;
use super::{Append, count};
use crate::query::TableName;

/// What stands for NULL in a table.
const NULL: &str = "NULL";

/// All rows under the names of their columns, and how many they are.
pub(crate) fn answer_table(
    schema: &Schema,
    batches: &[RecordBatch],
    width: Option<u16>,
) -> Result<String, ArrowError> {
    let mut table = bare_table(width);
    table.set_header(schema.fields().iter().map(|field| field.name()));
    let options = FormatOptions::default().with_null(NULL);
    let mut rows = 0;
    for batch in batches {
        let columns = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options))
            .collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            table.add_row(columns.iter().map(|column| column.value(row).to_string()));
        }
        rows += batch.num_rows();
    }
    let mut text = format!("{table}\n");
    text.append(format_args!("({})\n", count(rows, "row")));
    Ok(text)
}

/// One JSON object a row.
pub(crate) fn answer_json(batches: &[RecordBatch]) -> Result<String, ArrowError> {
    let mut writer = LineDelimitedWriter::new(Vec::new());
    batches.iter().try_for_each(|batch| writer.write(batch))?;
    writer.finish()?;
    Ok(String::from_utf8_lossy(&writer.into_inner()).into_owned())
}

/// A line of names, then one a row.
pub(crate) fn answer_csv(schema: &Schema, batches: &[RecordBatch]) -> Result<String, ArrowError> {
    let mut writer = csv::WriterBuilder::new().with_header(true).build(Vec::new());
    // Without any batch the names are written all the same.
    let none = RecordBatch::new_empty(std::sync::Arc::new(schema.clone()));
    writer.write(&none)?;
    batches.iter().try_for_each(|batch| writer.write(batch))?;
    Ok(String::from_utf8_lossy(&writer.into_inner()).into_owned())
}

/// The tables that can be asked, as a query names them.
pub(crate) fn table_list(names: &[TableName], width: Option<u16>) -> String {
    let mut table = bare_table(width);
    table.set_header(["table", "rows"]);
    for name in names {
        table.add_row([name.sql(), name.rows.to_string()]);
    }
    format!("{table}\n")
}
