//! What the page says of a run: its critical path, advice, what was used, and how it differs from an earlier run.

use async_tests::fixtures::records::{self, Crafted, many};
use serde_json::json;

use super::Stage;

/// A run whose critical path is known: `a`, then `b`, which was queued first.
fn two() -> Vec<Crafted> {
    vec![
        Crafted { wait: (1000, 3000), ..Crafted::new("a", 0, 3000) },
        Crafted::new("it's short", 100, 400),
        Crafted { queued: 1000, wait: (3100, 6000), ..Crafted::new("b", 3000, 2000) },
    ]
}

/// The marks and turns of the path: for each the left and the width in percent of the track, and the names of the lanes
/// that it begins and ends in.
const WAY: &str = "(() => {
    const box = (it) => it.getBoundingClientRect();
    const track = box(document.querySelector('.track'));
    const share = (px) => Math.round(px / track.width * 1000) / 10;
    const laneAt = (y) => [...document.querySelectorAll('.lane')]
        .find((lane) => y >= box(lane.querySelector('.bar')).bottom - 0.5 && y <= box(lane).bottom + 0.5)?.querySelector('.name').title;
    const seen = (it) => {
        const { left, width, top, bottom } = box(it);
        const kind = it.matches('.idle') ? 'queued' : it.matches('b') ? 'turn' : 'run';
        return [kind, share(left + (it.matches('b') ? 0.75 : 0) - track.left), it.matches('b') ? 0 : share(width), laneAt(top + 1), laneAt(bottom - 1)].join(' ');
    };
    return [...document.querySelectorAll('.way > i'), ...document.querySelectorAll('.way > b')].map(seen).join(', ');
})()";

#[test]
#[ignore = "in the full set"]
fn the_critical_path_goes_from_lane_to_lane_and_its_list_leads_there() {
    let Some(mut stage) = Stage::new() else { return };
    // With the lane of the cores, and without.
    let counted = two().into_iter().map(|it| Crafted { lines: "usage = 500 0 1 0 0\n".to_owned(), ..it }).collect();
    for futures in [two(), counted] {
        for width in [360, 1280] {
            stage.open("--html", &futures, width);
            assert_eq!(
                stage.text(WAY),
                "run 0 50 a a, queued 50 16.7 b b, run 66.7 33.3 b b, turn 50 0 a b",
                "at {width} px"
            );
        }
    }
    let list =
        "[...document.querySelectorAll('#path ~ .list li')].map((it) => it.innerText.replace(/\\s+/g, ' ')).join(', ')";
    assert_eq!(stage.text(list), "3.000 s 50% `a`, 1.000 s 17% `b`, queued, 2.000 s 33% `b`");
    stage.browser.eval("document.querySelector('#path ~ .list li:nth-child(2) a').click()");
    stage.browser.until("document.querySelector('#details h3')?.textContent === 'b'");
    assert_eq!(stage.browser.complaints(), <[&str; 0]>::default());
}

#[test]
#[ignore = "in the full set"]
fn a_path_of_very_many_stretches_is_a_short_list_and_few_marks() {
    let Some(mut stage) = Stage::new() else { return };
    // Each is waited for before the next one starts.
    let futures: Vec<Crafted> = (0..1500)
        .map(|n| Crafted { wait: (n * 10, n * 10 + 9), ..Crafted::new(&format!("t{n}"), n * 10, 9) })
        .collect();
    stage.open("--html", &futures, 800);
    let seen = stage.numbers("['#path ~ .list li', '.way > i'].map((it) => document.querySelectorAll(it).length)");
    assert!(seen[0] > 0.5 && seen[0] < 300.0 && seen[1] > 100.0 && seen[1] <= 1000.0, "{seen:?}");
}

/// The details of a lane, by what they are.
fn facts(stage: &mut Stage, lane: &str) -> serde_json::Value {
    stage.browser.eval(&format!(
        "(() => {{
            const name = [...document.querySelectorAll('.lane .name')].find((it) => it.title === {});
            show(name.parentElement.querySelector('.bar'));
            const what = [...document.querySelectorAll('#details dt')];
            return Object.fromEntries(what.map((it) => [it.textContent, it.nextElementSibling.textContent]));
        }})()",
        json!(lane)
    ))
}

