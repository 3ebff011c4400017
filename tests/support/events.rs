//! What a program would log: the events of the current thread, as text.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Once;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

thread_local! {
    static CAPTURED: RefCell<Option<Rc<RefCell<Vec<u8>>>>> = const { RefCell::new(None) };
}

/// Captured events, one a line. Only those of this thread: use it on a current-thread runtime.
pub struct Events(Rc<RefCell<Vec<u8>>>);

impl Events {
    /// Captures, at every level, until it is dropped.
    pub fn captured() -> Self {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| {
            // One subscriber for all threads: with one per thread, another test that runs now could switch events off.
            tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_ansi(false).with_writer(|| Sink).init();
            tracing::callsite::rebuild_interest_cache();
        });
        let text = Rc::default();
        CAPTURED.set(Some(Rc::clone(&text)));
        Self(text)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.borrow()).into_owned()
    }

    pub fn lines_with(&self, part: &str) -> Vec<String> {
        self.text().lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        CAPTURED.set(None);
    }
}

/// Where a thread's events go: to its capture, if there is one.
struct Sink;

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        CAPTURED.with_borrow(|text| text.as_ref().map(|text| text.borrow_mut().extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
