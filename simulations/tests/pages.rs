//! Pages of pictures in a browser: everything in the timeline is drawn, no script fails, and keys, wheel, dark mode and
//! printing work.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[path = "../../tests/support/browser.rs"]
#[expect(unreachable_pub, reason = "as the other helpers")]
mod browser;

use std::path::{Path, PathBuf};
use std::process::Command;

use browser::browser;
use serde_json::Value;

#[test]
fn a_calm_run_is_drawn_as_its_timeline_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let (page, timeline) = replay(folder.path(), &["--seed", "3", "--profile", "healthy"], true);
    let dom = browse(folder.path(), &page, "1");
    assert_is_drawn(&dom, &timeline);
    assert!(!dom.contains("class=\"frame\""), "a promise is framed that was not broken");
}

#[test]
fn a_run_with_everything_in_it_is_drawn_as_its_timeline_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let (page, timeline) = replay(folder.path(), &["--seed", "7"], true);
    assert_is_drawn(&browse(folder.path(), &page, "1"), &timeline);
}

#[test]
fn a_broken_promise_is_framed_and_named() {
    let folder = tempfile::tempdir().unwrap();
    // Most seeds catch this mutant.
    let (page, timeline) = (0..50)
        .map(|seed| replay(folder.path(), &["--mutant", "extend-after-release", "--seed", &seed.to_string()], false))
        .find(|(_, timeline)| !timeline["violation"].is_null())
        .unwrap();
    let dom = browse(folder.path(), &page, "1");
    assert_is_drawn(&dom, &timeline);
    assert_eq!(dom.matches("class=\"flag-text\">BROKEN: ").count(), 1);
    assert!(dom.contains("a wrong one: extend-after-release"));
    assert!(dom.contains("--mutant extend-after-release</code>"), "the command shows the same again");
}

#[test]
fn keys_and_wheel_move_the_picture_and_details_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (page, _) = replay(folder.path(), &["--seed", "7"], true);
    let dom = probed(
        folder.path(),
        &page,
        "const canvas = document.querySelector('.canvas'), detail = document.querySelector('.detail');
         const ticks = () => [...canvas.querySelectorAll('.tick-text')].map((tick) => tick.textContent).join();
         const thing = () => canvas.querySelector('.thing[tabindex=\"0\"]');
         const press = (key, shiftKey) => thing().dispatchEvent(new KeyboardEvent('keydown', { key, shiftKey, bubbles: true }));
         const whole = ticks(); thing().focus(); const first = detail.textContent;
         press('+'); const zoomed = ticks();
         press('ArrowRight', true); const moved = ticks();
         press('0'); const again = ticks();
         press('ArrowRight'); const second = detail.textContent;
         press('End'); const last = detail.textContent;
         canvas.dispatchEvent(new WheelEvent('wheel', { deltaY: -200, ctrlKey: true, bubbles: true }));
         const wheeled = ticks();
         document.querySelector('[data-do=all]').click(); const clicked = ticks();
         document.documentElement.dataset.probe = [whole !== zoomed, zoomed !== moved, again === whole, first.length > 10,
           first !== second, second !== last, wheeled !== whole, clicked === whole,
           document.activeElement.classList.contains('thing')].join(' ');",
    );
    assert_eq!(probe(&dom), ["true"; 9].join(" "));
}

#[test]
fn light_and_dark_have_their_own_paper_and_are_legible() {
    let folder = tempfile::tempdir().unwrap();
    let (page, timeline) = replay(folder.path(), &["--seed", "7"], true);
    let look = "const style = getComputedStyle(document.documentElement);
         document.documentElement.dataset.probe = style.backgroundColor + ' on ' + style.color;";
    write_probe(&page, look);
    let (dark, light) = (browse(folder.path(), &page, "0"), browse(folder.path(), &page, "1"));
    assert_is_drawn(&dark, &timeline);
    assert_eq!(probe(&dark), "rgb(22, 23, 26) on rgb(236, 236, 238)");
    assert_eq!(probe(&light), "rgb(251, 250, 247) on rgb(29, 29, 31)");
}

#[test]
fn on_paper_the_whole_run_is_drawn_and_the_plan_is_written_out() {
    let folder = tempfile::tempdir().unwrap();
    let (page, _) = replay(folder.path(), &["--seed", "7"], true);
    let dom = probed(
        folder.path(),
        &page,
        "document.querySelector('[data-do=in]').click(); dispatchEvent(new Event('beforeprint'));
         const box = document.querySelector('.canvas svg').viewBox.baseVal.width;
         const open = document.querySelector('details.plan').open; dispatchEvent(new Event('afterprint'));
         document.documentElement.dataset.probe = [box, open, document.querySelector('details.plan').open].join(' ');",
    );
    assert_eq!(probe(&dom), "1040 true false");
    let paper = folder.path().join("paper.pdf");
    chromium(folder.path(), &[&format!("--print-to-pdf={}", paper.display()), &address(&page)]);
    let pdf = std::fs::read(paper).unwrap();
    assert!(pdf.starts_with(b"%PDF-"));
    let pages = String::from_utf8_lossy(&pdf).matches("/Type /Page\n").count();
    assert!((1..=4).contains(&pages), "{pages} pages");
}

