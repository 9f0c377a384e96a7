//! Everything is in its place, and nothing covers anything else.

use async_tests::fixtures::records::{many, of_each_kind};
use serde_json::json;

use super::{Stage, WIDTHS, length};

/// The names in the page's script that tests use.
const PAGE: &str = "
    const box = (it) => it.getBoundingClientRect();
    const track = (it) => box(it.closest('.track'));
    /** The left and the width of a bar's stretch, in its track, in px. */
    const place = (it) => [box(it).left - track(it).left, box(it).width];
    const lane = (name) => [...document.querySelectorAll('.lane')]
        .find((lane) => lane.querySelector('.name').title === name);
";

#[test]
#[ignore = "in the full set"]
fn each_future_has_a_lane_and_a_row_and_the_page_asks_nobody_for_anything() {
    let Some(mut stage) = Stage::new() else { return };
    for count in [1, 10, 200, 1000] {
        stage.open("--html", &many(count), 800);
        // For paper, the page draws everything.
        stage.browser.eval("dispatchEvent(new Event('beforeprint'))");
        let counts = stage.numbers("['.lane', '.bar', 'tbody tr'].map((it) => document.querySelectorAll(it).length)");
        #[allow(clippy::cast_precision_loss, reason = "no more than a thousand")]
        let count = count as f64;
        assert_eq!(counts, [count + 1.0, count + 1.0, count]);
        assert_eq!(stage.browser.complaints(), <[&str; 0]>::default());
        let requests = stage.browser.requests();
        assert!(matches!(&requests[..], [own] if own.starts_with("file://")), "{requests:?}");
    }
}

/// Compares each stretch of each bar, and each wait, with the records.
fn check_places(stage: &mut Stage, futures: &[async_tests::fixtures::records::Crafted]) {
    #[allow(clippy::cast_precision_loss, reason = "some seconds")]
    let share = |ms: i64| ms as f64 / length(futures) as f64;
    for future in futures {
        let name = json!(future.name);
        let seen = stage.numbers(&format!(
            "(() => {{ {PAGE}
                const parts = [...lane({name}).querySelectorAll('.held, .run')].flatMap(place);
                const waits = [...document.querySelectorAll('.wait')]
                    .filter((wait) => wait.dataset.of === lane({name}).id).flatMap(place);
                return [track(lane({name}).querySelector('.bar')).width, ...parts, ...waits];
            }})()"
        ));
        let (width, seen) = seen.split_first().unwrap();
        let mut expected = Vec::new();
        if future.queued > 0 {
            expected.extend([future.start, future.queued]);
        }
        if !matches!(future.cause, Some("skipped" | "unstartable")) {
            expected.extend([future.start + future.queued, future.run]);
        }
        expected.extend([future.wait.0, future.wait.1 - future.wait.0]);
        let expected: Vec<f64> = expected.into_iter().map(|ms| share(ms) * width).collect();
        assert_eq!(seen.len(), expected.len(), "{}: {seen:?} {expected:?}", future.name);
        for (seen, expected) in seen.iter().zip(&expected) {
            assert!((seen - expected).abs() < 1.0, "{}: {seen} is not {expected} of {width} px", future.name);
        }
    }
}

#[test]
#[ignore = "in the full set"]
fn bars_are_where_the_records_say_at_each_width_and_zoom() {
    let Some(mut stage) = Stage::new() else { return };
    let futures = of_each_kind();
    for width in WIDTHS {
        stage.open("--html", &futures, width);
        check_places(&mut stage, &futures);
        stage.browser.press("+");
        stage.browser.press("+");
        check_places(&mut stage, &futures);
    }
    let futures = many(200);
    stage.open("--html", &futures, 800);
    check_places(&mut stage, &futures);
}

#[test]
#[ignore = "in the full set"]
fn nested_futures_are_below_the_one_that_started_them() {
    let Some(mut stage) = Stage::new() else { return };
    stage.open("--html", &of_each_kind(), 800);
    let names = stage.text("[...document.querySelectorAll('.name')].map((it) => it.title).join(' | ')");
    assert!(
        names.starts_with("script | build | index | pull images | tests | tests-core | tests-cli | killed"),
        "{names}"
    );
    let indent = "((name) => { const it = [...document.querySelectorAll('.name')].find((it) => it.title === name);
        return it.querySelector('.sign').getBoundingClientRect().left; })";
    let lefts = stage.numbers(&format!("['tests', 'tests-core', 'tests-cli', 'killed'].map({indent})"));
    assert!(lefts[0] < lefts[1] && (lefts[1] - lefts[2]).abs() < 0.1 && (lefts[0] - lefts[3]).abs() < 0.1, "{lefts:?}");
}

