//! The effects of keys, mouse and wheel.

use async_tests::fixtures::records::{Crafted, many, of_each_kind};
use serde_json::json;

use super::Stage;

/// The details, or nothing if none are shown.
const DETAILS: &str = "(() => { const it = document.getElementById('details');
    return it.hidden || it.offsetHeight === 0 ? '' : it.textContent; })()";
/// The name of the focused element.
const FOCUS: &str = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.id";
const ZOOM: &str = "document.getElementById('plane').offsetWidth";
const LEFT: &str = "document.getElementById('chart').scrollLeft";

/// The centre of the first element that matches a selector, in px.
fn middle(stage: &mut Stage, selector: &str) -> (f64, f64) {
    let expression = format!(
        "(() => {{ const it = document.querySelector({}).getBoundingClientRect();
            return [(it.left + it.right) / 2, (it.top + it.bottom) / 2]; }})()",
        json!(selector)
    );
    let seen = stage.numbers(&expression);
    (seen[0], seen[1])
}

/// The moment in ms at a position in px.
fn moment_at(stage: &mut Stage, x: f64) -> f64 {
    let expression = format!(
        "(() => {{ const it = document.getElementById('ticks').getBoundingClientRect();
            return [({x} - it.left) / it.width * Number(document.getElementById('plane').dataset.length)]; }})()"
    );
    stage.numbers(&expression)[0]
}

fn number(stage: &mut Stage, expression: &str) -> f64 {
    stage.browser.eval(expression).as_f64().unwrap()
}

/// Focuses the first bar, which is the script's.
fn tab_to_the_timeline(stage: &mut Stage) {
    for _ in 0..20 {
        stage.browser.press("Tab");
        if stage.text(FOCUS).starts_with("script:") {
            return;
        }
    }
    panic!("no tab leads there");
}

#[test]
#[ignore = "in the full set"]
fn the_keyboard_reaches_each_bar_and_shows_its_details() {
    let Some(mut stage) = Stage::new() else { return };
    stage.open("--html", &of_each_kind(), 800);
    tab_to_the_timeline(&mut stage);
    assert!(stage.text(DETAILS).contains("script"));

    (0..4).for_each(|_| stage.browser.press("ArrowDown"));
    assert!(stage.text(FOCUS).starts_with("tests: failed, status 1,"), "{}", stage.text(FOCUS));
    let details = stage.text(DETAILS);
    for part in ["tests", "failed, status 1", "do tests", "at 3.0 s", "4.0 s, from 3.0 s to 7.0 s", "tests is done"] {
        assert!(details.contains(part), "{part}: {details}");
    }
    assert_eq!(stage.text("document.activeElement.getAttribute('aria-describedby')"), "details");

    // The waits of a lane come after its bar.
    stage.browser.press("Tab");
    assert!(stage.text(FOCUS).starts_with("tests waits for tests-core"), "{}", stage.text(FOCUS));
    assert!(stage.text(DETAILS).contains("tests waits for tests-core"));

    stage.browser.press("Escape");
    assert_eq!(stage.text(DETAILS), "");
    stage.browser.press("End");
    assert!(stage.text(FOCUS).starts_with("serve:"));
    stage.browser.press("Home");
    assert!(stage.text(FOCUS).starts_with("script:"));
}

#[test]
#[ignore = "in the full set"]
fn details_say_why_a_future_came_to_no_good_end() {
    let Some(mut stage) = Stage::new() else { return };
    stage.open("--html", &of_each_kind(), 800);
    for (name, status) in [
        ("killed", "failed, status 137 (killed by signal 9, SIGKILL)"),
        ("lost", "lost"),
        ("cancelled", "cancelled, status 143 (killed by signal 15, SIGTERM)"),
        ("timeout", "timed out, status 143"),
        ("skipped", "skipped"),
        ("unstartable", "not started, status 127"),
    ] {
        let row = format!(
            "[...document.querySelectorAll('tbody tr')].find((it) => it.cells[0].textContent === {}).cells[1].textContent",
            json!(name)
        );
        let seen = stage.text(&row);
        assert!(seen.trim().starts_with(status), "{name}: {seen}");
    }
    // Not by colour alone: each kind has its own sign and word.
    let kinds =
        stage.text("[...document.querySelectorAll('.legend li')].map((it) => it.textContent.trim()).join(', ')");
    assert_eq!(
        kinds,
        "succeeded 5, failed 3, lost 1, cancelled 1, timed out 1, skipped 1, not started 1, was queued, waits, critical path"
    );
    let signs = stage.numbers(
        "(() => { const of = (it) => it.querySelector('use').getAttribute('href');
            const looks = [...document.querySelectorAll('.legend li:has(use)')];
            return [new Set(looks.map((it) => of(it) + it.textContent.replace(/\\d+/, ''))).size, looks.length]; })()",
    );
    assert!((signs[0] - signs[1]).abs() < 0.1, "{signs:?}");
}

