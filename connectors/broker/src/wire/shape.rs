//! Whether a request's lengths can be true, checked before the codec believes them.
//!
//! The codec reserves room for as many elements as an array's length claims before it reads the
//! first one; forty bytes could so claim 200 GB and end the process. Each request has a table of
//! its fields here, and a walk over the bytes says whether every claimed length is really there.
//! A request that passes can still be refused by the codec (a string that is not UTF-8), but it
//! cannot make it reserve more than the request's own size times a small constant.

/// One field of a request: the versions that have it, and what it looks like.
pub(crate) struct Field {
    since: i16,
    until: i16,
    kind: Kind,
}

/// What a field looks like on the wire.
pub(crate) enum Kind {
    /// So many bytes.
    Fixed(usize),
    /// Text with a length of two bytes, or a varint in flexible versions.
    Text,
    /// Bytes with a length of four bytes, or a varint in flexible versions.
    Blob,
    /// An array of fixed-size or text elements.
    Array(&'static Kind),
    /// An array of structs, each with its own tagged fields in flexible versions.
    Structs(&'static [Field]),
}

/// Elements of all arrays of one request together. A client asks for thousands at most; the
/// limit keeps a request of small elements from growing a hundredfold in memory.
const ELEMENTS_MAX: usize = 200_000;

const ALL: i16 = i16::MAX;

const fn field(kind: Kind) -> Field {
    Field { since: 0, until: ALL, kind }
}

const fn since(version: i16, kind: Kind) -> Field {
    Field { since: version, until: ALL, kind }
}

const fn until(version: i16, kind: Kind) -> Field {
    Field { since: 0, until: version, kind }
}

const fn between(since: i16, until: i16, kind: Kind) -> Field {
    Field { since, until, kind }
}

use Kind::{Array, Blob, Fixed, Structs, Text};

pub(crate) const PRODUCE: &[Field] = &[
    field(Text),
    field(Fixed(2)),
    field(Fixed(4)),
    field(Structs(&[field(Text), field(Structs(&[field(Fixed(4)), field(Blob)]))])),
];

pub(crate) const FETCH: &[Field] = &[
    until(14, Fixed(4)),
    field(Fixed(4)),
    field(Fixed(4)),
    field(Fixed(4)),
    field(Fixed(1)),
    since(7, Fixed(8)),
    field(Structs(&[
        until(12, Text),
        since(13, Fixed(16)),
        field(Structs(&[
            field(Fixed(4)),
            since(9, Fixed(4)),
            field(Fixed(8)),
            since(12, Fixed(4)),
            since(5, Fixed(8)),
            field(Fixed(4)),
        ])),
    ])),
    since(7, Structs(&[until(12, Text), since(13, Fixed(16)), field(Array(&Fixed(4)))])),
    since(11, Text),
];

pub(crate) const LIST_OFFSETS: &[Field] = &[
    field(Fixed(4)),
    since(2, Fixed(1)),
    field(Structs(&[
        field(Text),
        field(Structs(&[field(Fixed(4)), since(4, Fixed(4)), field(Fixed(8))])),
    ])),
];

pub(crate) const METADATA: &[Field] = &[
    field(Structs(&[since(10, Fixed(16)), field(Text)])),
    since(4, Fixed(1)),
    between(8, 10, Fixed(1)),
    since(8, Fixed(1)),
];

pub(crate) const OFFSET_COMMIT: &[Field] = &[
    field(Text),
    field(Fixed(4)),
    field(Text),
    since(7, Text),
    until(4, Fixed(8)),
    field(Structs(&[
        field(Text),
        field(Structs(&[field(Fixed(4)), field(Fixed(8)), since(6, Fixed(4)), field(Text)])),
    ])),
];

pub(crate) const OFFSET_FETCH: &[Field] = &[
    until(7, Text),
    until(7, Structs(&[field(Text), field(Array(&Fixed(4)))])),
    since(
        8,
        Structs(&[
            field(Text),
            since(9, Text),
            since(9, Fixed(4)),
            field(Structs(&[field(Text), field(Array(&Fixed(4)))])),
        ]),
    ),
    since(7, Fixed(1)),
];

pub(crate) const FIND_COORDINATOR: &[Field] =
    &[until(3, Text), since(1, Fixed(1)), since(4, Array(&Text))];

pub(crate) const JOIN_GROUP: &[Field] = &[
    field(Text),
    field(Fixed(4)),
    since(1, Fixed(4)),
    field(Text),
    since(5, Text),
    field(Text),
    field(Structs(&[field(Text), field(Blob)])),
    since(8, Text),
];

pub(crate) const HEARTBEAT: &[Field] = &[field(Text), field(Fixed(4)), field(Text), since(3, Text)];

pub(crate) const LEAVE_GROUP: &[Field] =
    &[field(Text), until(2, Text), since(3, Structs(&[field(Text), field(Text), since(5, Text)]))];

pub(crate) const SYNC_GROUP: &[Field] = &[
    field(Text),
    field(Fixed(4)),
    field(Text),
    since(3, Text),
    since(5, Text),
    since(5, Text),
    field(Structs(&[field(Text), field(Blob)])),
];

pub(crate) const DESCRIBE_GROUPS: &[Field] = &[field(Array(&Text)), since(3, Fixed(1))];

pub(crate) const LIST_GROUPS: &[Field] = &[since(4, Array(&Text)), since(5, Array(&Text))];

pub(crate) const API_VERSIONS: &[Field] = &[since(3, Text), since(3, Text)];

pub(crate) const CREATE_TOPICS: &[Field] = &[
    field(Structs(&[
        field(Text),
        field(Fixed(4)),
        field(Fixed(2)),
        field(Structs(&[field(Fixed(4)), field(Array(&Fixed(4)))])),
        field(Structs(&[field(Text), field(Text)])),
    ])),
    field(Fixed(4)),
    field(Fixed(1)),
];

pub(crate) const DELETE_TOPICS: &[Field] =
    &[since(6, Structs(&[field(Text), field(Fixed(16))])), until(5, Array(&Text)), field(Fixed(4))];

pub(crate) const DELETE_RECORDS: &[Field] = &[
    field(Structs(&[field(Text), field(Structs(&[field(Fixed(4)), field(Fixed(8))]))])),
    field(Fixed(4)),
];

pub(crate) const INIT_PRODUCER_ID: &[Field] =
    &[field(Text), field(Fixed(4)), since(3, Fixed(8)), since(3, Fixed(2))];

pub(crate) const OFFSET_FOR_LEADER_EPOCH: &[Field] = &[
    since(3, Fixed(4)),
    field(Structs(&[
        field(Text),
        field(Structs(&[field(Fixed(4)), field(Fixed(4)), field(Fixed(4))])),
    ])),
];

pub(crate) const ADD_PARTITIONS_TO_TXN: &[Field] = &[
    field(Text),
    field(Fixed(8)),
    field(Fixed(2)),
    field(Structs(&[field(Text), field(Array(&Fixed(4)))])),
];

pub(crate) const ADD_OFFSETS_TO_TXN: &[Field] =
    &[field(Text), field(Fixed(8)), field(Fixed(2)), field(Text)];

pub(crate) const END_TXN: &[Field] =
    &[field(Text), field(Fixed(8)), field(Fixed(2)), field(Fixed(1))];

pub(crate) const TXN_OFFSET_COMMIT: &[Field] = &[
    field(Text),
    field(Text),
    field(Fixed(8)),
    field(Fixed(2)),
    since(3, Fixed(4)),
    since(3, Text),
    since(3, Text),
    field(Structs(&[
        field(Text),
        field(Structs(&[field(Fixed(4)), field(Fixed(8)), since(2, Fixed(4)), field(Text)])),
    ])),
];

pub(crate) const DESCRIBE_CONFIGS: &[Field] = &[
    field(Structs(&[field(Fixed(1)), field(Text), field(Array(&Text))])),
    field(Fixed(1)),
    since(3, Fixed(1)),
];

pub(crate) const ALTER_CONFIGS: &[Field] = &[
    field(Structs(&[field(Fixed(1)), field(Text), field(Structs(&[field(Text), field(Text)]))])),
    field(Fixed(1)),
];

pub(crate) const INCREMENTAL_ALTER_CONFIGS: &[Field] = &[
    field(Structs(&[
        field(Fixed(1)),
        field(Text),
        field(Structs(&[field(Text), field(Fixed(1)), field(Text)])),
    ])),
    field(Fixed(1)),
];

pub(crate) const CREATE_PARTITIONS: &[Field] = &[
    field(Structs(&[field(Text), field(Fixed(4)), field(Structs(&[field(Array(&Fixed(4)))]))])),
    field(Fixed(4)),
    field(Fixed(1)),
];

pub(crate) const DELETE_GROUPS: &[Field] = &[field(Array(&Text))];

pub(crate) const OFFSET_DELETE: &[Field] =
    &[field(Text), field(Structs(&[field(Text), field(Structs(&[field(Fixed(4))]))]))];

pub(crate) const DESCRIBE_CLUSTER: &[Field] = &[field(Fixed(1)), since(1, Fixed(1))];

/// Whether `body` has every byte that its lengths claim.
pub(crate) fn fits(body: &[u8], fields: &[Field], version: i16, is_flexible: bool) -> bool {
    let mut walk = Walk { rest: body, version, is_flexible, elements_left: ELEMENTS_MAX };
    walk.fields(fields).is_some()
}

/// A walk over a request's bytes; `None` means that a length lies.
struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    is_flexible: bool,
    elements_left: usize,
}

impl Walk<'_> {
    fn fields(&mut self, fields: &[Field]) -> Option<()> {
        for field in fields {
            if (field.since..=field.until).contains(&self.version) {
                self.kind(&field.kind)?;
            }
        }
        if self.is_flexible { self.tagged_fields() } else { Some(()) }
    }

