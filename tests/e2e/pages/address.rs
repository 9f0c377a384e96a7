//! The page's address: a reader can send what is in view to another one.

use async_tests::fixtures::records::{Crafted, many};
use serde_json::json;

use super::Stage;

const HASH: &str = "location.hash";
/// The time in view, in s, and the name of what is chosen.
const VIEW: &str = "(() => {
    const perPx = length / axis.clientWidth / 1000;
    return [chart.scrollLeft * perPx, (chart.scrollLeft + view()) * perPx];
})()";
const CHOSEN: &str = "(pinned ? document.querySelector('#details h3').textContent : '')";

/// Opens the page again, with that fragment.
fn reopen(stage: &mut Stage, fragment: &str) {
    stage.browser.open("about:blank", (800, 900));
    let file = stage.sandbox.path("timeline.html");
    stage.browser.open(&format!("file://{}{fragment}", file.display()), (800, 900));
    stage.browser.settle();
}

#[test]
#[ignore = "in the full set"]
fn the_address_keeps_the_time_in_view_and_the_chosen_future() {
    let Some(mut stage) = Stage::new() else { return };
    let mut futures = many(200);
    futures[30] = Crafted::new("a & b=#c+d %e é", 4500, 3000);
    stage.open("--html", &futures, 800);
    assert_eq!(stage.text(HASH), "");
    let chosen = "[...document.querySelectorAll('.name')].find((it) => it.title.startsWith('a &')).parentElement.querySelector('.bar')";
    stage.browser.eval(&format!("{chosen}.click()"));
    stage.browser.until("location.hash === '#future=a%20%26%20b%3D%23c%2Bd%20%25e%20%C3%A9'");
    (0..6).for_each(|_| stage.browser.press("+"));
    stage.browser.until("/^#t=[0-9.]+-[0-9.]+s&future=a/.test(location.hash)");
    stage.browser.press("ArrowRight");
    stage.browser.eval("new Promise((done) => setTimeout(() => done(0), 400))");
    let (hash, view) = (stage.text(HASH), stage.numbers(VIEW));

    reopen(&mut stage, &hash);
    assert_eq!(stage.text(CHOSEN), "a & b=#c+d %e é");
    let again = stage.numbers(VIEW);
    assert!(again.iter().zip(&view).all(|(again, view)| (again - view).abs() < 0.05), "{again:?} {view:?}");
    // What a reader was given stays what it is until they go elsewhere.
    stage.browser.eval("new Promise((done) => setTimeout(() => done(0), 400))");
    assert_eq!(stage.text(HASH), hash);
    stage.browser.press("Escape");
    stage.browser.press("0");
    stage.browser.until("location.hash === ''");
    assert_eq!(stage.browser.complaints(), <[&str; 0]>::default());
}

#[test]
#[ignore = "in the full set"]
fn the_page_follows_its_address() {
    let Some(mut stage) = Stage::new() else { return };
    stage.open("--html", &many(1000), 800);
    reopen(&mut stage, "#t=60-90s");
    let view = stage.numbers(VIEW);
    assert!((view[0] - 60.0).abs() < 0.1 && (view[1] - 90.0).abs() < 0.1, "{view:?}");
    // One that is not drawn yet.
    stage.browser.eval("location.hash = '#future=task-0700'");
    stage.browser.until(&format!("{CHOSEN} === 'task-0700'"));
    stage.browser.eval("location.hash = '#lane-951'");
    stage.browser.until(&format!("{CHOSEN} === 'task-0950'"));
    let seen = "(() => { const bar = document.querySelector('#lane-951').getBoundingClientRect();
        const box = chart.getBoundingClientRect(); return bar.top >= box.top && bar.bottom <= box.bottom; })()";
    assert_eq!(stage.browser.eval(seen), json!(true));
    stage.browser.until("location.hash.endsWith('future=task-0950')");
    // The page notes what is in view before it is told of an address that it was given.
    stage.browser.eval("location.hash = '#future=task-0100'; history.replaceState(null, '', '#t=60-90s')");
    stage.browser.until(&format!("{CHOSEN} === 'task-0100'"));
}

#[test]
#[ignore = "in the full set"]
fn a_wrong_address_does_nothing() {
    let Some(mut stage) = Stage::new() else { return };
    stage.open("--html", &many(20), 800);
    let whole = stage.numbers(VIEW);
    for fragment in [
        "#t=",
        "#t=9-3s",
        "#t=1-2",
        "#t=-1-2s",
        "#t=99999-999999s",
        "#t=1e3-2e3s",
        "#t=NaN-Infinitys",
        "#future=",
        "#future=none",
        "#future=script",
        "#lane-99999",
        "#lane--1",
        "#lane-x",
        "#%",
        "#t=%E0%A4%A",
        "#<img src=x onerror=alert(1)>",
        "#details",
    ] {
        reopen(&mut stage, fragment);
        assert_eq!(stage.text(CHOSEN), "", "{fragment}");
        assert_eq!(stage.numbers(VIEW), whole, "{fragment}");
        assert_eq!(stage.browser.complaints(), <[&str; 0]>::default(), "{fragment}");
        assert_eq!(
            stage.browser.eval("location.hash.length > 1 || location.href.endsWith('#')"),
            json!(true),
            "{fragment}"
        );
    }
}

#[test]
#[ignore = "in the full set"]
fn a_future_has_an_address_without_scripts_too() {
    let Some(mut stage) = Stage::new() else { return };
    stage.open("--html", &many(600), 800);
    // Before the page comes, as nothing can be awaited in it after that.
    stage.browser.open("about:blank", (800, 900));
    stage.browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    let url = format!("file://{}#lane-551", stage.sandbox.path("timeline.html").display());
    stage.browser.call("Page.navigate", &json!({"url": url}));
    let loaded = "document.readyState === 'complete' && document.querySelector('.lane:target') !== null";
    let begin = std::time::Instant::now();
    while stage.browser.eval(loaded) != json!(true) {
        assert!(begin.elapsed() < async_tests::LIMIT, "it never loads");
    }
    let seen = stage.text(
        "(() => {
            const lane = document.querySelector('.lane:target');
            const [at, chart] = [lane, document.getElementById('chart')].map((it) => it.getBoundingClientRect());
            const link = document.querySelector('#futures a');
            return `${lane.querySelector('.name').title} ${at.top > chart.top && at.bottom < chart.bottom} ${link.getAttribute('href')}`;
        })()",
    );
    assert_eq!(seen, "task-0550 true #lane-1");
}
