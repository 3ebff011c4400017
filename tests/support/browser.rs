//! The browser that shows pages to tests.

use std::path::PathBuf;

/// Where the browser is.
pub fn browser() -> PathBuf {
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    let apps =
        ["Chromium", "Google Chrome"].map(|app| PathBuf::from(format!("/Applications/{app}.app/Contents/MacOS/{app}")));
    found.chain(apps).find(|file| file.is_file()).expect(
        "Chromium is missing, which shows pages to tests. Install it: apt-get install chromium, or brew install --cask chromium",
    )
}