#[test]
fn a_page_of_all_scenarios_draws_each_of_them_and_asks_for_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("all.html");
    let output = simulations(&["scenario", "--all", "--html", page.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let dom = browse(folder.path(), &page, "1");
    let text = std::fs::read_to_string(&page).unwrap();
    let sections = data(&text)["sections"].as_array().unwrap().len();
    assert!(sections > 30, "{sections} pictures");
    assert!(dom.contains(&format!("data-drawn=\"{sections}\"")) && !dom.contains("data-error"));
    let elsewhere = ["src=", "href=\"http", "url(http", "@import", "fetch(", "XMLHttpRequest"];
    assert_eq!(elsewhere.iter().find(|word| text.contains(**word)), None);
}

/// Everything in the timeline is in the picture, the same number of times.
fn assert_is_drawn(dom: &str, timeline: &Value) {
    assert!(!dom.contains("data-error"), "a script failed: {:?}", dom.split("data-error").nth(1).map(|it| &it[..200]));
    let of = |list: &str, kind: &str| {
        let things = timeline[list].as_array().unwrap();
        things.iter().filter(|thing| thing["what"]["kind"] == kind).count()
    };
    let spans = ["lease", "fault", "paused", "lock", "rest"].map(|kind| ("spans", kind, format!("thing span {kind}")));
    let marks = [("sent", "sent"), ("written", "written"), ("refused", "refused"), ("failed", "failed")]
        .into_iter()
        .chain([("fault", "instant"), ("void", "void")])
        .map(|(kind, class)| ("marks", kind, format!("thing mark {class}")));
    let mut all = 0;
    for (list, kind, class) in spans.into_iter().chain(marks) {
        let drawn = dom.matches(&format!("class=\"{class}\"")).count();
        assert_eq!(drawn, of(list, kind), "{kind} in {list}");
        all += drawn;
    }
    assert_eq!(all, timeline["spans"].as_array().unwrap().len() + timeline["marks"].as_array().unwrap().len());
    assert!(all > 10, "a picture of {all} things shows nothing");
    let lanes = timeline["lanes"].as_array().unwrap().len();
    assert_eq!(dom.matches("data-lane=").count(), lanes);
    assert_eq!(dom.matches("class=\"frame\"").count() > 0, !timeline["violation"].is_null());
}

/// Writes a page of a run, and returns it with the timeline that it shows.
fn replay(folder: &Path, arguments: &[&str], holds: bool) -> (PathBuf, Value) {
    let page = folder.join("page.html");
    let output = simulations(&[&["replay", "--html", page.to_str().unwrap(), "--json"], arguments].concat());
    assert!(output.status.success() || !holds, "{}", String::from_utf8_lossy(&output.stderr));
    let timeline: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = std::fs::read_to_string(&page).unwrap();
    assert_eq!(data(&text)["sections"][0]["timeline"], timeline);
    (page, timeline)
}

fn simulations(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_simulations")).args(arguments).output().unwrap()
}

/// The data in a page.
fn data(page: &str) -> Value {
    let from = page.split_once("id=\"data\">").unwrap().1;
    serde_json::from_str(from.split_once("</script>").unwrap().0).unwrap()
}

/// Runs a script on a page after it is drawn.
fn write_probe(page: &Path, script: &str) {
    let text = std::fs::read_to_string(page).unwrap();
    std::fs::write(page, text.replace("</body>", &format!("<script>{{ {script} }}</script></body>"))).unwrap();
}

fn probed(folder: &Path, page: &Path, script: &str) -> String {
    write_probe(page, script);
    let dom = browse(folder, page, "1");
    assert!(!dom.contains("data-error"), "{:?}", dom.split("data-error").nth(1).map(|it| &it[..200]));
    dom
}

fn probe(dom: &str) -> &str {
    let found = dom.split_once("data-probe=\"").map(|(_, rest)| rest.split_once('"').unwrap().0);
    found.unwrap_or("the probe found nothing")
}

fn address(page: &Path) -> String {
    format!("file://{}", page.display())
}

/// The page as it is after its scripts. `scheme` is 0 for dark, 1 for light.
fn browse(folder: &Path, page: &Path, scheme: &str) -> String {
    chromium(folder, &[&format!("--blink-settings=preferredColorScheme={scheme}"), "--dump-dom", &address(page)])
}

/// Starts a browser without a window, with a new profile, that opens no connection.
fn chromium(folder: &Path, arguments: &[&str]) -> String {
    let profile = tempfile::tempdir_in(folder).unwrap();
    let quiet = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
                 --disable-component-update --disable-sync --window-size=1280,900";
    let output = Command::new(browser())
        .args(quiet.split_whitespace())
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
