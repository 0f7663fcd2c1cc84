//! The colours of pages and emails that follow from the accent of the site, with contrasts as in WCAG 2.2.

use crate::config::Accent;

type Colour = [u8; 3];

/// The backgrounds of text with the least contrast in light and dark mode; `style.css` has the same.
const PAPER: Colour = [0xfb, 0xf8, 0xf3];
const NIGHT: Colour = [0x26, 0x22, 0x20];

/// The colours of text on a button.
const LIGHT: Colour = [0xff; 3];
const DARK: Colour = [0; 3];

/// The style sheet with the colours. Buttons have the accent as it is, with light or dark text, whichever is read
/// better, and an edge where the accent is hard to tell from the page. Links have it made darker or lighter until
/// it is readable (7:1, WCAG 2.2 1.4.6): the setting comes from a logo, not from a contrast table.
pub(crate) fn style_sheet(Accent(accent): Accent) -> String {
    let (day, night) = (readable(accent, PAPER, 0), readable(accent, NIGHT, 255));
    let edge = |ground, link| if contrast(accent, ground) < 3.0 { link } else { accent };
    let (edge_by_day, edge_by_night) = (edge(PAPER, day), edge(NIGHT, night));
    let (fill, on_fill) = button(Accent(accent));
    format!(
        ".vestibule{{--accent:light-dark({},{});--fill:{fill};--on-fill:{on_fill};--fill-edge:light-dark({},{})}}\n",
        hex(day),
        hex(night),
        hex(edge_by_day),
        hex(edge_by_night),
    )
}

/// A button's background and text: the accent as it is, and light or dark.
pub(crate) fn button(Accent(accent): Accent) -> (String, String) {
    (hex(accent), hex(text_on(accent)))
}

/// Light or dark, whichever has more contrast. One of the two has 4.5:1 (WCAG 2.2 1.4.3) on any colour.
fn text_on(fill: Colour) -> Colour {
    if contrast(LIGHT, fill) >= contrast(DARK, fill) { LIGHT } else { DARK }
}

fn readable(mut colour: Colour, ground: Colour, towards: u8) -> Colour {
    while contrast(colour, ground) < 7.0 && colour != [towards; 3] {
        colour = colour.map(|part| {
            if part < towards { part + 1 } else { part.saturating_sub(u8::from(part > towards)) }
        });
    }
    colour
}

/// WCAG 2.2, "contrast ratio".
fn contrast(a: Colour, b: Colour) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// WCAG 2.2, "relative luminance".
fn luminance(colour: Colour) -> f64 {
    let [r, g, b] = colour.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn hex([r, g, b]: Colour) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCENTS: [Colour; 7] = [
        [0; 3],
        [255; 3],
        [0x8a, 0x3b, 0x12],
        [255, 255, 0],
        [0, 0, 255],
        [0x77, 0x77, 0x77],
        [0xff, 0x66, 0],
    ];

    #[test]
    fn any_accent_reads_well_by_day_and_by_night() {
        for accent in ACCENTS {
            assert!(contrast(readable(accent, PAPER, 0), PAPER) >= 7.0, "{accent:?}");
            assert!(contrast(readable(accent, NIGHT, 255), NIGHT) >= 7.0, "{accent:?}");
        }
    }

    #[test]
    fn a_button_has_the_accent_as_it_is_and_text_that_reads_well() {
        for accent in ACCENTS {
            let sheet = style_sheet(Accent(accent));
            assert!(sheet.contains(&format!("--fill:{};", hex(accent))), "{sheet}");
        }
        let every = (0..=255_u8).step_by(15);
        for r in every.clone() {
            for g in every.clone() {
                for b in every.clone() {
                    let fill = [r, g, b];
                    assert!(contrast(text_on(fill), fill) >= 4.5, "{fill:?}");
                }
            }
        }
        assert_eq!(text_on([0xff, 0xd4, 0]), DARK);
        assert_eq!(text_on([0x8a, 0x3b, 0x12]), LIGHT);
    }

    #[test]
    fn a_button_that_is_hard_to_tell_from_the_page_has_an_edge() {
        let edges = |accent| style_sheet(Accent(accent)).split("edge:").last().unwrap().to_owned();
        assert!(edges([255; 3]).contains(",#ffffff)"), "an edge by day alone");
        assert!(!edges([255; 3]).contains("(#ffffff"));
        assert!(edges([0; 3]).starts_with("light-dark(#000000,"), "an edge by night alone");
        assert!(!edges([0; 3]).contains(",#000000"));
    }

    #[test]
    fn the_grounds_are_those_of_the_style_sheet() {
        let sheet = include_str!("../static/style.css");
        assert!(sheet.contains(&format!("--ground: light-dark({},", hex(PAPER))));
        assert!(sheet.contains(&format!("--raised: light-dark(#ffffff, {})", hex(NIGHT))));
        // Browsers draw their own frame in the colour of the page.
        let (_, ground) = sheet.split_once("--ground: light-dark(").unwrap();
        let (day, night) = ground.split(')').next().unwrap().split_once(", ").unwrap();
        let layout = include_str!("../templates/layout.html");
        for (colour, scheme) in [(day, "light"), (night, "dark")] {
            let line = format!("content=\"{colour}\" media=\"(prefers-color-scheme: {scheme})\"");
            assert!(layout.contains(&line), "{line}");
        }
    }
}
