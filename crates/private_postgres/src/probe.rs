//! Whether a server accepts connections, found out as `pg_isready` does: by beginning one.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::server;

/// Version 3.0 of the protocol, in a start-up packet.
const PROTOCOL: u32 = 3 << 16;

/// No message of a connection's beginning is nearly this long.
const LONGEST_MESSAGE: usize = 1 << 16;

/// Connects to the socket and gives the server's version, or why the server does not accept yet.
pub(crate) fn server_version(socket_dir: &Path) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket_dir.join(format!(".s.PGSQL.{}", server::PORT)))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(&startup_packet(&[("user", server::USER), ("database", "postgres")]))?;
    let mut version = String::new();
    loop {
        let (kind, body) = read_message(&mut stream)?;
        match kind {
            b'S' => {
                let mut fields = body.split(|byte| *byte == 0).map(String::from_utf8_lossy);
                if fields.next().as_deref() == Some("server_version") {
                    version = fields.next().unwrap_or_default().into_owned();
                }
            }
            b'Z' => {
                stream.write_all(&[b'X', 0, 0, 0, 4])?;
                return Ok(version);
            }
            b'E' => return Err(io::Error::other(error_text(&body))),
            _ => {}
        }
    }
}

/// Length, protocol version, names and values, each ended by a zero.
fn startup_packet(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = PROTOCOL.to_be_bytes().to_vec();
    for text in parameters.iter().flat_map(|(name, value)| [name, value]) {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [length.to_be_bytes().to_vec(), body].concat()
}

/// One message: its kind, and its body without the length.
fn read_message(stream: &mut UnixStream) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    let length = usize::try_from(length).unwrap_or(usize::MAX).saturating_sub(4);
    if length > LONGEST_MESSAGE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "this is no PostgreSQL server"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((head[0], body))
}

/// The `M` field of an error: what a person is to read.
fn error_text(body: &[u8]) -> String {
    let message = body.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"M"));
    String::from_utf8_lossy(message.unwrap_or(b"an error without a text")).into_owned()
}
