//! Flink type names and the Arrow types they stand for.
//!
//! **Invariant:** `parse(&flink_type_name(&t))` gives `t` back for every type that [`parse`] gives.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};

/// Types may nest this deep; deeper text is refused rather than followed.
const DEPTH_MAX: usize = 16;

/// Digits that Decimal128 holds.
const PRECISION_MAX: u8 = 38;

/// The zone of every TIMESTAMP_LTZ.
pub const UTC: &str = "UTC";

/// A type and whether NULL is one of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnType {
    /// The Arrow type.
    pub data_type: DataType,
    /// False after `NOT NULL`.
    pub is_nullable: bool,
}

/// `ARRAY<item>`.
pub fn array_of(item: ColumnType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item.data_type, item.is_nullable)))
}

/// `MAP<key, value>`; keys are never NULL.
pub fn map_of(key: DataType, value: ColumnType) -> DataType {
    let fields = vec![
        Field::new("key", key, false),
        Field::new("value", value.data_type, value.is_nullable),
    ];
    let entries = Field::new("entries", DataType::Struct(Fields::from(fields)), false);
    DataType::Map(Arc::new(entries), false)
}

/// `MULTISET<element>`: a map from element to its count, a never NULL Int32.
pub fn multiset_of(element: DataType) -> DataType {
    map_of(element, ColumnType { data_type: DataType::Int32, is_nullable: false })
}

/// The element of a MULTISET; `None` for any other type.
///
/// `MAP<k, INT NOT NULL>` is the same Arrow type and counts as one.
pub fn multiset_element(data_type: &DataType) -> Option<&DataType> {
    let (key, value) = map_fields(data_type)?;
    let is_count = *value.data_type() == DataType::Int32 && !value.is_nullable();
    is_count.then_some(key.data_type())
}

/// The Arrow type of Flink's `TIMESTAMP(precision)`, or of `TIMESTAMP_LTZ(precision)`.
pub fn timestamp(precision: u8, is_ltz: bool) -> DataType {
    let unit = match precision {
        0..=3 => TimeUnit::Millisecond,
        4..=6 => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    };
    DataType::Timestamp(unit, is_ltz.then(|| UTC.into()))
}

/// Reads a type as Flink writes it, such as `DECIMAL(10, 2)` or `ROW<a INT, b STRING NOT NULL>`.
///
/// # Errors
/// What is wrong, as a fragment for a message.
pub fn parse(text: &str) -> Result<ColumnType, String> {
    let mut parser = Parser { rest: text };
    let column_type = parser.column_type(0)?;
    match parser.peek() {
        None => Ok(column_type),
        Some(_) => Err(format!("`{}` is left over", parser.rest.trim())),
    }
}

/// The type as Flink writes it; an Arrow type without a Flink name as Arrow writes it.
pub fn flink_type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 => "STRING".to_owned(),
        DataType::Binary => "BYTES".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Int32 => "INT".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Float32 => "FLOAT".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Time32(TimeUnit::Millisecond) => "TIME".to_owned(),
        DataType::Null => "NULL".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        DataType::Timestamp(unit, zone) => {
            let digits = match unit {
                TimeUnit::Second => 0,
                TimeUnit::Millisecond => 3,
                TimeUnit::Microsecond => 6,
                TimeUnit::Nanosecond => 9,
            };
            let name = if zone.is_some() { "TIMESTAMP_LTZ" } else { "TIMESTAMP" };
            format!("{name}({digits})")
        }
        DataType::List(item) => format!("ARRAY<{}>", field_type_name(item)),
        DataType::Struct(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|field| format!("{} {}", field_name(field.name()), field_type_name(field)))
                .collect();
            format!("ROW<{}>", fields.join(", "))
        }
        DataType::Map(..) => map_type_name(data_type),
        other => other.to_string(),
    }
}

fn map_type_name(data_type: &DataType) -> String {
    if let Some(element) = multiset_element(data_type) {
        return format!("MULTISET<{}>", flink_type_name(element));
    }
    match map_fields(data_type) {
        Some((key, value)) => {
            format!("MAP<{}, {}>", flink_type_name(key.data_type()), field_type_name(value))
        }
        None => data_type.to_string(),
    }
}

