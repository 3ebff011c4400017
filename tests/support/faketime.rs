//! Sets the wall clock of a program that a test starts, with libfaketime.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

const NO_FAKETIME: &str = "libfaketime was not found in /usr/lib or Homebrew. These tests set the clocks of programs with it: \
     install it with \"apt-get install libfaketime\" or \"brew install libfaketime\", or run scripts/test, which does.";

/// What a program needs in its environment to read the time from the file that [`set_offset`] writes in `dir`.
pub fn environment(dir: &Path) -> Vec<(&'static str, OsString)> {
    let mut libraries = library().expect(NO_FAKETIME).into_os_string();
    let preload = if cfg!(target_os = "macos") { "DYLD_INSERT_LIBRARIES" } else { "LD_PRELOAD" };
    if cfg!(target_os = "linux") {
        // In many builds of Redis the allocator asks for the time before the library is ready; that of the C library
        // does not.
        libraries.push(" libc.so.6");
    }
    vec![
        (preload, libraries),
        ("DYLD_FORCE_FLAT_NAMESPACE", "1".into()),
        ("FAKETIME_TIMESTAMP_FILE", dir.join("offset").into()),
        ("FAKETIME_NO_CACHE", "1".into()),
        // Only the wall clock steps. Two names, for old and for new versions of the library.
        ("DONT_FAKE_MONOTONIC", "1".into()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
    ]
}

/// Sets the clock to `seconds` ahead of the machine's. Replaces the file as a whole: a program may read it at any moment.
pub fn set_offset(dir: &Path, seconds: i64) {
    std::fs::write(dir.join("offset.new"), format!("{seconds:+}\n")).expect("to write the offset");
    std::fs::rename(dir.join("offset.new"), dir.join("offset")).expect("to put the offset in place");
}

/// The library in its variant for programs with threads.
fn library() -> Option<PathBuf> {
    let mut places: Vec<PathBuf> = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("faketime/libfaketimeMT.so.1")))
        .collect();
    places
        .extend(["/usr/lib/faketime/libfaketimeMT.so.1", "/usr/lib64/faketime/libfaketimeMT.so.1"].map(PathBuf::from));
    places
        .extend(["/opt/homebrew", "/usr/local"].map(|brew| Path::new(brew).join("lib/faketime/libfaketimeMT.1.dylib")));
    places.into_iter().find(|place| place.exists())
}
