//! Everything stands out from its background, in both themes, by the formula of WCAG 2.2.

use async_tests::fixtures::records::of_each_kind;

use super::Stage;

/// Computes contrast: `ratio(a, b)` of two CSS colours, the first one on top of the second.
const RECKON: &str = "
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const pixel = (...layers) => {
        canvas.clearRect(0, 0, 1, 1);
        for (const layer of layers) { canvas.fillStyle = layer; canvas.fillRect(0, 0, 1, 1); }
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const linear = (part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    const luminance = ([r, g, b]) => [r, g, b].map((part) => linear(part / 255))
        .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
    const ratio = (above, below) => {
        const [x, y] = [luminance(pixel(below, above)), luminance(pixel(below))];
        return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
    };
    const behind = (it) => {
        for (let at = it; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if (pixel(colour)[3] === 255) return colour;
        }
        return 'red';
    };
    const found = [];
    const check = (what, above, below, least) => {
        const seen = ratio(above, below);
        if (!(seen >= least)) found.push(`${what}: ${seen.toFixed(2)}`);
    };
";

#[test]
#[ignore = "in the full set"]
fn texts_and_marks_of_the_page_have_contrast_in_both_themes() {
    let Some(mut stage) = Stage::new() else { return };
    for theme in ["light", "dark"] {
        stage.browser.prefer(theme);
        let mut futures = of_each_kind();
        futures[0].lines = "samples = 1000 5 2 500 900\n".to_owned();
        stage.open("--html", &futures, 800);
        stage.browser.eval("show(document.querySelector('#lane-4 .bar'))");
        let found = stage.text(&format!(
            "(() => {{ {RECKON}
                let texts = 0;
                const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
                while (walk.nextNode()) {{
                    const it = walk.currentNode.parentElement;
                    if (walk.currentNode.textContent.trim() === '' || it.closest('script, template, option, .sr-only')) continue;
                    texts++;
                    check(`text ${{it.className}} ${{it.tagName}}`, getComputedStyle(it).color, behind(it), 4.5);
                }}
                if (texts < 100) found.push(`only ${{texts}} texts`);
                const ground = behind(document.body);
                for (const sign of document.querySelectorAll('.sign')) {{
                    check(`sign ${{sign.closest('[class]').className.baseVal}}`, getComputedStyle(sign).color, behind(sign), 3);
                }}
                for (const lane of document.querySelectorAll('.lane')) {{
                    // A bar has the colour of its sign.
                    const colour = getComputedStyle(lane.querySelector('.sign')).color;
                    const run = lane.querySelector('.run');
                    const fill = run && getComputedStyle(run).backgroundColor;
                    if (fill && pixel(fill)[3] === 255 && !lane.matches('.lost')) check(`bar ${{lane.className}}`, fill, ground, 3);
                    check(`mark ${{lane.className}}`, colour, ground, 3);
                }}
                for (const it of document.querySelectorAll('button, select')) {{
                    if (!it.matches('.bar, .wait')) check(`edge ${{it.id}}`, getComputedStyle(it).borderTopColor, ground, 3);
                }}
                check('path', getComputedStyle(document.querySelector('.way > i')).backgroundColor, ground, 3);
                for (const it of document.querySelectorAll('.cores path, .cores line')) {{
                    check(it.tagName, getComputedStyle(it).stroke, ground, 3);
                }}
                check('focus', getComputedStyle(document.documentElement).getPropertyValue('--accent')
                    .match(/#[0-9a-f]+/g)[{}], ground, 3);
                return found.join(', ');
            }})()",
            usize::from(theme == "dark")
        ));
        assert_eq!(found, "", "{theme}");
    }
}

#[test]
#[ignore = "in the full set"]
fn texts_and_marks_of_the_picture_have_contrast_in_both_themes() {
    let Some(mut stage) = Stage::new() else { return };
    for theme in ["light", "dark"] {
        stage.browser.prefer(theme);
        stage.open("--svg", &of_each_kind(), 800);
        let found = stage.text(&format!(
            "(() => {{ {RECKON}
                const ground = getComputedStyle(document.querySelector('.ground')).fill;
                for (const it of document.querySelectorAll('text')) {{
                    check(it.textContent, getComputedStyle(it).fill, ground, 4.5);
                }}
                for (const it of document.querySelectorAll('.sign, .run, .queue, .never')) {{
                    check(it.parentElement.parentElement.getAttribute('class'), getComputedStyle(it).color, ground, 3);
                }}
                return `${{luminance(pixel(ground)) > 0.5 ? 'light' : 'dark'}}${{found.join(', ')}}`;
            }})()"
        ));
        assert_eq!(found, theme);
    }
}