#[test]
#[ignore = "in the full set"]
fn details_say_what_a_wait_is_worth_and_what_a_future_used() {
    let Some(mut stage) = Stage::new() else { return };
    let futures = [
        Crafted { wait: (1000, 3000), lines: "usage = 2500 250 2048 4 2048\n".into(), ..Crafted::new("slow", 0, 3000) },
        Crafted {
            wait: (3500, 3501),
            lines: "usage = 20 10 2048 0 0\nsamples = 100 51200 2 20 10\n".into(),
            ..Crafted::new("quick", 0, 200)
        },
        Crafted::new("unmeasured", 10, 20),
    ];
    stage.open("--html", &futures, 800);
    let slow = facts(&mut stage, "slow");
    assert_eq!((&slow["Waited for"], &slow["Slack"]), (&json!("2.0 s"), &json!(null)), "{slow}");
    assert_eq!(slow["Processor"], "2.8 s (2.5 s user, 250 ms system)");
    assert_eq!(slow["Memory"], "2.0 MiB at most, in one process");
    assert_eq!(slow["Disks"], "2.0 KiB read, 1.0 MiB written");
    assert_eq!(slow["Critical path"], "3.0 s of it");
    let quick = facts(&mut stage, "quick");
    assert_eq!(quick["Waited for"], "not at all: the wait cost nothing");
    assert_eq!(quick["Slack"], "finished 3.3 s before somebody waited for it");
    assert_eq!((&quick["Memory"], &quick["Disks"]), (&json!("50.0 MiB at most"), &json!(null)));
    assert_eq!(quick["Critical path"], json!(null));
    let unmeasured = facts(&mut stage, "unmeasured");
    assert_eq!((&unmeasured["Processor"], &unmeasured["Memory"]), (&json!(null), &json!(null)));
    let row = stage.text("[...document.querySelectorAll('#futures tr')].map((it) => `${it.cells[5].textContent} ${it.cells[6].textContent}`).join(', ')");
    assert_eq!(row, "0 ms 3.3 s, 2.0 s 0 ms, 0 ms 0 ms");
}

#[test]
#[ignore = "in the full set"]
fn advice_has_its_worth_and_an_option_that_a_shell_takes() {
    let Some(mut stage) = Stage::new() else { return };
    let futures = [
        Crafted { wait: (1000, 3000), ..Crafted::new("first", 0, 3000) },
        Crafted { wait: (3100, 8000), ..Crafted::new("it's $(slow)", 3000, 5000) },
        Crafted::new("free", 100, 400),
    ];
    stage.open("--html", &futures, 360);
    let advice =
        "[...document.querySelectorAll('#advice ~ .list li')].map((it) => it.innerText.replace(/\\s+/g, ' '))[0]";
    assert_eq!(
        stage.text(advice),
        "3.000 s 38% start `it's $(slow)` 3 s earlier, before waiting for `first` --what-if 'start:it'\\''s $(slow)=-3s'"
    );
    let wide = "document.documentElement.scrollWidth > innerWidth";
    assert_eq!(stage.browser.eval(wide), json!(false));
    let free = stage.text("[...document.querySelectorAll('.findings p')].at(-1).textContent");
    assert_eq!(free, "Waits that cost nothing: `free`");
    // As somebody copies it.
    let option = stage.text("document.querySelector('.copy').textContent");
    let store = stage.sandbox.path("crafted").display().to_string();
    let seen = stage.sandbox.run(&format!("async --dir {store} timing {option}"));
    assert!(seen.stdout.contains("\n What if start:it's $(slow)=-3s: 5.000 s\n"), "{seen}");
}

#[test]
#[ignore = "in the full set"]
fn the_lane_of_cores_has_a_step_for_each_interval_and_a_line_at_their_number() {
    let Some(mut stage) = Stage::new() else { return };
    let futures = [
        Crafted { lines: "samples = 1000 5 4 1000 0 3000 0\n".into(), ..Crafted::new("sampled", 0, 4000) },
        Crafted { lines: "usage = 1000 1000 5 0 0\n".into(), ..Crafted::new("spread", 4000, 4000) },
    ];
    for width in [400, 1280] {
        stage.open("--html", &futures, width);
        // The height of the area in the middle of each second, in cores.
        let heights = stage.text(
            "(() => {
                const path = document.querySelector('.cores path');
                const limit = 100 - document.querySelector('.cores line').y1.baseVal.value;
                const svg = path.ownerSVGElement.getBoundingClientRect();
                const track = document.querySelector('.track').getBoundingClientRect();
                if (Math.abs(svg.left - track.left) > 1 || Math.abs(svg.right - track.right) > 1) return 'it is not above the lanes';
                const height = (x) => {
                    for (let y = 0; y < 100; y += 0.1) if (path.isPointInFill(new DOMPoint(x, y))) return 100 - y;
                    return 0;
                };
                return [...Array(8).keys()].map((at) => (height((at + 0.5) * 12.5) / limit * 4).toFixed(1)).join(' ');
            })()",
        );
        assert_eq!(heights, "1.0 0.0 3.0 0.0 0.5 0.5 0.5 0.5", "at {width} px");
    }
    let label = stage.text("document.querySelector('.cores svg').getAttribute('aria-label')");
    assert_eq!(label, "Cores that tasks used over time: 3.0 of 4 at most, 0.8 on average");
    stage.open("--html", &many(10), 800);
    assert_eq!(stage.browser.eval("document.querySelector('.cores')"), json!(null));
}

