//! Colours of pages, and the contrast that the Web Content Accessibility Guidelines demand (WCAG 2.2, 1.4.3 and 1.4.11).

use std::fmt;
use std::str::FromStr;

/// The contrast of text and its ground (WCAG 2.2 1.4.3, level AA).
const TEXT_CONTRAST: f64 = 4.5;
/// By how many percent an accent colour is darkened or lightened at a time, until it can be read.
const STEP: usize = 4;

const WHITE: Color = Color(255, 255, 255);
const BLACK: Color = Color(0, 0, 0);
/// The darkest ground of text in the light scheme, `--ground` of the stylesheet.
const LIGHT_GROUND: Color = Color(0xee, 0xf1, 0xf6);
/// The lightest ground of text in the dark scheme, `--card` of the stylesheet.
const DARK_CARD: Color = Color(0x18, 0x1c, 0x25);
/// The text on an accent in the dark scheme, where accents are light.
const DARK_ON_ACCENT: Color = Color(0x0b, 0x0e, 0x14);

/// An opaque colour in sRGB. It is written `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color(u8, u8, u8);

/// A text that is not of the form `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be # and six hexadecimal digits, like #2f50c8")]
pub struct InvalidColor;

impl FromStr for Color {
    type Err = InvalidColor;

    fn from_str(text: &str) -> Result<Self, InvalidColor> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6).ok_or(InvalidColor)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(InvalidColor);
        }
        let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| InvalidColor);
        Ok(Self(part(0)?, part(2)?, part(4)?))
    }
}

impl fmt::Display for Color {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(red, green, blue) = self;
        write!(out, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Color {
    /// The contrast of two colours, from 1 to 21 (WCAG 2.2, "contrast ratio").
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// The relative luminance, from 0 to 1 (WCAG 2.2, "relative luminance").
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let Self(red, green, blue) = self;
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    /// This colour with so many percent of another one.
    fn mixed(self, other: Self, percent: usize) -> Self {
        let part = |own: u8, other: u8| {
            let sum = usize::from(own) * (100 - percent) + usize::from(other) * percent;
            u8::try_from((sum + 50) / 100).unwrap_or(u8::MAX)
        };
        Self(part(self.0, other.0), part(self.1, other.1), part(self.2, other.2))
    }

    /// The nearest colour in the direction of another one that can be read on a ground.
    fn readable(self, on: Self, towards: Self) -> Self {
        let nearer = (0..=100).step_by(STEP).map(|percent| self.mixed(towards, percent));
        nearer.into_iter().find(|color| color.contrast(on) >= TEXT_CONTRAST).unwrap_or(towards)
    }
}

/// The colours of the stylesheet that follow from the accent colour, in one scheme. Text in the accent colour and text on it can be
/// read, whichever colour the operator has chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Palette {
    /// Links and the ground of buttons.
    pub(crate) accent: Color,
    /// The same under the pointer.
    pub(crate) strong: Color,
    /// Text on both.
    pub(crate) on_accent: Color,
    /// A ground with a shade of the accent.
    pub(crate) tint: Color,
}

impl Palette {
    /// In the light scheme.
    pub(crate) fn light(accent: Color) -> Self {
        let readable = accent.readable(LIGHT_GROUND, BLACK);
        Self { accent: readable, strong: readable.mixed(BLACK, 20), on_accent: WHITE, tint: WHITE.mixed(readable, 10) }
    }

    /// In the dark scheme.
    pub(crate) fn dark(accent: Color) -> Self {
        let readable = accent.readable(DARK_CARD, WHITE);
        Self {
            accent: readable,
            strong: readable.mixed(WHITE, 30),
            on_accent: DARK_ON_ACCENT,
            tint: DARK_CARD.mixed(readable, 12),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn color(text: &str) -> Color {
        text.parse().unwrap()
    }

    #[test]
    fn contrast_is_that_of_the_guidelines() {
        assert!((WHITE.contrast(BLACK) - 21.0).abs() < 0.001);
        assert!((BLACK.contrast(WHITE) - 21.0).abs() < 0.001);
        assert!((WHITE.contrast(WHITE) - 1.0).abs() < 0.001);
        // the lightest grey that can be read on white
        assert!(color("#767676").contrast(WHITE) >= TEXT_CONTRAST);
        assert!(color("#777777").contrast(WHITE) < TEXT_CONTRAST);
    }

    #[test]
    fn only_six_digits_are_a_color() {
        assert_eq!(color("#2F50c8").to_string(), "#2f50c8");
        for bad in ["", "#fff", "2f50c8", "#2f50c", "#2f50c80", "#2f50cg", "#+f50c8", "red", "#fff;}a", "#ééé"] {
            assert_eq!(bad.parse::<Color>(), Err(InvalidColor), "{bad}");
        }
    }

    #[test]
    fn readable_accent_stays_as_it_is() {
        assert_eq!(Palette::light(color("#2f50c8")).accent, color("#2f50c8"));
        assert_eq!(Palette::dark(color("#9db4ff")).accent, color("#9db4ff"));
        assert_ne!(Palette::light(color("#ffff00")).accent, color("#ffff00"));
    }

    proptest! {
        #[test]
        fn every_accent_can_be_read(red: u8, green: u8, blue: u8) {
            let accent = Color(red, green, blue);
            let (light, dark) = (Palette::light(accent), Palette::dark(accent));
            for (palette, grounds, ink) in [
                (light, [LIGHT_GROUND, WHITE], color("#161b26")),
                (dark, [DARK_CARD, color("#0e1117")], color("#eceff5")),
            ] {
                for ground in grounds {
                    prop_assert!(palette.accent.contrast(ground) >= TEXT_CONTRAST, "{palette:?}");
                    prop_assert!(palette.strong.contrast(ground) >= TEXT_CONTRAST, "{palette:?}");
                }
                prop_assert!(palette.on_accent.contrast(palette.accent) >= TEXT_CONTRAST, "{palette:?}");
                prop_assert!(palette.on_accent.contrast(palette.strong) >= TEXT_CONTRAST, "{palette:?}");
                prop_assert!(ink.contrast(palette.tint) >= TEXT_CONTRAST, "{palette:?}");
                prop_assert!(palette.accent.contrast(palette.tint) >= 3.0, "{palette:?}");
            }
        }
    }
}
