//! Java's `DateTimeFormatter` patterns, for writing and for reading.

use datafusion::common::{Result, exec_err};

use super::calendar::{Day, TimeOfDay, iso_weekday, small};
use super::java_text::write;

/// A pattern taken apart, once a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DatePattern {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Field(char, usize),
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// The letters that are read and written; Java has more.
const FIELDS: &str = "GyuMLdDQqEeaHkKhmsSAnNwW";

impl DatePattern {
    /// # Errors
    /// Names the letter that Java reserves, or that is not supported.
    pub(super) fn new(pattern: &str) -> Result<Self> {
        let mut parts = Vec::new();
        let mut characters = pattern.chars().peekable();
        while let Some(character) = characters.next() {
            if character == '\'' {
                parts.push(Part::Literal(quoted(&mut characters)?));
            } else if character.is_ascii_alphabetic() {
                if !FIELDS.contains(character) {
                    return exec_err!("`{pattern}` is no date pattern: `{character}` is unknown");
                }
                let mut width = 1;
                while characters.next_if_eq(&character).is_some() {
                    width += 1;
                }
                parts.push(Part::Field(character, width));
            } else if "[]{}#".contains(character) {
                return exec_err!("`{pattern}` is no date pattern: `{character}` is not supported");
            } else {
                parts.push(Part::Literal(character.to_string()));
            }
        }
        Ok(Self { parts })
    }

    /// Writes the time.
    pub(super) fn write(&self, out: &mut String, day: Day, time: TimeOfDay) {
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Field(letter, width) => write_field(out, (*letter, *width), day, time),
            }
        }
    }

    /// Reads a text; nothing if it does not fit the pattern. Missing parts are those of
    /// 1970-01-01 00:00:00; a day that its month lacks becomes the month's last.
    pub(super) fn read(&self, text: &str) -> Option<(Day, TimeOfDay)> {
        let mut found = Found::default();
        let mut rest = text;
        for (index, part) in self.parts.iter().enumerate() {
            rest = match part {
                Part::Literal(literal) => rest.strip_prefix(literal.as_str())?,
                Part::Field(letter, width) => {
                    let next = self.parts.get(index + 1);
                    let is_adjacent = matches!(next, Some(Part::Field(_, _)));
                    found.read(rest, *letter, *width, is_adjacent)?
                }
            };
        }
        if !rest.is_empty() {
            return None;
        }
        found.resolve()
    }
}