#[test]
#[ignore = "in the full set"]
fn with_an_earlier_run_the_page_says_what_got_slower() {
    let Some(mut stage) = Stage::new() else { return };
    let new = |name: &str, start, run| Crafted::new(name, start, run);
    let runs = [
        vec![new("a", 0, 2000), new("b", 10, 5000), new("gone", 20, 700), new("same", 30, 900)],
        vec![new("a", 100_000, 3000), new("b", 100_010, 1000), new("new", 100_020, 600), new("same", 100_030, 901)],
    ];
    for futures in runs {
        stage.sandbox.run("async init --keep-runs 9").exits(0);
        let _ = records::store(&stage.sandbox.store(), &futures);
    }
    let mut open = |options: &str| {
        stage.sandbox.run(&format!("async timing {options} --html page.html")).exits(0);
        stage.browser.open(&format!("file://{}", stage.sandbox.path("cwd/page.html").display()), (800, 900));
    };
    open("");
    let compared = "document.getElementById('differences')";
    assert_eq!(stage.browser.eval(compared), json!(null));
    assert_eq!(facts(&mut stage, "a")["Before"], json!(null));
    for options in ["--compare", "--compare=median"] {
        stage.sandbox.run(&format!("async timing {options} --html - > page.html")).exits(0);
        stage.browser.open(&format!("file://{}", stage.sandbox.path("cwd/page.html").display()), (800, 900));
        let rows = stage.text("[...document.querySelectorAll('#differences + div tbody tr')].map((it) => [...it.cells].map((cell) => cell.textContent.trim()).join(' ').trim()).join(', ')");
        assert_eq!(
            rows,
            "the run 3.000 s 5.010 s −2.010 s -40%, b 1.000 s 5.000 s −4.000 s -80%, a 3.000 s 2.000 s +1.000 s +50%, \
             new 0.600 s –, gone – 0.700 s"
        );
        assert_eq!(facts(&mut stage, "a")["Before"], "2.0 s, now 1.0 s longer (+50%)");
        assert_eq!(facts(&mut stage, "b")["Before"], "5.0 s, now 4.0 s shorter (-80%)");
        assert_eq!(facts(&mut stage, "new")["Before"], json!(null));
        assert_eq!(facts(&mut stage, "script")["Before"], "5.0 s, now 2.0 s shorter (-40%)");
        stage.browser.resize((360, 900));
        assert_eq!(stage.browser.eval("document.documentElement.scrollWidth > innerWidth"), json!(false));
    }
}

#[test]
#[ignore = "in the full set"]
fn a_history_has_a_page_with_a_bar_for_each_run() {
    let Some(mut stage) = Stage::new() else { return };
    let day = 24 * 60 * 60 * 1000;
    let used = |kib: u32| format!("usage = 1 1 {kib} 0 0\n");
    let runs = [
        Crafted { lines: used(1024), ..Crafted::new("t", 0, 10_000) },
        Crafted { queued: 2000, ..Crafted::new("t", day, 11_000) },
        Crafted { rc: Some(2), ..Crafted::new("t", 2 * day, 90_000) },
        Crafted { lines: used(4096), ..Crafted::new("t", 3 * day, 20_000) },
    ];
    for future in runs {
        stage.sandbox.run("async init --keep-runs 9").exits(0);
        let _ = records::store(&stage.sandbox.store(), &[future]);
    }
    stage.sandbox.run("async timing --history t --html page.html | tail -n 1").says("History: page.html\n");
    for (theme, width) in [("light", 360), ("dark", 1280)] {
        stage.browser.prefer(theme);
        stage.browser.open(&format!("file://{}", stage.sandbox.path("cwd/page.html").display()), (width, 900));
        let rows = stage.text(
            "[...document.querySelectorAll('tbody tr')].map((it) => {
                const bars = [...it.querySelectorAll('.measure')].map((bar) => bar.querySelector('i')?.style.width ?? '-');
                const cells = [...it.cells].map((cell) => cell.textContent.trim()).filter((text) => text !== '');
                return [...cells, ...bars].join(' ');
            }).join('\\n')",
        );
        assert_eq!(
            rows,
            "2026-11-24 06:51:45 UTC 10.0 s 0 ms 1.0 MiB ok 50% 0% 25%\n\
             2026-11-25 06:51:45 UTC 11.0 s 2.0 s – ok 55% 100% -\n\
             2026-11-26 06:51:45 UTC 1 min 30 s 0 ms – failed with 2 (the bar is cut) 100% 0% -\n\
             ! 2026-11-27 06:51:45 UTC 20.0 s 0 ms 4.0 MiB ok 100% 0% 100%"
        );
        let said = stage.text("document.querySelector('p.broke').textContent");
        assert!(said.ends_with("10.0 s more than their median, 10.0 s."), "{said}");
        assert_eq!(stage.browser.eval("document.documentElement.scrollWidth > innerWidth"), json!(false));
        assert_eq!(stage.browser.complaints(), <[&str; 0]>::default());
    }
    // It has standard output for itself.
    let page = stage.sandbox.run("async timing --history t --html -");
    assert!(page.stdout.starts_with("<!doctype html>") && page.stdout.trim_end().ends_with("</html>"), "{page}");
    stage.sandbox.run("async timing --history t --json --html page.html | jq -c .median_ms").says("11000\n");
}