#[test]
#[ignore = "in the full set"]
fn keys_zoom_and_pan() {
    let Some(mut stage) = Stage::new() else { return };
    stage.open("--html", &many(200), 800);
    let whole = number(&mut stage, ZOOM);
    tab_to_the_timeline(&mut stage);
    (0..6).for_each(|_| stage.browser.press("+"));
    let near = number(&mut stage, ZOOM);
    assert!(near > 5.0 * whole, "{whole} {near}");

    let before = number(&mut stage, LEFT);
    stage.browser.press("ArrowRight");
    let right = number(&mut stage, LEFT);
    stage.browser.press("ArrowLeft");
    let left = number(&mut stage, LEFT);
    assert!(right > before + 50.0 && (left - before).abs() < 2.0, "{before} {right} {left}");

    stage.browser.press("-");
    assert!(number(&mut stage, ZOOM) < near);
    stage.browser.press("0");
    assert!((number(&mut stage, ZOOM) - whole).abs() < 0.1);
    // No further out than the whole run.
    stage.browser.press("-");
    assert!((number(&mut stage, ZOOM) - whole).abs() < 0.1);
}

#[test]
#[ignore = "in the full set"]
fn a_bar_that_gets_the_focus_comes_into_sight_with_its_details_beside_it() {
    let Some(mut stage) = Stage::new() else { return };
    stage.open("--html", &many(1000), 800);
    tab_to_the_timeline(&mut stage);
    (0..8).for_each(|_| stage.browser.press("+"));
    for key in ["End", "Home"] {
        stage.browser.press(key);
        let seen = stage.text(
            "(() => {
                const bar = document.activeElement.getBoundingClientRect();
                const chart = document.getElementById('chart').getBoundingClientRect();
                const axis = document.getElementById('ticks').getBoundingClientRect();
                const names = document.querySelector('.corner').getBoundingClientRect().right;
                const it = document.getElementById('details').getBoundingClientRect();
                const apart = it.bottom <= bar.top || it.top >= bar.bottom;
                const inWindow = it.left >= 0 && it.top >= 0 && it.right <= innerWidth && it.bottom <= innerHeight;
                const inSight = bar.bottom <= chart.bottom && bar.top >= axis.bottom && bar.left < chart.right
                    && bar.right > names;
                return `${apart} ${inWindow} ${inSight}`;
            })()",
        );
        assert_eq!(seen, "true true true", "{key}");
    }
}

#[test]
#[ignore = "in the full set"]
fn the_mouse_shows_details_a_click_keeps_them_and_a_drag_pans() {
    let Some(mut stage) = Stage::new() else { return };
    stage.open("--html", &of_each_kind(), 800);
    let bar = middle(&mut stage, "#lane-1 .bar");
    stage.browser.mouse("mouseMoved", bar);
    assert!(stage.text(DETAILS).contains("build"));
    // The details can be hovered, for scrolling and copying.
    let details = middle(&mut stage, "#details");
    stage.browser.mouse("mouseMoved", details);
    assert!(stage.text(DETAILS).contains("build"));
    stage.browser.mouse("mouseMoved", (790.0, 5.0));
    stage.browser.until("document.getElementById('details').hidden");

    stage.browser.mouse("mouseMoved", bar);
    stage.browser.mouse("mousePressed", bar);
    stage.browser.mouse("mouseReleased", bar);
    stage.browser.mouse("mouseMoved", (790.0, 5.0));
    stage.browser.eval("new Promise((done) => setTimeout(() => done(0), 300))");
    assert!(stage.text(DETAILS).contains("build"));
    stage.browser.press("Escape");
    assert_eq!(stage.text(DETAILS), "");

    (0..4).for_each(|_| stage.browser.press("+"));
    let before = number(&mut stage, LEFT);
    let from = middle(&mut stage, "#ticks");
    let from = (from.0.clamp(300.0, 700.0), from.1 + 60.0);
    stage.browser.mouse("mouseMoved", from);
    stage.browser.mouse("mousePressed", from);
    for step in 1..=10 {
        stage.browser.mouse("mouseMoved", (from.0 - 8.0 * f64::from(step), from.1));
    }
    stage.browser.mouse("mouseReleased", (from.0 - 80.0, from.1));
    let after = number(&mut stage, LEFT);
    assert!((after - before - 80.0).abs() < 2.0, "{before} {after}");
    // The end of a drag is not a click.
    stage.browser.mouse("mouseMoved", (790.0, 5.0));
    stage.browser.until("document.getElementById('details').hidden");
}

