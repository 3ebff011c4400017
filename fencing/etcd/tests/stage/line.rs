//! One connection to a server. It can be cut with a request on its way, which arrives later or never.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
/// gRPC ends the answer to a request with trailers; a reply to anything else on the connection has none.
const END_OF_ANSWER: u8 = 1;

#[derive(Default)]
struct State {
    hold: Option<&'static str>,
    held: Option<Vec<u8>>,
    /// Frames of headers that end a stream.
    answers: usize,
    server: Option<TcpStream>,
}

pub struct Line {
    pub port: u16,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl Line {
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let shared = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let taken = Arc::clone(&shared);
        std::thread::spawn(move || {
            let Ok((client, _)) = listener.accept() else { return };
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).expect("the server");
            for socket in [&client, &server] {
                let _ = socket.set_nodelay(true);
            }
            let (up_client, up_server) = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
            taken.0.lock().unwrap().server = Some(server.try_clone().expect("a socket"));
            let up = Arc::clone(&taken);
            std::thread::spawn(move || carry_up(up_client, up_server, &up));
            carry_down(server, client, &taken);
        });
        Self { port, shared }
    }

    /// The next request with this text in it is held back, and the client's side is cut.
    pub fn hold(&self, text: &'static str) {
        self.shared.0.lock().unwrap().hold = Some(text);
    }

    pub fn has_held(&self) -> bool {
        self.shared.0.lock().unwrap().held.is_some()
    }

    /// Lets the request arrive, and waits until the server has answered it.
    pub fn deliver(&self) {
        let (state, changed) = &*self.shared;
        let mut state = state.lock().unwrap();
        let (held, before) = (state.held.take().expect("a request"), state.answers);
        state.server.as_mut().expect("a connection").write_all(&held).expect("the server takes it");
        let waited = changed.wait_timeout_while(state, PATIENCE, |state| state.answers == before).unwrap();
        assert!(!waited.1.timed_out(), "the server does not answer");
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(server) = &self.shared.0.lock().unwrap().server {
            let _ = server.shutdown(Shutdown::Both);
        }
    }
}

fn carry_up(mut client: TcpStream, mut server: TcpStream, shared: &(Mutex<State>, Condvar)) {
    let mut buffer = [0; 1 << 14];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let bytes = &buffer[..count];
        let mut state = shared.0.lock().unwrap();
        let holds = state.hold.is_some_and(|text| bytes.windows(text.len()).any(|window| window == text.as_bytes()));
        if holds {
            state.held = Some(bytes.to_vec());
            let _ = client.shutdown(Shutdown::Both);
            return;
        }
        drop(state);
        if server.write_all(bytes).is_err() {
            break;
        }
    }
}

/// Continues to read when the client is gone, to notice the answer.
fn carry_down(mut server: TcpStream, mut client: TcpStream, shared: &(Mutex<State>, Condvar)) {
    let (mut buffer, mut frames) = ([0; 1 << 14], Vec::new());
    while let Ok(count @ 1..) = server.read(&mut buffer) {
        frames.extend_from_slice(&buffer[..count]);
        let _ = client.write_all(&buffer[..count]);
        // A frame of HTTP/2: three bytes of length, kind, flags, four bytes of stream.
        while let [a, b, c, kind, flags, ..] = frames[..] {
            let end = 9 + (usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c));
            if frames.len() < end {
                break;
            }
            if kind == 1 && flags & END_OF_ANSWER != 0 {
                shared.0.lock().unwrap().answers += 1;
                shared.1.notify_all();
            }
            frames.drain(..end);
        }
    }
}
