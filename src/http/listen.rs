//! The listener: every connection is bounded in number, time and memory, and all share one router.
//!
//! The service closes a connection that sends no request, sends the head of a request too slowly, or no longer takes
//! its answer. Bodies have their own bounds ([`super::body`]).

use std::{
    io::{self, Write},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, body::Body};
use futures_util::FutureExt;
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service;

/// How many bytes a connection may hold of a request's head, or of an answer on its way out.
const LARGEST_HEAD: u32 = 64 * 1024;
/// How many requests an HTTP/2 connection may have open at once.
const MOST_STREAMS: u32 = 100;
/// How many connections beyond the limit get a refusal at the same time. Others are closed without one.
const MOST_REFUSING: usize = 64;
/// How long a connection beyond the limit may take to read that it is refused.
const REFUSING: Duration = Duration::from_secs(1);
/// How long to wait after the system could not accept a connection, for example because no more files may be opened.
const PAUSE: Duration = Duration::from_millis(250);

/// The answer to a connection beyond the limit, before it is closed.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
    content-type: application/problem+json\r\ncontent-length: 245\r\n\r\n\
    {\"type\":\"urn:leadscore:problem:overloaded\",\"title\":\"Service Unavailable\",\"status\":503,\"code\":\"overloaded\",\
    \"message\":\"The service has as many connections as it may; try again.\",\
    \"detail\":\"The service has as many connections as it may; try again.\"}";

/// How many connections there may be, and how long they may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many connections may be open at once.
    pub connections: usize,
    /// How long the head of a request may take to arrive, from its first byte.
    pub head: Duration,
    /// How long a connection may be open without a request and without taking any byte of an answer.
    pub idle: Duration,
}

/// Serves until `stop` is cancelled. Then the service accepts nothing new, and answers the requests that have begun.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let connections = Connections {
        router,
        limits,
        stop: stop.clone(),
        free: Arc::new(Semaphore::new(limits.connections)),
        refusing: Arc::new(Semaphore::new(MOST_REFUSING)),
        open: TaskTracker::new(),
    };
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => connections.admit(stream),
            Err(error) if of_the_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    // Connections that the system had already accepted are answered too.
    while let Some(Ok((stream, _))) = listener.accept().now_or_never() {
        connections.admit(stream);
    }
    drop(listener);
    connections.open.close();
    connections.open.wait().await;
}

fn of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionAborted | ConnectionReset)
}

struct Connections {
    router: Router,
    limits: Limits,
    stop: CancellationToken,
    free: Arc<Semaphore>,
    refusing: Arc<Semaphore>,
    open: TaskTracker,
}

impl Connections {
    fn admit(&self, stream: TcpStream) {
        // Sends each answer at once (`TCP_NODELAY`): answers are small, and clients wait for them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection without TCP_NODELAY");
        }
        if let Ok(place) = Arc::clone(&self.free).try_acquire_owned() {
            let (router, limits, stop) = (self.router.clone(), self.limits, self.stop.clone());
            self.open.spawn(async move {
                connection(stream, router, limits, &stop).await;
                drop(place);
            });
        } else if let Ok(place) = Arc::clone(&self.refusing).try_acquire_owned() {
            metrics::counter!("leadscore_connections_refused_total").increment(1);
            self.open.spawn(async move {
                let _ = tokio::time::timeout(REFUSING, refuse(stream)).await;
                drop(place);
            });
        } else {
            metrics::counter!("leadscore_connections_refused_total").increment(1);
        }
    }
}

/// Answers that there is no place, then reads what the client still sends. A client that is cut off while it sends
/// never reads the answer.
async fn refuse(stream: TcpStream) -> io::Result<()> {
    let mut stream = stream.into_std()?;
    stream.write_all(BUSY)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut stream = TcpStream::from_std(stream)?;
    let mut heard = [0; 4096];
    while stream.read(&mut heard).await? > 0 {}
    Ok(())
}

/// Serves one connection until it ends, or until it is overdue.
async fn connection(stream: TcpStream, router: Router, limits: Limits, stop: &CancellationToken) {
    let pulse = Arc::new(Pulse::new());
    let io = TokioIo::new(Watched { stream, pulse: Arc::clone(&pulse) });
    let of_service = Arc::clone(&pulse);
    let service = service_fn(move |request: Request<Incoming>| {
        let busy = Busy::begin(&of_service);
        let answer = router.clone().call(request.map(Body::new));
        async move {
            let answer = answer.await;
            drop(busy);
            answer
        }
    });
    let builder = builder();
    let mut connection = pin!(builder.serve_connection(io, service));
    // How often to check the limits: a quarter of the shorter one.
    let beat = limits.head.min(limits.idle) / 4;
    let (mut stopping, mut closing) = (false, false);
    loop {
        tokio::select! {
            served = connection.as_mut() => {
                if let Err(error) = served {
                    tracing::trace!(%error, "a connection failed");
                }
                return;
            }
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = tokio::time::sleep(beat) => match pulse.overdue(limits) {
                None => closing = false,
                // Other requests of the connection may still be answered. A connection without requests is closed by
                // this at once.
                Some(Overdue::Idle) if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                Some(_) => return,
            },
        }
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // `Pulse` keeps the time limits, for HTTP/2 too, and also before it is known which of the two the client speaks.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(LARGEST_HEAD as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(LARGEST_HEAD)
        .max_concurrent_streams(MOST_STREAMS)
        .initial_stream_window_size(LARGEST_HEAD)
        .initial_connection_window_size(4 * LARGEST_HEAD);
    builder
}

/// What a connection is doing, and since when.
#[derive(Debug)]
struct Pulse(Mutex<Doing>);

#[derive(Debug)]
struct Doing {
    /// How many requests wait for their answers.
    requests: usize,
    /// Whether the head of a request has begun to arrive.
    head: bool,
    since: Instant,
}

#[derive(Debug, PartialEq, Eq)]
enum Overdue {
    Head,
    Idle,
}

impl Pulse {
    fn new() -> Pulse {
        Pulse(Mutex::new(Doing { requests: 0, head: false, since: Instant::now() }))
    }

    fn doing(&self) -> MutexGuard<'_, Doing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that bytes came. Between requests, they begin the head of the next request.
    fn came(&self) {
        let mut doing = self.doing();
        if doing.requests == 0 && !doing.head {
            (doing.head, doing.since) = (true, Instant::now());
        }
    }

    /// Notes that the client took bytes of an answer.
    fn went(&self) {
        let mut doing = self.doing();
        if !doing.head {
            doing.since = Instant::now();
        }
    }

    fn overdue(&self, limits: Limits) -> Option<Overdue> {
        let doing = self.doing();
        let waited = doing.since.elapsed();
        match *doing {
            Doing { requests: 1.., .. } => None,
            Doing { head: true, .. } => (waited > limits.head).then_some(Overdue::Head),
            Doing { head: false, .. } => (waited > limits.idle).then_some(Overdue::Idle),
        }
    }
}

/// Counts a request as waiting for its answer until it is dropped.
struct Busy(Arc<Pulse>);

impl Busy {
    fn begin(pulse: &Arc<Pulse>) -> Busy {
        let mut doing = pulse.doing();
        doing.requests += 1;
        doing.head = false;
        Busy(Arc::clone(pulse))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut doing = self.0.doing();
        doing.requests -= 1;
        doing.since = Instant::now();
    }
}

/// A stream that tells the connection's [`Pulse`] of each read and write.
struct Watched {
    stream: TcpStream,
    pulse: Arc<Pulse>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.pulse.came();
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.told(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.told(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl Watched {
    fn told(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.pulse.went();
        }
        written
    }
}
