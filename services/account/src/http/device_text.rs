//! What a browser or program calls itself (`User-Agent`, RFC 9110, section 10.1.5), in short.

use super::access_words::AccessWords;

/// The longest name of a program that is shown, in characters.
const MAX_NAME: usize = 64;
/// Browsers by the product that names them. Most name others too, with which they are compatible: the first one here counts.
const BROWSERS: [(&str, &str); 9] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];
/// Systems by what names them, in the same way.
const SYSTEMS: [(&str, &str); 7] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
];

/// The browser and its system, or the name of a program. It is what the client claims, and proves nothing.
pub(super) fn summary(user_agent: &str, texts: &AccessWords) -> String {
    let named = |names: &[(&str, &'static str)]| {
        names.iter().find(|(part, _)| user_agent.contains(part)).map(|(_, name)| *name)
    };
    if !user_agent.starts_with("Mozilla/") {
        let name: String =
            user_agent.split(['/', ' ', '(']).next().unwrap_or_default().chars().take(MAX_NAME).collect();
        return if name.is_empty() { texts.unknown_device.to_owned() } else { name };
    }
    match (named(&BROWSERS), named(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} · {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => texts.unknown_device.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use web::i18n::Language;

    use super::super::access_words::access_words;
    use super::*;

    #[test]
    fn browser_and_system_are_named() {
        let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
        let iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                      Version/18.6 Mobile/15E148 Safari/604.1";
        let summary = |user_agent: &str| summary(user_agent, access_words(Language::English));
        assert_eq!(summary(chrome), "Chrome · Windows");
        assert_eq!(summary(&format!("{chrome} Edg/142.0.0.0")), "Edge · Windows");
        assert_eq!(summary(iphone), "Safari · iPhone");
        assert_eq!(
            summary("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
            "Firefox · Linux"
        );
        assert_eq!(summary("mirall/5.0 (Desktop)"), "mirall");
        assert_eq!(summary(&"x".repeat(1000)).len(), MAX_NAME);
        for unknown in ["", "Mozilla/5.0", "(compatible)"] {
            assert_eq!(summary(unknown), "Unknown browser or program", "{unknown}");
        }
    }
}
