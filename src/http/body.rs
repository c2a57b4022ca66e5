//! Bodies: read once the caller is known, unpacked as they come, and counted in all before anything is parsed.
//!
//! Every byte of a body that is kept is paid for from one budget of the instance, until its request is answered. A body for
//! which the budget has no room is refused with 503 and `Retry-After`, so that no number of requests takes more memory than
//! the operator gave.

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

/// How large a body may be, unpacked, in bytes.
pub const LARGEST_BODY: usize = 10 * 1024 * 1024;
/// How large the JSON of a call may be that does not say otherwise, in bytes: more than any of them can use.
pub const LARGEST_DOCUMENT: usize = 256 * 1024;
/// How far back a zstd body may refer, as a power of two: 8 MiB, what RFC 9659 allows on the web. It bounds the
/// memory that a body can claim.
const ZSTD_WINDOW: u32 = 23;
/// How much is unpacked at once, in bytes.
const AT_ONCE: usize = 64 * 1024;
/// What unpacking gzip takes besides the body, in bytes.
const GZIP_STATE: usize = AT_ONCE + 48 * 1024;
/// What unpacking zstd takes besides the body, in bytes: mostly the window.
const ZSTD_STATE: usize = AT_ONCE + (1 << ZSTD_WINDOW) + 256 * 1024;

/// How much of bodies an instance holds, and how long it waits for them.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many bytes of bodies may be held at once in all.
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

/// The budget of bytes from which every body is paid. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Budget {
    free: Arc<Semaphore>,
    limits: Limits,
}

impl Budget {
    /// A budget of which nothing is used yet.
    pub fn new(limits: Limits) -> Budget {
        Budget { free: Arc::new(Semaphore::new(limits.in_flight)), limits }
    }

    /// How many bytes of bodies are held now.
    pub fn held(&self) -> usize {
        self.limits.in_flight - self.free.available_permits()
    }

    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let busy = || {
            let message = "The service holds as many bytes of request bodies as it may. Send the body again in a second.";
            Problem::new(Code::Overloaded, message)
        };
        let bytes = u32::try_from(bytes).map_err(|_| busy())?;
        Arc::clone(&self.free).try_acquire_many_owned(bytes).map_err(|_| busy())
    }
}

/// What a request's body has been paid with; the frame holds on to it until the request is answered.
#[derive(Debug, Clone)]
pub(super) struct Paid {
    budget: Budget,
    held: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
}

impl Paid {
    /// Nothing yet.
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

/// Reads a body to its end, unpacked, if it is at most `most` bytes long.
///
/// # Panics
///
/// Never: the layer around every call says what the body is paid from.
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
    /// How the headers say that the body is packed, and how many bytes unpacking takes besides the body.
    fn of(headers: &HeaderMap) -> Result<(Packing, usize), Problem> {
        match encoding(headers).as_deref() {
            None => Ok((Packing::None, 0)),
            Some("gzip" | "x-gzip") => Ok((Packing::Gzip, GZIP_STATE)),
            Some("zstd") => Ok((Packing::Zstd, ZSTD_STATE)),
            Some(_) => {
                let message = "Send the body plain, or with Content-Encoding gzip or zstd.";
                Err(Problem::new(Code::UnsupportedMediaType, message))
            }
        }
    }

    /// The body unpacked, all of its members.
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

/// How the body is packed, in the header's words; none: not at all.
fn encoding(headers: &HeaderMap) -> Option<String> {
    let named: Vec<String> = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty() && name != "identity")
        .collect();
    (!named.is_empty()).then(|| named.join(", "))
}

/// How long the body is, by the header.
fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large() -> Problem {
    Problem::new(Code::TooLarge, "The body is too large; send less at once.")
}

/// A client that was only slow is to try again: what is refused as wrong, SDKs throw away.
fn stalled() -> Problem {
    Problem::new(Code::Overloaded, "The rest of the body did not arrive in time. Send the request again.")
}

fn cut_off() -> Problem {
    Problem::new(Code::InvalidBody, "The body ended too early. Send the whole body.")
}