fn field_type_name(field: &Field) -> String {
    let name = flink_type_name(field.data_type());
    if field.is_nullable() { name } else { format!("{name} NOT NULL") }
}

fn field_name(name: &str) -> String {
    let is_word = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|other| other.is_ascii_alphanumeric() || other == '_');
    if is_word { name.to_owned() } else { format!("`{}`", name.replace('`', "``")) }
}

fn map_fields(data_type: &DataType) -> Option<(&Field, &Field)> {
    let DataType::Map(entries, _) = data_type else { return None };
    let DataType::Struct(fields) = entries.data_type() else { return None };
    match fields.iter().as_slice() {
        [key, value] => Some((key, value)),
        _ => None,
    }
}

/// Reads from the front of `rest`.
struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn column_type(&mut self, depth: usize) -> Result<ColumnType, String> {
        if depth > DEPTH_MAX {
            return Err(format!("it nests deeper than {DEPTH_MAX}"));
        }
        let data_type = self.data_type(depth)?;
        let is_nullable = if self.take_word("NOT") {
            self.expect_word("NULL")?;
            false
        } else {
            self.take_word("NULL");
            true
        };
        Ok(ColumnType { data_type, is_nullable })
    }

    fn data_type(&mut self, depth: usize) -> Result<DataType, String> {
        let name = self.word().ok_or("a type name is missing")?.to_ascii_uppercase();
        Ok(match name.as_str() {
            "STRING" => DataType::Utf8,
            "CHAR" | "VARCHAR" => self.sized(DataType::Utf8)?,
            "BYTES" => DataType::Binary,
            "BINARY" | "VARBINARY" => self.sized(DataType::Binary)?,
            "BOOLEAN" | "BOOL" => DataType::Boolean,
            "TINYINT" => DataType::Int8,
            "SMALLINT" => DataType::Int16,
            "INT" | "INTEGER" => DataType::Int32,
            "BIGINT" => DataType::Int64,
            "FLOAT" => DataType::Float32,
            "DOUBLE" => {
                self.take_word("PRECISION");
                DataType::Float64
            }
            "DECIMAL" | "DEC" | "NUMERIC" => self.decimal()?,
            "DATE" => DataType::Date32,
            "TIME" => {
                self.precision()?;
                self.without_time_zone()?;
                DataType::Time32(TimeUnit::Millisecond)
            }
            "TIMESTAMP" => self.timestamp()?,
            "TIMESTAMP_LTZ" => timestamp(self.precision()?.unwrap_or(3), true),
            "ARRAY" => array_of(self.enclosed(depth)?),
            "MULTISET" => multiset_of(self.enclosed(depth)?.data_type),
            "MAP" => self.map(depth)?,
            "ROW" => self.row(depth)?,
            _ => return Err(format!("`{name}` is not a type")),
        })
    }

    fn sized(&mut self, data_type: DataType) -> Result<DataType, String> {
        self.arguments()?;
        Ok(data_type)
    }

    fn decimal(&mut self) -> Result<DataType, String> {
        let (precision, scale) = match self.arguments()?.as_slice() {
            [] => (10, 0),
            [precision] => (*precision, 0),
            [precision, scale] => (*precision, *scale),
            _ => return Err("DECIMAL takes a precision and a scale".to_owned()),
        };
        let precision = u8::try_from(precision).unwrap_or(u8::MAX);
        let scale = i8::try_from(scale).unwrap_or(i8::MAX);
        if precision == 0 || precision > PRECISION_MAX {
            return Err(format!("a precision is 1 to {PRECISION_MAX}"));
        }
        if scale.unsigned_abs() > precision {
            return Err("a scale is at most the precision".to_owned());
        }
        Ok(DataType::Decimal128(precision, scale))
    }

    fn timestamp(&mut self) -> Result<DataType, String> {
        let precision = self.precision()?.unwrap_or(3);
        if self.take_word("WITH") {
            self.expect_word("LOCAL")?;
            self.expect_word("TIME")?;
            self.expect_word("ZONE")?;
            return Ok(timestamp(precision, true));
        }
        self.without_time_zone()?;
        Ok(timestamp(precision, false))
    }

    fn without_time_zone(&mut self) -> Result<(), String> {
        if self.take_word("WITHOUT") {
            self.expect_word("TIME")?;
            self.expect_word("ZONE")?;
        }
        Ok(())
    }

    fn precision(&mut self) -> Result<Option<u8>, String> {
        match self.arguments()?.as_slice() {
            [] => Ok(None),
            [digits @ 0..=9] => Ok(u8::try_from(*digits).ok()),
            _ => Err("a precision is 0 to 9".to_owned()),
        }
    }

    fn enclosed(&mut self, depth: usize) -> Result<ColumnType, String> {
        self.expect('<')?;
        let inner = self.column_type(depth + 1)?;
        self.expect('>')?;
        Ok(inner)
    }

    fn map(&mut self, depth: usize) -> Result<DataType, String> {
        self.expect('<')?;
        let key = self.column_type(depth + 1)?;
        self.expect(',')?;
        let value = self.column_type(depth + 1)?;
        self.expect('>')?;
        Ok(map_of(key.data_type, value))
    }

    fn row(&mut self, depth: usize) -> Result<DataType, String> {
        let close = if self.take('(') { ')' } else { '>' };
        if close == '>' {
            self.expect('<')?;
        }
        let mut fields: Vec<Field> = Vec::new();
        loop {
            let name = self.name()?;
            let column_type = self.column_type(depth + 1)?;
            if fields.iter().any(|field| *field.name() == name) {
                return Err(format!("the field `{name}` is given twice"));
            }
            fields.push(Field::new(name, column_type.data_type, column_type.is_nullable));
            if !self.take(',') {
                break;
            }
        }
        self.expect(close)?;
        Ok(DataType::Struct(Fields::from(fields)))
    }

    fn name(&mut self) -> Result<String, String> {
        let Some(quoted) = self.rest.trim_start().strip_prefix('`') else {
            return self
                .word()
                .map(str::to_owned)
                .ok_or_else(|| "a field name is missing".to_owned());
        };
        let mut name = String::new();
        let mut quoted = quoted;
        loop {
            let (part, rest) = quoted.split_once('`').ok_or("a backtick is not closed")?;
            name.push_str(part);
            match rest.strip_prefix('`') {
                Some(rest) => {
                    name.push('`');
                    quoted = rest;
                }
                None => {
                    self.rest = rest;
                    return Ok(name);
                }
            }
        }
    }

    fn arguments(&mut self) -> Result<Vec<u32>, String> {
        let mut arguments = Vec::new();
        if !self.take('(') {
            return Ok(arguments);
        }
        loop {
            let number = self.word().and_then(|word| word.parse().ok());
            arguments.push(number.ok_or("a number is missing after `(` or `,`")?);
            if !self.take(',') {
                break;
            }
        }
        self.expect(')')?;
        Ok(arguments)
    }

    fn peek(&self) -> Option<char> {
        self.rest.trim_start().chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.take(wanted) { Ok(()) } else { Err(format!("`{wanted}` is missing")) }
    }

    fn word(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start();
        let end =
            rest.find(|other: char| !other.is_alphanumeric() && other != '_').unwrap_or(rest.len());
        let (word, rest) = rest.split_at_checked(end)?;
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn take_word(&mut self, wanted: &str) -> bool {
        let before = self.rest;
        let is_there = self.word().is_some_and(|word| word.eq_ignore_ascii_case(wanted));
        if !is_there {
            self.rest = before;
        }
        is_there
    }

    fn expect_word(&mut self, wanted: &str) -> Result<(), String> {
        if self.take_word(wanted) { Ok(()) } else { Err(format!("`{wanted}` is missing")) }
    }
}

#[cfg(test)]
mod tests;
