//! The wire between scripts and the service. It notes what goes over it, so that the same can be sent again to the byte.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::http;

/// How every answer begins.
const ANSWER: &[u8] = b"HTTP/1.1 ";
/// How long the status is that follows.
const STATUS: usize = 3;

/// What is said in place of the service that can take no more.
const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

type Note = Arc<Mutex<Vec<u8>>>;

/// What went over one connection.
#[derive(Clone, Default)]
struct Carried {
    sent: Note,
    answered: Note,
}

/// The wire; it lasts as long as the process.
pub(crate) struct Wire {
    /// Where scripts find the service, which names itself so.
    pub(crate) host: String,
    /// Where the service is to listen.
    pub(crate) service: SocketAddr,
    carried: Arc<Mutex<Vec<Carried>>>,
    /// How many of the next connections are told that the service can take no more.
    busy: Arc<AtomicUsize>,
}

impl Wire {
    pub(crate) fn new() -> Wire {
        let free = || TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = |listener: &TcpListener| listener.local_addr().expect("an address");
        let (end, carried) = (free(), Arc::<Mutex<Vec<Carried>>>::default());
        let (host, service) = (format!("http://{}", address(&end)), address(&free()));
        let busy = Arc::<AtomicUsize>::default();
        let (notes, left) = (Arc::clone(&carried), Arc::clone(&busy));
        thread::spawn(move || {
            for script in end.incoming().map_while(Result::ok) {
                if left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
                {
                    thread::spawn(move || refuse(script));
                    continue;
                }
                let note = Carried::default();
                notes.lock().expect("notes").push(note.clone());
                // If the service is away, the script sees its connection end.
                let _ = note.connect(script, service);
            }
        });
        Wire { host, service, carried, busy }
    }

    /// Has so many of the next connections told that the service can take no more.
    pub(crate) fn refuse(&self, connections: usize) {
        self.busy.store(connections, Ordering::Relaxed);
    }

    /// How many of those are still to come.
    pub(crate) fn refusals_left(&self) -> usize {
        self.busy.load(Ordering::Relaxed)
    }

    /// Sends everything again that has gone over the wire, each connection's on one of its own; it must be answered as
    /// it was. How many answers there were.
    pub(crate) fn send_again(&self) -> usize {
        let carried = std::mem::take(&mut *self.carried.lock().expect("notes"));
        let again = |one: Carried| {
            let sent = one.sent.lock().expect("a note").clone();
            let before = statuses(&one.answered.lock().expect("a note"));
            if before.is_empty() {
                return 0;
            }
            let mut stream = http::connect(self.service).expect("the service is there");
            stream.write_all(&sent).expect("it is sent");
            assert_eq!(answers(&mut stream, before.len()), before, "{}", String::from_utf8_lossy(&sent));
            before.len()
        };
        carried.into_iter().map(again).sum()
    }
}

impl Carried {
    fn connect(self, script: TcpStream, service: SocketAddr) -> std::io::Result<()> {
        let service = TcpStream::connect(service)?;
        let (to_script, to_service) = (script.try_clone()?, service.try_clone()?);
        thread::spawn(move || carry(script, to_service, &self.sent));
        thread::spawn(move || carry(service, to_script, &self.answered));
        Ok(())
    }
}

/// Answers as the service does that can take no more, and hears the script out.
fn refuse(mut script: TcpStream) -> std::io::Result<()> {
    let mut bytes = [0; 16 * 1024];
    let _begun = script.read(&mut bytes)?;
    script.write_all(BUSY)?;
    while let 1.. = script.read(&mut bytes)? {}
    Ok(())
}

fn carry(mut from: TcpStream, mut to: TcpStream, note: &Note) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        note.lock().expect("a note").extend_from_slice(&bytes[..read]);
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// The statuses of so many answers.
fn answers(stream: &mut TcpStream, wanted: usize) -> Vec<String> {
    let (mut said, mut bytes) = (Vec::new(), [0; 16 * 1024]);
    while statuses(&said).len() < wanted {
        let read = stream.read(&mut bytes).expect("an answer");
        assert!(read > 0, "it ends too soon: {}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&bytes[..read]);
    }
    statuses(&said)
}

fn statuses(said: &[u8]) -> Vec<String> {
    let whole = said.windows(ANSWER.len() + STATUS);
    let statuses = whole.filter(|part| part.starts_with(ANSWER)).map(|part| &part[ANSWER.len()..]);
    statuses.map(|status| String::from_utf8_lossy(status).into_owned()).collect()
}
