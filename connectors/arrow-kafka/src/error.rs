//! What can go wrong between us and Kafka.
//!
//! An error carries what the caller needs to choose: try again, abort the transaction, make a new
//! producer, or stop. It never carries the value of a setting.

use std::fmt;

use crate::librdkafka;

/// An error code of librdkafka (negative) or of the Kafka protocol (positive).
///
/// A number rather than an enum: brokers that are newer than this client send codes it has no
/// name for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ErrorCode(i32);

impl ErrorCode {
    /// The call succeeded.
    pub const NONE: Self = Self(0);
    /// The offset is not in the partition's log.
    pub const OFFSET_OUT_OF_RANGE: Self = Self(1);
    /// The broker has no such topic or partition.
    pub const UNKNOWN_TOPIC_OR_PARTITION: Self = Self(3);
    /// The record is larger than the topic or the client takes.
    pub const MESSAGE_TOO_LARGE: Self = Self(10);
    /// A later producer uses the same transactional id, or the broker ended our transaction.
    pub const INVALID_PRODUCER_EPOCH: Self = Self(47);
    /// A later producer uses the same transactional id, or the broker ended our transaction.
    pub const PRODUCER_FENCED: Self = Self(90);
    /// The broker refuses what was asked about a topic.
    pub const TOPIC_AUTHORIZATION: Self = Self(29);
    /// The broker refuses what was asked about the cluster.
    pub const CLUSTER_AUTHORIZATION: Self = Self(31);
    /// librdkafka: what came is no answer of Kafka's.
    pub const BAD_MESSAGE: Self = Self(-199);
    /// librdkafka: the connection to a broker failed.
    pub const TRANSPORT: Self = Self(-195);
    /// librdkafka: the host's name is not known.
    pub const UNKNOWN_HOST: Self = Self(-193);
    /// librdkafka: the record's time limit passed before a broker took it.
    pub const MESSAGE_TIMED_OUT: Self = Self(-192);
    /// librdkafka: the reader stands at the partition's end.
    pub const PARTITION_END: Self = Self(-191);
    /// librdkafka: the partition does not exist.
    pub const UNKNOWN_PARTITION: Self = Self(-190);
    /// librdkafka: the topic does not exist.
    pub const UNKNOWN_TOPIC: Self = Self(-188);
    /// librdkafka: no broker can be reached.
    pub const ALL_BROKERS_DOWN: Self = Self(-187);
    /// librdkafka: the call's time limit passed.
    pub const TIMED_OUT: Self = Self(-185);
    /// librdkafka: the producer's queue is full.
    pub const QUEUE_FULL: Self = Self(-184);
    /// librdkafka: no TLS connection could be made.
    pub const TLS: Self = Self(-181);
    /// librdkafka: the broker refused our credentials.
    pub const AUTHENTICATION: Self = Self(-169);
    /// librdkafka: the handle can do nothing more.
    pub const FATAL: Self = Self(-150);
    /// librdkafka: another producer took the transactional id.
    pub const FENCED: Self = Self(-144);
    /// librdkafka: the start offset is gone, and no reset was asked for.
    pub const AUTO_OFFSET_RESET: Self = Self(-140);

    /// The code that librdkafka gave.
    pub fn from_raw(code: i32) -> Self {
        Self(code)
    }

    /// The number as librdkafka knows it.
    pub fn raw(self) -> i32 {
        self.0
    }

    /// Whether the same call may succeed later without anything being changed.
    pub fn is_retriable(self) -> bool {
        // Kafka's own list of retriable codes, and librdkafka's local ones of the same kind.
        const RETRIABLE: [i32; 19] =
            [5, 6, 7, 8, 13, 14, 15, 16, 19, 20, 51, 56, 88, -187, -193, -195, -185, -184, -192];
        RETRIABLE.contains(&self.0)
    }

    /// Whether the topic or the partition does not exist, or is not known yet.
    pub fn is_unknown_topic(self) -> bool {
        // Kafka's `UNKNOWN_TOPIC_ID` tells that a topic was deleted, or created anew.
        const UNKNOWN_TOPIC_ID: i32 = 100;
        matches!(
            self,
            Self::UNKNOWN_TOPIC_OR_PARTITION
                | Self::UNKNOWN_TOPIC
                | Self::UNKNOWN_PARTITION
                | Self(UNKNOWN_TOPIC_ID)
        )
    }

    /// Whether the broker, or the client for it, refuses a record or a right, and will again
    /// until somebody changes a setting or a topic.
    pub fn is_refusal(self) -> bool {
        // Too large, a batch too large, no right to topic, group, cluster or transactional id,
        // against a policy, invalid. Not an unknown topic: a broker that starts knows none.
        const REFUSALS: [i32; 8] = [10, 18, 29, 30, 31, 44, 53, 87];
        REFUSALS.contains(&self.0)
    }

    /// Whether another producer, or the broker's time limit, ended this producer's epoch.
    pub fn is_fenced(self) -> bool {
        matches!(self, Self::FENCED | Self::PRODUCER_FENCED | Self::INVALID_PRODUCER_EPOCH)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&librdkafka::error_name(*self))
    }
}

/// Why a broker's certificate is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// No certificate of an authority that is trusted here signed it.
    UnknownAuthority,
    /// Its time is over.
    Expired,
    /// Its time has not begun, or this machine's clock is wrong.
    NotYetValid,
    /// It is for another host than the one that was connected to.
    OtherHost,
    /// Its authority took it back.
    Revoked,
    /// OpenSSL's code of another reason.
    Other(i32),
}