fn quoted(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String> {
    if characters.next_if_eq(&'\'').is_some() {
        return Ok("'".to_owned());
    }
    let mut text = String::new();
    while let Some(character) = characters.next() {
        if character != '\'' {
            text.push(character);
        } else if characters.next_if_eq(&'\'').is_some() {
            text.push('\'');
        } else {
            return Ok(text);
        }
    }
    exec_err!("a date pattern has a quote without its end")
}

fn write_field(out: &mut String, (letter, width): (char, usize), day: Day, time: TimeOfDay) {
    let hour = time.hour;
    let number = match letter {
        'y' | 'u' if width == 2 => day.year.rem_euclid(100),
        'y' | 'u' => day.year,
        'M' | 'L' if width >= 3 => return write_name(out, &MONTHS, day.month, width),
        'M' | 'L' => day.month.into(),
        'd' => day.day.into(),
        'D' => day.day_of_year(),
        'Q' | 'q' if width == 3 => return write(out, format_args!("Q{}", day.month.div_ceil(3))),
        'Q' | 'q' => day.month.div_ceil(3).into(),
        'E' => return write_name(out, &WEEKDAYS, small(iso_weekday(day.days())), width.max(3)),
        // Weeks begin on Sunday; the first one of a year has its first day.
        'e' => iso_weekday(day.days()) % 7 + 1,
        'w' => week_of(day.day_of_year(), day),
        'W' => week_of(day.day.into(), day),
        'a' => return out.push_str(if hour < 12 { "AM" } else { "PM" }),
        'H' => hour.into(),
        'k' => {
            if hour == 0 {
                24
            } else {
                hour.into()
            }
        }
        'K' => (hour % 12).into(),
        'h' => {
            if hour.is_multiple_of(12) {
                12
            } else {
                (hour % 12).into()
            }
        }
        'm' => time.minute.into(),
        's' => time.second.into(),
        'n' => time.nano.into(),
        'A' => time.seconds() * 1000 + i64::from(time.nano / 1_000_000),
        'N' => time.seconds() * 1_000_000_000 + i64::from(time.nano),
        'S' => {
            let digits = format!("{:09}", time.nano);
            return write(out, format_args!("{:0<width$}", digits.get(..width).unwrap_or(&digits)));
        }
        _ => return out.push_str(if day.year > 0 { "AD" } else { "BC" }),
    };
    write(out, format_args!("{number:0width$}"));
}

fn week_of(day_of_period: i64, day: Day) -> i64 {
    let first_weekday = (iso_weekday(day.days() - day_of_period + 1)) % 7;
    (day_of_period - 1 + first_weekday) / 7 + 1
}

fn write_name(out: &mut String, names: &[&str], number: u32, width: usize) {
    let index = usize::try_from(number).unwrap_or(1).saturating_sub(1);
    let name = names.get(index).copied().unwrap_or_default();
    out.push_str(match width {
        3 => name.get(..3).unwrap_or(name),
        5 => name.get(..1).unwrap_or(name),
        _ => name,
    });
}

/// What was read so far.
#[derive(Default)]
struct Found {
    year: Option<i64>,
    month: Option<u32>,
    day: Option<u32>,
    hour: Option<u32>,
    half_day_hour: Option<u32>,
    is_afternoon: Option<bool>,
    minute: Option<u32>,
    second: Option<u32>,
    nano: Option<u32>,
}

impl Found {
    /// Reads a field from the start of `text` and gives what is behind it.
    fn read<'a>(
        &mut self,
        text: &'a str,
        letter: char,
        width: usize,
        is_adjacent: bool,
    ) -> Option<&'a str> {
        match letter {
            'M' | 'L' if width >= 3 => {
                let (index, rest) = read_name(text, &MONTHS, width == 3)?;
                self.month = Some(index);
                return Some(rest);
            }
            'E' => return read_name(text, &WEEKDAYS, width <= 3).map(|(_, rest)| rest),
            'a' => {
                let (half, rest) = text.split_at_checked(2)?;
                self.is_afternoon = Some(match half.to_ascii_uppercase().as_str() {
                    "AM" => false,
                    "PM" => true,
                    _ => return None,
                });
                return Some(rest);
            }
            _ => {}
        }
        let digits_max = match letter {
            'S' => width,
            'y' | 'u' if !is_adjacent && width != 2 => 9,
            'D' => 3,
            _ if is_adjacent || width > 2 => width,
            _ => 2,
        };
        let length = text.bytes().take(digits_max).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = text.split_at_checked(length)?;
        if letter == 'S' && length < width {
            return None;
        }
        let number: u32 = digits.parse().ok()?;
        match letter {
            'y' | 'u' if width == 2 => self.year = Some(2000 + i64::from(number)),
            'y' | 'u' => self.year = Some(number.into()),
            'M' | 'L' => self.month = Some(number),
            'd' => self.day = Some(number),
            'H' => self.hour = Some(number),
            'k' => self.hour = Some(number % 24),
            'h' => self.half_day_hour = Some(number % 12),
            'K' => self.half_day_hour = Some(number),
            'm' => self.minute = Some(number),
            's' => self.second = Some(number),
            'n' => self.nano = Some(number),
            'S' => {
                let padded = format!("{digits:0<9}");
                self.nano = padded.get(..9)?.parse().ok();
            }
            _ => return None,
        }
        Some(rest)
    }

    fn resolve(self) -> Option<(Day, TimeOfDay)> {
        let hour = match (self.hour, self.half_day_hour, self.is_afternoon) {
            (Some(hour), _, _) => hour,
            (None, Some(hour), Some(true)) => hour + 12,
            (None, Some(hour), _) => hour,
            (None, None, _) => 0,
        };
        let (year, month) = (self.year.unwrap_or(1970), self.month.unwrap_or(1));
        let day = Day::clipped(year, month, self.day.unwrap_or(1)).filter(|day| day.day > 0)?;
        let (minute, second) = (self.minute.unwrap_or(0), self.second.unwrap_or(0));
        Some((day, TimeOfDay::new(hour, minute, second, self.nano.unwrap_or(0))?))
    }
}

fn read_name<'a>(text: &'a str, names: &[&str], is_short: bool) -> Option<(u32, &'a str)> {
    for (index, name) in names.iter().enumerate() {
        let name = if is_short { name.get(..3)? } else { name };
        if let Some(rest) = text.strip_prefix(name) {
            return Some((u32::try_from(index + 1).ok()?, rest));
        }
    }
    None
}
