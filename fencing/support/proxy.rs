//! One connection that can be cut, also at the moment of its COMMIT.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

const FORWARD: u8 = 0;
const CUT_BEFORE_COMMIT: u8 = 1;
const CUT_AFTER_COMMIT: u8 = 2;
const SWALLOW: u8 = 3;

pub struct Proxy {
    pub port: u16,
    line: Arc<Line>,
}

#[derive(Default)]
struct Line {
    order: AtomicU8,
    sockets: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// Takes one connection for the server on that port.
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let line = Arc::new(Line::default());
        let taken = Arc::clone(&line);
        std::thread::spawn(move || {
            let Ok((client, _)) = listener.accept() else { return };
            let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) else { return };
            for socket in [&client, &server] {
                let _ = socket.set_nodelay(true);
                taken.sockets.lock().unwrap().extend(socket.try_clone());
            }
            let (from, to) = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
            let up = Arc::clone(&taken);
            std::thread::spawn(move || up.carry(from, to, Line::goes_up));
            taken.carry(server, client, Line::comes_down);
        });
        Self { port, line }
    }

    /// Ends the connection, as a crash of the client's process does.
    pub fn cut(&self) {
        self.line.cut();
    }

    /// The next COMMIT cuts the connection: before it reaches the server, or before its answer reaches the client.
    pub fn cut_at_commit(&self, arrives: bool) {
        self.line.order.store(if arrives { CUT_AFTER_COMMIT } else { CUT_BEFORE_COMMIT }, Ordering::SeqCst);
    }
}

impl Line {
    fn cut(&self) {
        for socket in self.sockets.lock().unwrap().iter() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream, may_pass: fn(&Self, &[u8]) -> bool) {
        let mut buffer = [0; 1 << 14];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let bytes = &buffer[..count];
            if !may_pass(self, bytes) || to.write_all(bytes).is_err() {
                break;
            }
        }
        self.cut();
    }

    fn goes_up(&self, bytes: &[u8]) -> bool {
        let commits = bytes.windows(6).any(|word| word.eq_ignore_ascii_case(b"COMMIT"));
        match self.order.load(Ordering::SeqCst) {
            CUT_BEFORE_COMMIT if commits => false,
            CUT_AFTER_COMMIT if commits => {
                self.order.store(SWALLOW, Ordering::SeqCst);
                true
            }
            _ => true,
        }
    }

    /// Waits for the answer to the COMMIT, and does not pass it on to the client.
    fn comes_down(&self, _: &[u8]) -> bool {
        self.order.load(Ordering::SeqCst) != SWALLOW
    }
}