/// Which elements cover which others, as text; empty if none do.
const COLLISIONS: &str = "
    const crosses = (a, b) => a.left < b.right - 0.5 && b.left < a.right - 0.5;
    const found = [];
    const ticks = [...document.querySelectorAll('.tick')].map(box);
    ticks.forEach((tick, i) => { if (i > 0 && crosses(ticks[i - 1], tick)) found.push(`tick ${i}`); });
    const end = box(document.getElementById('plane')).right;
    for (const tick of ticks) if (tick.right > end) found.push('a tick leaves the axis');
    for (const label of document.querySelectorAll('.label')) {
        const { left } = track(label);
        const at = box(label);
        if (at.left < left - 0.5 || at.right > end) found.push(`${label.textContent} leaves its lane`);
        for (const part of label.parentElement.querySelectorAll('.held, .run')) {
            if (crosses(at, box(part))) found.push(`${label.textContent} covers its bar`);
        }
    }
    for (const name of document.querySelectorAll('.name')) {
        if (box(name.lastElementChild).right > box(name).right) found.push(`${name.title} leaves its column`);
    }
    if (document.documentElement.scrollWidth > window.innerWidth) found.push('the page is too wide');
    return found.join(', ');
";

#[test]
#[ignore = "in the full set"]
fn no_text_stands_in_the_way_of_another_one_or_of_a_bar() {
    let Some(mut stage) = Stage::new() else { return };
    for futures in [of_each_kind(), many(1), many(10), many(200)] {
        for width in WIDTHS {
            stage.open("--html", &futures, width);
            for _ in 0..3 {
                assert_eq!(stage.text(&format!("(() => {{ {PAGE} {COLLISIONS} }})()")), "", "{width} px");
                (0..4).for_each(|_| stage.browser.press("+"));
            }
        }
    }
}

#[test]
#[ignore = "in the full set"]
fn names_and_axis_stay_in_sight_wherever_one_goes() {
    let Some(mut stage) = Stage::new() else { return };
    stage.open("--html", &many(1000), 800);
    (0..5).for_each(|_| stage.browser.press("+"));
    stage.browser.eval("document.getElementById('chart').scrollTo(900, 5000)");
    stage.browser.settle();
    let seen = stage.numbers(
        "(() => { const chart = document.getElementById('chart').getBoundingClientRect();
            const axis = document.querySelector('.axis').getBoundingClientRect();
            const names = [...document.querySelectorAll('.name')].map((it) => it.getBoundingClientRect());
            const here = names.filter((it) => it.bottom > axis.bottom && it.top < chart.bottom);
            return [axis.top - chart.top, here[0].left - chart.left, here.length, document.querySelectorAll('.tick').length]; })()",
    );
    assert!(seen[0] <= 1.0 && seen[1] <= 1.0 && seen[2] > 10.0 && seen[3] > 3.0, "{seen:?}");
}

#[test]
#[ignore = "in the full set"]
fn the_picture_has_its_bars_where_the_records_say_and_its_texts_apart() {
    let Some(mut stage) = Stage::new() else { return };
    for futures in [of_each_kind(), many(1), many(200), many(1000)] {
        stage.open("--svg", &futures, 800);
        assert_eq!(stage.browser.complaints(), <[&str; 0]>::default());
        #[allow(clippy::cast_precision_loss, reason = "some seconds")]
        let share = |ms: i64| ms as f64 / length(&futures) as f64;
        // The script's bar spans the whole axis.
        let axis = stage.numbers("[document.querySelector('.script .run').width.baseVal.value]")[0];
        for future in &futures {
            let name = json!(format!("{}:", future.name));
            let seen = stage.numbers(&format!(
                "(() => {{
                    const lane = [...document.querySelectorAll('.lane')]
                        .find((it) => it.querySelector('title').textContent.startsWith({name}));
                    return [...lane.querySelectorAll('.queue, .run')]
                        .flatMap((it) => [it.x.baseVal.value, it.width.baseVal.value]);
                }})()"
            ));
            let mut expected = Vec::new();
            if future.queued > 0 {
                expected.extend([future.start, future.queued]);
            }
            if !matches!(future.cause, Some("skipped" | "unstartable")) {
                expected.extend([future.start + future.queued, future.run]);
            }
            let expected: Vec<f64> = expected.into_iter().map(|ms| share(ms) * axis).collect();
            assert_eq!(seen.len(), expected.len(), "{name}");
            let apart = seen.iter().zip(&expected).any(|(seen, expected)| (seen - expected).abs() > 1.0);
            assert!(!apart, "{name} {seen:?} {expected:?}");
        }
        let texts = stage.text(
            "(() => {
                const all = [...document.querySelectorAll('text')].map((it) => [it, it.getBoundingClientRect()]);
                const found = [];
                all.forEach(([a, x], i) => {
                    if (x.left < 0 || x.right > 800) found.push(`${a.textContent} leaves the picture`);
                    for (const [b, y] of all.slice(i + 1, i + 20)) {
                        const apart = x.right <= y.left || y.right <= x.left || x.bottom - 4 <= y.top || y.bottom - 4 <= x.top;
                        if (!apart) found.push(`${a.textContent} covers ${b.textContent}`);
                    }
                });
                return found.join(', ');
            })()",
        );
        assert_eq!(texts, "");
    }
}
