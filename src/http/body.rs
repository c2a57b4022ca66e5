//! Reading of bodies. A body is read after the caller is known, unpacked while it arrives, and counted before it is
//! parsed.
//!
//! Each instance has one budget of bytes for bodies. A body takes its bytes from the budget until its request is
//! answered. If the budget has too few bytes left, the request is refused with 503 and `Retry-After`. So no number of
//! requests takes more memory than the operator gave.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_compression::{
    tokio::bufread::{GzipDecoder, ZstdDecoder},
    zstd::DParameter,
};
use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, header},
};
use futures_util::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use tokio::{
    io::AsyncRead,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};
use tokio_util::io::{ReaderStream, StreamReader};

use super::problem::{Code, Problem};

/// How large an unpacked body may be, in bytes.
pub const LARGEST_BODY: usize = 10 * 1024 * 1024;
/// How large the JSON body of a call may be if the call does not say otherwise, in bytes. No such call can use more.
pub const LARGEST_DOCUMENT: usize = 256 * 1024;
/// How far back a zstd body may refer, as a power of two: 8 MiB, which RFC 9659 allows on the web. This bounds the
/// memory that a body can demand.
const ZSTD_WINDOW: u32 = 23;
/// How many bytes are unpacked at once.
const AT_ONCE: usize = 64 * 1024;
/// How much memory unpacking gzip takes besides the body, in bytes.
const GZIP_STATE: usize = AT_ONCE + 48 * 1024;
/// How much memory unpacking zstd takes besides the body, in bytes. Most of it is the window.
const ZSTD_STATE: usize = AT_ONCE + (1 << ZSTD_WINDOW) + 256 * 1024;

/// How many bytes of bodies an instance holds, and how long it waits for them.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many bytes of all bodies may be held at once.
    pub in_flight: usize,
    /// How long a whole body may take to arrive.
    pub whole: Duration,
    /// How long a client may be silent in the middle of a body.
    pub silence: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            in_flight: 64 * 1024 * 1024,
            whole: Duration::from_mins(1),
            silence: Duration::from_secs(30),
        }
    }
}

/// The bytes that all bodies of an instance may take together. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Budget {
    free: Arc<Semaphore>,
    limits: Limits,
}

impl Budget {
    /// Makes a budget with all bytes free.
    pub fn new(limits: Limits) -> Budget {
        Budget { free: Arc::new(Semaphore::new(limits.in_flight)), limits }
    }

    /// Returns how many bytes of bodies are held now.
    pub fn held(&self) -> usize {
        self.limits.in_flight - self.free.available_permits()
    }

    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let busy = || {
            let message = "The service already holds as many bytes of request bodies as it may. Send the request again in a second.";
            Problem::new(Code::Overloaded, message)
        };
        let bytes = u32::try_from(bytes).map_err(|_| busy())?;
        Arc::clone(&self.free).try_acquire_many_owned(bytes).map_err(|_| busy())
    }
}

/// The bytes of the budget that a request's body has taken. [`super::layers`] keeps them until the request is answered.
#[derive(Debug, Clone)]
pub(super) struct Paid {
    budget: Budget,
    held: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
}

impl Paid {
    /// No bytes yet.
    pub(super) fn from(budget: Budget) -> Paid {
        Paid { budget, held: Arc::default() }
    }

    fn add(&self, more: OwnedSemaphorePermit) {
        let mut paid = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match paid.as_mut() {
            Some(paid) => paid.merge(more),
            None => *paid = Some(more),
        }
    }
}

/// Reads a body to its end and unpacks it.
///
/// # Errors
/// 413 `too_large` if the unpacked body has more than `most` bytes. 415 if it is packed in another way than gzip or
/// zstd. 400 `invalid_body` if it ends too early. 503 `overloaded` if the budget has no room, or if the body does not
/// arrive in time.
///
/// # Panics
///
/// Never: the layer around every call adds the budget to the request.
pub async fn read(request: Request, most: usize) -> Result<Bytes, Problem> {
    let (parts, body) = request.into_parts();
    let paid = parts.extensions.get::<Paid>().cloned();
    let paid = paid.expect("the layer around every call puts it there");
    let bodies = &paid.budget;
    let (packing, state) = Packing::of(&parts.headers)?;
    if packing == Packing::None && announced(&parts.headers).is_some_and(|length| length > most) {
        return Err(too_large());
    }
    let _unpacking = bodies.take(state)?;
    let mut chunks = packing.open(body);
    let last = Instant::now() + bodies.limits.whole;
    let mut whole = Vec::new();
    loop {
        let until = last.min(Instant::now() + bodies.limits.silence);
        let chunk = match timeout_at(until, chunks.next()).await.map_err(|_| stalled())? {
            None => return Ok(whole.into()),
            Some(chunk) => chunk.map_err(|_| cut_off())?,
        };
        if whole.len() + chunk.len() > most {
            return Err(too_large());
        }
        paid.add(bodies.take(chunk.len())?);
        whole.extend_from_slice(&chunk);
    }
}

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
    Zstd,
}

impl Packing {
    /// Reads from the headers how the body is packed. Also returns how many bytes unpacking takes besides the body.
    fn of(headers: &HeaderMap) -> Result<(Packing, usize), Problem> {
        match encoding(headers).as_deref() {
            None => Ok((Packing::None, 0)),
            Some("gzip" | "x-gzip") => Ok((Packing::Gzip, GZIP_STATE)),
            Some("zstd") => Ok((Packing::Zstd, ZSTD_STATE)),
            Some(_) => {
                let message = "Send the body unpacked, or with Content-Encoding gzip or zstd.";
                Err(Problem::new(Code::UnsupportedMediaType, message))
            }
        }
    }

    /// Unpacks the body, with all its members.
    fn open(self, body: Body) -> BoxStream<'static, io::Result<Bytes>> {
        let plain = body.into_data_stream().map_err(io::Error::other);
        match self {
            Packing::None => plain.boxed(),
            Packing::Gzip => {
                let mut decoder = GzipDecoder::new(StreamReader::new(plain));
                decoder.multiple_members(true);
                unpacked(decoder).boxed()
            }
            Packing::Zstd => {
                let bounded = [DParameter::window_log_max(ZSTD_WINDOW)];
                let mut decoder = ZstdDecoder::with_params(StreamReader::new(plain), &bounded);
                decoder.multiple_members(true);
                unpacked(decoder).boxed()
            }
        }
    }
}

fn unpacked(decoder: impl AsyncRead + Send + 'static) -> impl Stream<Item = io::Result<Bytes>> + Send {
    ReaderStream::with_capacity(decoder, AT_ONCE)
}

/// Returns the encodings that `Content-Encoding` names, in lower case. `None` if the body is not packed.
fn encoding(headers: &HeaderMap) -> Option<String> {
    let named: Vec<String> = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty() && name != "identity")
        .collect();
    (!named.is_empty()).then(|| named.join(", "))
}

/// Returns the length of the body that the header announces, in bytes.
fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large() -> Problem {
    Problem::new(Code::TooLarge, "The body is too large. Send less at once.")
}

/// A slow client should try again. SDKs throw away a request that is refused as wrong, so this is a 503.
fn stalled() -> Problem {
    Problem::new(Code::Overloaded, "The rest of the body did not arrive in time. Send the request again.")
}

fn cut_off() -> Problem {
    Problem::new(Code::InvalidBody, "The body ended too early. Send the whole body.")
}
