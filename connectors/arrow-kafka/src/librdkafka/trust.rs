//! Whether a broker's certificate is believed: OpenSSL decides, and here it is written down why not.
//!
//! librdkafka itself tells no more than that the verification failed, which is the same text for a
//! wrong authority, an expired certificate and another host.

use std::ffi::{c_char, c_int, c_void};
use std::sync::{Mutex, PoisonError};

use super::client::Observer;
use super::sys;
use crate::error::Distrust;

/// Why a certificate was refused, the last time that one was.
#[derive(Default)]
pub(super) struct Trust {
    last: Mutex<Option<Distrust>>,
}

impl Trust {
    pub(super) fn distrust(&self) -> Option<Distrust> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, code: c_int) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Distrust::of(code));
    }
}

/// Called for each certificate of a chain with what OpenSSL found; 1 believes it.
///
/// **Invariant:** OpenSSL's verdict is returned as it is. Without this callback librdkafka does
/// the same.
pub(super) unsafe extern "C" fn verify(
    _rk: *mut sys::rd_kafka_t,
    _broker_name: *const c_char,
    _broker_id: i32,
    x509_error: *mut c_int,
    _depth: c_int,
    _certificate: *const c_char,
    _certificate_size: usize,
    _text: *mut c_char,
    _text_size: usize,
    opaque: *mut c_void,
) -> c_int {
    // SAFETY: NULL or librdkafka's variable, which outlives the call.
    let Some(&mut code) = (unsafe { x509_error.as_mut() }) else { return 0 };
    if code == 0 {
        return 1;
    }
    // SAFETY: the opaque is NULL or the client's observer, which lives until the client is
    // destroyed, when its threads have ended.
    if let Some(observer) = unsafe { opaque.cast_const().cast::<Observer>().as_ref() } {
        observer.trust.note(code);
    }
    0
}
