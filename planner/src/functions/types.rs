//! Flink's type names and Arrow's types.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};

/// A type as `CAST` names it: what Arrow does not hold (lengths, digits of a fraction) beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TargetType {
    pub(super) data_type: DataType,
    /// `CHAR(n)` and `VARCHAR(n)`: characters kept.
    pub(super) length_max: Option<usize>,
    /// `CHAR(n)`: shorter texts are filled with blanks.
    pub(super) is_padded: bool,
    /// Digits of a second's fraction that are kept.
    pub(super) fraction_digits: u32,
    /// What an array's items become.
    pub(super) item: Option<Box<TargetType>>,
}

const DECIMAL_DIGITS_MAX: u8 = 38;
const FRACTION_DIGITS_MAX: u32 = 9;

/// The zone of every `TIMESTAMP_LTZ`.
pub(super) const UTC: &str = "UTC";

/// The Arrow type of a type's text, such as `DECIMAL(10, 2)` or `ARRAY<STRING>`.
pub(crate) fn arrow_type(text: &str) -> Option<DataType> {
    TargetType::parse(text).map(|target| target.data_type)
}

impl TargetType {
    /// Reads a type's text; nothing if it is not known, or cannot be a result of `CAST`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_uppercase();
        if let Some(item) = text.strip_prefix("ARRAY<").and_then(|rest| rest.strip_suffix('>')) {
            let item = Self::parse(item)?;
            let field = Field::new("item", item.data_type.clone(), true);
            let mut target = Self::plain(DataType::List(Arc::new(field)));
            target.item = Some(Box::new(item));
            return Some(target);
        }
        let (name, numbers) = match text.split_once('(') {
            Some((name, rest)) => {
                let (numbers, tail) = rest.split_once(')')?;
                let numbers = numbers.split(',').map(|n| n.trim().parse::<u32>().ok());
                (format!("{}{}", name.trim(), tail), numbers.collect::<Option<Vec<_>>>()?)
            }
            None => (text, Vec::new()),
        };
        let first = numbers.first().copied();
        match name.as_str() {
            "BOOLEAN" | "BOOL" => Some(Self::plain(DataType::Boolean)),
            "TINYINT" => Some(Self::plain(DataType::Int8)),
            "SMALLINT" => Some(Self::plain(DataType::Int16)),
            "INT" | "INTEGER" => Some(Self::plain(DataType::Int32)),
            "BIGINT" => Some(Self::plain(DataType::Int64)),
            "FLOAT" => Some(Self::plain(DataType::Float32)),
            "DOUBLE" | "DOUBLE PRECISION" => Some(Self::plain(DataType::Float64)),
            "DATE" => Some(Self::plain(DataType::Date32)),
            "BYTES" | "VARBINARY" => Some(Self::plain(DataType::Binary)),
            "STRING" => Some(Self::plain(DataType::Utf8)),
            "VARCHAR" => Some(Self::text(first, false)),
            "CHAR" | "CHARACTER" => Some(Self::text(Some(first.unwrap_or(1)), true)),
            "DECIMAL" | "NUMERIC" | "DEC" => Self::decimal(&numbers),
            "TIME" => Self::time(first.unwrap_or(0)),
            "TIMESTAMP" | "TIMESTAMP WITHOUT TIME ZONE" => Self::timestamp(first, false),
            "TIMESTAMP_LTZ" | "TIMESTAMP WITH LOCAL TIME ZONE" => Self::timestamp(first, true),
            _ => None,
        }
    }

    fn plain(data_type: DataType) -> Self {
        Self { data_type, length_max: None, is_padded: false, fraction_digits: 0, item: None }
    }

    fn text(length: Option<u32>, is_padded: bool) -> Self {
        let length_max = length.and_then(|length| usize::try_from(length).ok());
        Self { length_max, is_padded, ..Self::plain(DataType::Utf8) }
    }

    fn decimal(numbers: &[u32]) -> Option<Self> {
        let precision = u8::try_from(numbers.first().copied().unwrap_or(10)).ok()?;
        let scale = u8::try_from(numbers.get(1).copied().unwrap_or(0)).ok()?;
        let fits = (1..=DECIMAL_DIGITS_MAX).contains(&precision) && scale <= precision;
        fits.then(|| Self::plain(DataType::Decimal128(precision, scale.cast_signed())))
    }

    fn time(digits: u32) -> Option<Self> {
        let fraction_digits = digits.min(3);
        (digits <= FRACTION_DIGITS_MAX).then(|| Self {
            fraction_digits,
            ..Self::plain(DataType::Time32(TimeUnit::Millisecond))
        })
    }

    fn timestamp(digits: Option<u32>, is_local: bool) -> Option<Self> {
        let digits = digits.unwrap_or(6);
        let zone = is_local.then(|| UTC.into());
        (digits <= FRACTION_DIGITS_MAX).then(|| Self {
            fraction_digits: digits,
            ..Self::plain(DataType::Timestamp(unit_of(digits), zone))
        })
    }
}

