//! Rows as CSV records without an end of line: quoted where they must be, times in SQL form.

use super::json::Cells;
use super::{CsvOutput, JsonFormat};

/// Writes one record.
pub(super) fn write_row(
    cells: &[Cells<'_>],
    row: usize,
    (csv, scalars): (&CsvOutput, JsonFormat),
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) {
    for (index, cells) in cells.iter().enumerate() {
        if index > 0 {
            out.push(csv.delimiter);
        }
        if cells.is_null(row) {
            out.extend_from_slice(csv.null_literal.as_bytes());
            continue;
        }
        scratch.clear();
        cells.write_text(row, scalars, scratch);
        let needs_quotes = scratch.as_slice() == csv.null_literal.as_bytes()
            || scratch.iter().any(|byte| {
                *byte == csv.delimiter || *byte == csv.quote || matches!(byte, b'\n' | b'\r')
            });
        if needs_quotes {
            quoted(scratch, csv.quote, out);
        } else {
            out.extend_from_slice(scratch);
        }
    }
}

fn quoted(field: &[u8], quote: u8, out: &mut Vec<u8>) {
    out.push(quote);
    for byte in field {
        if *byte == quote {
            out.push(quote);
        }
        out.push(*byte);
    }
    out.push(quote);
}