    fn kind(&mut self, kind: &Kind) -> Option<()> {
        match kind {
            Fixed(bytes) => self.skip(*bytes),
            Text => {
                let length = self.length(2)?;
                self.skip(length)
            }
            Blob => {
                let length = self.length(4)?;
                self.skip(length)
            }
            Array(element) => {
                for _ in 0..self.elements()? {
                    self.kind(element)?;
                }
                Some(())
            }
            Structs(fields) => {
                for _ in 0..self.elements()? {
                    self.fields(fields)?;
                }
                Some(())
            }
        }
    }

    /// An array's length, within what is left and allowed.
    fn elements(&mut self) -> Option<usize> {
        let count = self.length(4)?;
        self.elements_left = self.elements_left.checked_sub(count)?;
        (count <= self.rest.len()).then_some(count)
    }

    /// A length prefix: `width` bytes, or a varint of the length plus one. Null counts as zero.
    fn length(&mut self, width: usize) -> Option<usize> {
        if self.is_flexible {
            return Some(usize::try_from(self.varint()?).ok()?.saturating_sub(1));
        }
        let (prefix, rest) = self.rest.split_at_checked(width)?;
        self.rest = rest;
        let length = match *prefix {
            [a, b] => i32::from(i16::from_be_bytes([a, b])),
            [a, b, c, d] => i32::from_be_bytes([a, b, c, d]),
            _ => return None,
        };
        if length == -1 { Some(0) } else { usize::try_from(length).ok() }
    }

    fn tagged_fields(&mut self) -> Option<()> {
        let count = self.varint()?;
        for _ in 0..count {
            self.elements_left = self.elements_left.checked_sub(1)?;
            self.varint()?;
            let length = usize::try_from(self.varint()?).ok()?;
            self.skip(length)?;
        }
        Some(())
    }

    /// As the codec reads it: at most five bytes, the surplus bits of the fifth are dropped.
    fn varint(&mut self) -> Option<u32> {
        let mut value = 0_u32;
        for index in 0..5_u32 {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            value |= u32::from(byte & 0x7f) << (index * 7);
            if byte < 0x80 {
                return Some(value);
            }
        }
        Some(value)
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        let (_, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(())
    }
}
