//! As much of the wire protocol as it takes to run a statement over the socket.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// An open connection as `postgres` to the database `postgres`.
pub(crate) struct Session(UnixStream);

impl Session {
    pub(crate) fn open(socket_dir: &Path) -> io::Result<Self> {
        let mut session = Self(UnixStream::connect(socket_dir.join(".s.PGSQL.5432"))?);
        let body = [&(3_u32 << 16).to_be_bytes()[..], b"user\0postgres\0database\0postgres\0\0"].concat();
        session.0.write_all(&length_of(&body))?;
        session.0.write_all(&body)?;
        session.until_ready()?;
        Ok(session)
    }

    /// Runs statements; gives the first column of the last row.
    pub(crate) fn run(&mut self, sql: &str) -> io::Result<String> {
        let body = [sql.as_bytes(), b"\0"].concat();
        self.0.write_all(b"Q")?;
        self.0.write_all(&length_of(&body))?;
        self.0.write_all(&body)?;
        self.until_ready()
    }

    fn until_ready(&mut self) -> io::Result<String> {
        let mut column = String::new();
        loop {
            let mut head = [0; 5];
            self.0.read_exact(&mut head)?;
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) - 4;
            let mut body = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            self.0.read_exact(&mut body)?;
            match head[0] {
                b'Z' => return Ok(column),
                b'E' => return Err(io::Error::other(String::from_utf8_lossy(&body).replace('\0', " "))),
                // Two bytes for the number of columns, four for the length of the first.
                b'D' => column = String::from_utf8_lossy(&body[6..]).into_owned(),
                _ => {}
            }
        }
    }
}

fn length_of(body: &[u8]) -> [u8; 4] {
    u32::try_from(body.len() + 4).expect("a short message").to_be_bytes()
}
