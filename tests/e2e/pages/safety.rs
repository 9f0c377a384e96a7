//! Text from others is shown and never executed.

use async_tests::fixtures::records::Crafted;
use serde_json::json;

use super::Stage;

const EVIL: &str = "</script></style></title></textarea></template></noscript><img src=x onerror=\"document.title='evil'\"><script>document.title='evil'</script>\"'--><svg onload=document.title='evil'>";

fn evil() -> Vec<Crafted> {
    vec![
        Crafted {
            command: EVIL.to_owned(),
            log: format!("{EVIL}\n\x1b[31mred\x1b[0m\x07 \u{202e}turned\u{9b}1m\n").into_bytes(),
            ..Crafted::new("<img src=x onerror=\"document.title='evil'\">", 0, 1000)
        },
        Crafted::new("\"><svg onload=document.title='evil'>", 100, 1000),
        Crafted::new("' onfocus='document.title=1' autofocus='", 200, 1000),
    ]
}

#[test]
#[ignore = "in the full set"]
fn names_commands_and_logs_are_text_whatever_they_say() {
    let Some(mut stage) = Stage::new() else { return };
    for option in ["--html", "--svg"] {
        stage.open(option, &evil(), 800);
        let title = stage.text("document.title || document.querySelector('title').textContent");
        assert!(title.starts_with("3 futures in "), "{title}");
        let strangers = stage
            .numbers("['img', '[onerror]', '[onload]', '[onfocus]'].map((it) => document.querySelectorAll(it).length)");
        assert_eq!(strangers, [0.0; 4], "{option}");
        assert_eq!(stage.browser.complaints(), <[&str; 0]>::default(), "{option}");
        assert_eq!(stage.browser.requests().len(), 1, "{option}");
    }
    stage.open("--html", &evil(), 800);
    stage.browser.eval("show(document.querySelector('#lane-1 .bar'))");
    assert_eq!(stage.text("document.querySelector('#details code').textContent"), EVIL);
    let log = stage.text("document.querySelector('#details pre').textContent");
    assert_eq!(log, format!("{EVIL}\nred \\u{{202e}}turned\\u{{9b}}1m"));
    assert!(stage.text("document.title").starts_with("3 futures in "));
}

#[test]
#[ignore = "in the full set"]
fn the_policy_refuses_what_is_not_the_pages_own() {
    let Some(mut stage) = Stage::new() else { return };
    stage.open("--html", &evil(), 800);
    // Even if somebody found a way in.
    let seen = stage.browser.eval(
        "new Promise((done) => {
            const refused = [];
            document.addEventListener('securitypolicyviolation', (event) => refused.push(event.effectiveDirective));
            const script = document.createElement('script');
            script.textContent = 'document.title = \"evil\"';
            document.body.append(script);
            const style = document.createElement('style');
            style.textContent = 'body { background: url(http://127.0.0.1:9/x) }';
            document.body.append(style);
            const image = document.createElement('img');
            image.src = 'http://127.0.0.1:9/x';
            image.setAttribute('onerror', 'document.title = \"evil\"');
            document.body.append(image);
            fetch('http://127.0.0.1:9/x').catch(() => setTimeout(() => done([...new Set(refused)].sort()), 100));
        })",
    );
    assert_eq!(seen, json!(["connect-src", "img-src", "script-src-attr", "script-src-elem", "style-src-elem"]));
    assert!(stage.text("document.title").starts_with("3 futures in "));
}

#[test]
#[ignore = "in the full set"]
fn a_page_shows_the_ends_of_logs_and_no_more_of_them_than_it_can_bear() {
    let Some(mut stage) = Stage::new() else { return };
    let mut futures = async_tests::fixtures::records::many(600);
    for future in &mut futures {
        future.log = format!("{}\n", "forty words or so ".repeat(10)).repeat(100).into_bytes();
    }
    futures[0].log = b"x".repeat(100_000);
    stage.open("--html", &futures, 800);
    // For paper, the page draws everything.
    stage.browser.eval("dispatchEvent(new Event('beforeprint'))");
    let seen = stage.numbers(
        "(() => {
            const parsed = (it) => new DOMParser().parseFromString(it.textContent, 'text/html');
            const log = (it) => parsed(it).querySelector('pre')?.textContent ?? '';
            const logs = [...document.querySelectorAll('.track script')].map(log);
            return [Math.max(...logs.map((log) => log.length)), Math.max(...logs.map((log) => log.split('\\n').length)),
                logs.reduce((sum, log) => sum + log.length, 0), log(document.querySelector('#lane-1 script')).length];
        })()",
    );
    assert!((seen[0] - 4096.0).abs() < 0.1 && (seen[1] - 20.0).abs() < 0.1, "{seen:?}");
    assert!(seen[2] <= f64::from(1 << 20) && seen[2] > 1_000_000.0, "{seen:?}");
    assert!((seen[3] - 4096.0).abs() < 0.1, "{seen:?}");
}