/// The unit that holds that many digits of a second.
pub(super) fn unit_of(digits: u32) -> TimeUnit {
    match digits {
        0..=3 => TimeUnit::Millisecond,
        4..=6 => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    }
}

/// Digits of a second that the unit holds.
pub(super) fn digits_of(unit: TimeUnit) -> u32 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// How many of the unit make a second.
pub(super) fn per_second(unit: TimeUnit) -> i64 {
    10_i64.pow(digits_of(unit))
}

/// `TIMESTAMP_LTZ(3)` and the like.
pub(super) fn timestamp_ltz(unit: TimeUnit) -> DataType {
    DataType::Timestamp(unit, Some(UTC.into()))
}

/// Flink's name of an Arrow type, as `DESCRIBE` prints it, without `NOT NULL`.
pub(crate) fn flink_type_name(data_type: &DataType) -> String {
    use DataType as D;
    match data_type {
        D::Null => "NULL".to_owned(),
        D::Boolean => "BOOLEAN".to_owned(),
        D::Int8 => "TINYINT".to_owned(),
        D::Int16 => "SMALLINT".to_owned(),
        D::Int32 => "INT".to_owned(),
        D::Int64 => "BIGINT".to_owned(),
        D::Float32 => "FLOAT".to_owned(),
        D::Float64 => "DOUBLE".to_owned(),
        D::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        D::Utf8 => "STRING".to_owned(),
        D::Binary => "BYTES".to_owned(),
        D::Date32 => "DATE".to_owned(),
        D::Time32(_) => "TIME".to_owned(),
        D::Timestamp(unit, None) => format!("TIMESTAMP({})", digits_of(*unit)),
        D::Timestamp(unit, Some(_)) => format!("TIMESTAMP_LTZ({})", digits_of(*unit)),
        D::List(item) => format!("ARRAY<{}>", flink_type_name(item.data_type())),
        D::Struct(fields) => format!("ROW<{}>", fields_text(fields)),
        D::Map(entries, _) => map_text(entries),
        D::Interval(_) | D::Duration(_) => "INTERVAL".to_owned(),
        other => other.to_string(),
    }
}

fn fields_text(fields: &Fields) -> String {
    let field =
        |field: &Arc<Field>| format!("`{}` {}", field.name(), flink_type_name(field.data_type()));
    fields.iter().map(field).collect::<Vec<_>>().join(", ")
}

fn map_text(entries: &Field) -> String {
    match entries.data_type() {
        DataType::Struct(fields) => {
            let types: Vec<_> = fields.iter().map(|f| flink_type_name(f.data_type())).collect();
            format!("MAP<{}>", types.join(", "))
        }
        other => format!("MAP<{other}>"),
    }
}

/// Precision and scale of a number without a floating point; an integer has those of its range.
pub(super) fn decimal_of(data_type: &DataType) -> Option<(u8, i8)> {
    match data_type {
        DataType::Int8 => Some((3, 0)),
        DataType::Int16 => Some((5, 0)),
        DataType::Int32 => Some((10, 0)),
        DataType::Int64 => Some((19, 0)),
        DataType::Decimal128(precision, scale) => Some((*precision, *scale)),
        _ => None,
    }
}

/// The type that values of these types share, by Flink's rules; nothing if there is none.
/// NULL fits every type.
pub(super) fn common_type(types: &[DataType]) -> Option<DataType> {
    let mut known = types.iter().filter(|data_type| !data_type.is_null());
    let first = known.next().cloned().unwrap_or(DataType::Null);
    known.try_fold(first, |left, right| common_type_of_two(&left, right))
}

fn common_type_of_two(left: &DataType, right: &DataType) -> Option<DataType> {
    use DataType as D;
    if left == right {
        return Some(left.clone());
    }
    match (left, right) {
        (D::Timestamp(a, zone), D::Timestamp(b, other)) if zone.is_some() == other.is_some() => {
            Some(D::Timestamp(*a.max(b), zone.clone()))
        }
        (D::List(a), D::List(b)) => {
            let item = common_type_of_two(a.data_type(), b.data_type())?;
            Some(D::List(Arc::new(Field::new("item", item, true))))
        }
        (D::Float64, other) | (other, D::Float64) => is_number(other).then_some(D::Float64),
        (D::Float32, D::Decimal128(_, _)) | (D::Decimal128(_, _), D::Float32) => Some(D::Float64),
        (D::Float32, other) | (other, D::Float32) => is_number(other).then_some(D::Float32),
        _ => {
            let ((p1, s1), (p2, s2)) = (decimal_of(left)?, decimal_of(right)?);
            if left.is_integer() && right.is_integer() {
                return Some(if p1 > p2 { left.clone() } else { right.clone() });
            }
            let scale = s1.max(s2);
            let whole = (i16::from(p1) - i16::from(s1)).max(i16::from(p2) - i16::from(s2));
            let precision = u8::try_from(whole + i16::from(scale)).ok()?.min(DECIMAL_DIGITS_MAX);
            Some(D::Decimal128(precision, scale))
        }
    }
}

fn is_number(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Float32 | DataType::Float64) || decimal_of(data_type).is_some()
}
