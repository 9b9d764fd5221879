//! The stylesheet of pages.

use std::sync::LazyLock;

use axum::Router;

use crate::asset::Asset;
use crate::color::{Color, Palette};

const STYLE: &str = include_str!("../static/style.css");
const MEDIA_TYPE: &str = "text/css; charset=utf-8";

/// The query of the version with the built-in accent.
static QUERY: LazyLock<String> = LazyLock::new(|| asset(String::new(), None).url());

/// The URL of this version, for a stylesheet with the built-in accent that is served at this path.
pub fn url(path: &str) -> String {
    format!("{path}{}", *QUERY)
}

/// Serves the stylesheet with the built-in accent at this path.
pub fn router(path: &str) -> Router {
    asset(path.to_owned(), None).router()
}

/// The stylesheet at this path, with this accent colour.
pub(crate) fn asset(path: String, accent: Option<Color>) -> Asset {
    match accent {
        None => Asset::new(path, MEDIA_TYPE, STYLE),
        Some(accent) => Asset::new(path, MEDIA_TYPE, format!("{STYLE}\n{}", theme(accent))),
    }
}

/// The rules that replace the built-in accent: a policy without `unsafe-inline` permits them only in the file.
fn theme(accent: Color) -> String {
    let root = |Palette { accent, strong, on_accent, tint }: Palette| {
        format!(":root{{--accent:{accent};--accent-strong:{strong};--on-accent:{on_accent};--tint:{tint}}}")
    };
    let (light, dark) = (root(Palette::light(accent)), root(Palette::dark(accent)));
    format!("@media screen{{{light}}}\n@media screen and (prefers-color-scheme:dark){{{dark}}}\n")
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use http::Request;
    use http::header::{CACHE_CONTROL, CONTENT_TYPE};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn stylesheet_is_served_at_its_url() {
        let request = Request::get(url("/style.css")).body(Body::empty()).unwrap();
        let response = router("/style.css").oneshot(request).await.unwrap();
        assert_eq!(response.headers()[CONTENT_TYPE], MEDIA_TYPE);
        assert_eq!(response.headers()[CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(to_bytes(response.into_body(), 1 << 20).await.unwrap(), STYLE);
    }

    #[test]
    fn accent_of_the_operator_is_part_of_the_stylesheet_and_of_its_url() {
        let themed = asset("/style.css".to_owned(), Some("#00aa55".parse().unwrap()));
        assert_ne!(themed.url(), url("/style.css"));
        assert!(theme("#2f50c8".parse().unwrap()).contains("--accent:#2f50c8;"));
    }

    #[test]
    fn stylesheet_loads_nothing() {
        for word in ["@import", "url(", "http:", "https:", "expression("] {
            assert!(!STYLE.contains(word), "{word}");
        }
    }

    /// The custom properties of one `:root` block.
    fn properties(block: &str) -> Vec<(&str, Color)> {
        let lines =
            block.lines().filter_map(|line| line.trim().strip_prefix("--")?.strip_suffix(';')?.split_once(": "));
        lines.filter_map(|(name, value)| Some((name, long(value).parse().ok()?))).collect()
    }

    /// `#abc` as `#aabbcc`.
    fn long(value: &str) -> String {
        if value.len() != 4 {
            return value.to_owned();
        }
        value
            .chars()
            .enumerate()
            .map(|(at, digit)| if at == 0 { "#".to_owned() } else { format!("{digit}{digit}") })
            .collect()
    }

    #[test]
    fn text_and_edges_can_be_seen_in_both_schemes() {
        let mut roots = STYLE.split(":root {").skip(1).map(|rest| rest.split('}').next().unwrap());
        for scheme in ["light", "dark"] {
            let properties = properties(roots.next().unwrap());
            let color = |name: &str| properties.iter().find(|(known, _)| *known == name).expect(name).1;
            for (text, grounds) in [
                ("ink", &["ground", "card", "field", "tint"][..]),
                ("soft", &["ground", "card"]),
                ("accent", &["ground", "card"]),
                ("accent-strong", &["ground", "card"]),
                ("on-accent", &["accent", "accent-strong"]),
                ("error", &["card", "error-tint"]),
                ("on-error", &["error", "error-strong"]),
                ("warning", &["warning-tint"]),
                ("success", &["success-tint"]),
            ] {
                for ground in grounds {
                    let contrast = color(text).contrast(color(ground));
                    assert!(contrast >= 4.5, "{scheme}: {text} on {ground} has {contrast:.2}");
                }
            }
            for ground in ["field", "card", "ground"] {
                let contrast = color("edge").contrast(color(ground));
                assert!(contrast >= 3.0, "{scheme}: edge on {ground} has {contrast:.2}");
            }
        }
    }
}