#[test]
#[ignore = "in the full set"]
fn the_wheel_zooms_about_the_moment_that_the_mouse_is_at() {
    let Some(mut stage) = Stage::new() else { return };
    stage.open("--html", &many(200), 800);
    let whole = number(&mut stage, ZOOM);
    let place = (500.0, middle(&mut stage, "#lane-3").1);
    let before = moment_at(&mut stage, place.0);
    stage.browser.wheel(place, -480.0, true);
    stage.browser.until(&format!("{ZOOM} > 2 * {whole}"));
    let after = moment_at(&mut stage, place.0);
    let ms_per_px = moment_at(&mut stage, 1.0) - moment_at(&mut stage, 0.0);
    assert!((after - before).abs() <= 1.5 * ms_per_px, "{before} {after} {ms_per_px}");
    // Without the control key it scrolls from lane to lane.
    stage.browser.wheel(place, 300.0, false);
    stage.browser.until("document.getElementById('chart').scrollTop > 100");
}

#[test]
#[ignore = "in the full set"]
fn the_theme_is_the_systems_unless_one_is_chosen() {
    let Some(mut stage) = Stage::new() else { return };
    let ground = "getComputedStyle(document.body).backgroundColor";
    stage.browser.prefer("dark");
    stage.open("--html", &many(10), 800);
    let dark = stage.text(ground);
    stage.browser.prefer("light");
    let light = stage.text(ground);
    assert_ne!(dark, light);
    let choose = |theme: &str| {
        format!(
            "(() => {{ const it = document.getElementById('theme'); it.value = '{theme}';
            it.dispatchEvent(new Event('change')); }})()"
        )
    };
    stage.browser.eval(&choose("dark"));
    assert_eq!(stage.text(ground), dark);
    stage.browser.eval(&choose(""));
    assert_eq!(stage.text(ground), light);
}

/// The same future, with a sample for each part of its run.
fn sampled(mut future: Crafted) -> Crafted {
    let interval = if future.run <= 6400 { 100 } else { 200 };
    let cpu: Vec<i64> = (0..=(future.run - 1) / interval).map(|number| (number * 37 + future.run) % interval).collect();
    let (sum, words) = (cpu.iter().sum::<i64>(), cpu.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    future.lines = format!("usage = {sum} 0 2048 0 0\nsamples = {interval} 2048 4 {words}\n");
    future
}

#[test]
#[ignore = "in the full set"]
fn of_very_many_only_those_in_view_are_drawn_and_all_can_be_reached() {
    let Some(mut stage) = Stage::new() else { return };
    let drawn = [2000, 6000].map(|count| {
        stage.open("--html", &many(count).into_iter().map(sampled).collect::<Vec<_>>(), 800);
        stage.browser.settle();
        number(&mut stage, "document.getElementsByTagName('*').length")
    });
    assert!(drawn[1] < drawn[0] * 1.5, "{drawn:?}");
    // A browser needs several times the size of what it does not draw in memory.
    let bytes = std::fs::metadata(stage.sandbox.path("timeline.html")).unwrap().len();
    assert!(bytes < 6000 * 1700, "{bytes} bytes for 6000 futures");
    stage.browser.eval("[...document.querySelectorAll('#lane-0 .wait')].at(-1).click()");
    stage.browser.until("document.querySelector('#details h3').textContent.startsWith('script waits for task-5')");
    stage.browser.press("Escape");
    tab_to_the_timeline(&mut stage);
    stage.browser.press("End");
    assert!(stage.text(FOCUS).starts_with("task-5999:"), "{}", stage.text(FOCUS));
    stage.browser.until("document.getElementById('details').textContent.includes('do task-5999')");
    stage.browser.press("Home");
    assert!(stage.text(FOCUS).starts_with("script:"));
    // One in the middle, by the wheel or the bar.
    stage.browser.eval("document.getElementById('chart').scrollTop = 3000 * 28");
    stage.browser.until("document.getElementById('lane-3001')");
    let rows = "document.querySelectorAll('tbody tr').length";
    assert!((number(&mut stage, rows) - 50.0).abs() < 0.1);
    stage.browser.eval("document.getElementById('more').scrollIntoView()");
    stage.browser.until(&format!("{rows} >= 100"));
    assert_eq!(stage.browser.complaints(), <[&str; 0]>::default());
}