impl Distrust {
    /// The reason behind OpenSSL's code (`X509_V_ERR_...`).
    pub(crate) fn of(code: i32) -> Self {
        match code {
            2 | 18..=21 => Self::UnknownAuthority,
            9 => Self::NotYetValid,
            10 => Self::Expired,
            23 => Self::Revoked,
            62 | 64 => Self::OtherHost,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAuthority => {
                f.write_str("the broker's certificate is of an authority that is not trusted here")
            }
            Self::Expired => f.write_str("the broker's certificate has expired"),
            Self::NotYetValid => f.write_str("the broker's certificate is not valid yet"),
            Self::OtherHost => f.write_str("the broker's certificate is for another host"),
            Self::Revoked => f.write_str("the broker's certificate was revoked"),
            Self::Other(code) => {
                write!(f, "the broker's certificate is refused (OpenSSL's code {code})")
            }
        }
    }
}

/// What librdkafka said of a call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The code; for a fatal error the code beneath it.
    pub code: ErrorCode,
    /// librdkafka's text, secrets taken out.
    pub reason: String,
    /// The same call may succeed later.
    pub is_retriable: bool,
    /// The transaction must be aborted; the producer stays good.
    pub requires_abort: bool,
    /// The handle can do nothing more: make a new one.
    pub is_fatal: bool,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (`{}`)", self.reason, self.code)
    }
}

/// Why a call to Kafka failed.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum KafkaError {
    /// Change the setting. Its value is not told, since it may be a secret.
    #[error("Kafka setting `{name}`: {reason}")]
    Setting {
        /// Name of the setting.
        name: String,
        /// What librdkafka has against it.
        reason: &'static str,
    },
    /// The settings do not make a client, e.g. a certificate cannot be read.
    #[error("cannot create a Kafka client: {reason}")]
    Client {
        /// librdkafka's text, secrets taken out.
        reason: String,
    },
    /// A topic, group or setting holds a NUL byte.
    #[error("the name of a topic, group, header or setting holds a NUL byte: {name:?}")]
    Name {
        /// The name.
        name: String,
    },
    /// A call failed; [`Failure`] says what may be done.
    #[error("cannot {action}: {failure}")]
    Call {
        /// What was tried, e.g. "read the end offsets of `clicks` partition `3`".
        action: String,
        /// What came back.
        failure: Failure,
    },
}

impl KafkaError {
    /// The code of a failed call.
    pub fn code(&self) -> Option<ErrorCode> {
        self.failure().map(|failure| failure.code)
    }

    /// Whether the same call may succeed later.
    pub fn is_retriable(&self) -> bool {
        self.failure().is_some_and(|failure| failure.is_retriable)
    }

    /// Whether the open transaction must be aborted before anything else.
    pub fn requires_abort(&self) -> bool {
        self.failure().is_some_and(|failure| failure.requires_abort)
    }

    /// Whether the handle can do nothing more.
    pub fn is_fatal(&self) -> bool {
        self.failure().is_some_and(|failure| failure.is_fatal)
    }

    /// Whether another producer, or the broker's time limit, ended this producer's epoch.
    pub fn is_fenced(&self) -> bool {
        self.code().is_some_and(ErrorCode::is_fenced)
    }

    /// Whether it will be refused again until somebody changes a setting or a topic.
    pub fn is_refusal(&self) -> bool {
        self.code().is_some_and(ErrorCode::is_refusal)
    }

    /// Whether the producer's queue was full.
    pub fn is_queue_full(&self) -> bool {
        self.code() == Some(ErrorCode::QUEUE_FULL)
    }

    /// Whether the topic or the partition does not exist.
    pub fn is_unknown_topic(&self) -> bool {
        self.code().is_some_and(ErrorCode::is_unknown_topic)
    }

    fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Call { failure, .. } => Some(failure),
            Self::Setting { .. } | Self::Client { .. } | Self::Name { .. } => None,
        }
    }
}

/// Why rows cannot be decoded or encoded at all. What is wrong with a single record is a
/// [`crate::RejectReason`].
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CodecError {
    /// Declare another type, or another format.
    #[error("column `{column}` cannot be {data_type} in {place}")]
    UnsupportedType {
        /// The column.
        column: String,
        /// Its type.
        data_type: String,
        /// What it would be read from or written to.
        place: &'static str,
    },
    /// A CSV column that is none of the declared fields.
    #[error("column `{column}` is read from field `{field}`, which is not declared")]
    NoField {
        /// The column.
        column: String,
        /// The field.
        field: String,
    },
    /// A specification names a column that does not exist.
    #[error("there is no column with index `{index}`")]
    NoColumn {
        /// 0-based.
        index: usize,
    },
    /// The raw format writes one column.
    #[error("the raw format has one column, not `{found}`")]
    NotOneColumn {
        /// How many there are.
        found: usize,
    },
    /// Give fewer messages at a time.
    #[error("more than `{limit}` bytes of messages in one batch")]
    BatchTooLarge {
        /// In bytes.
        limit: usize,
    },
    /// Rows that are not of the schema the encoder was made for.
    #[error("the rows have other columns than the encoder was made for, at `{column}`")]
    OtherRows {
        /// The column.
        column: String,
    },
}
