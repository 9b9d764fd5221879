use super::*;
use crate::i18n::Language;

const HOSTILE: &str = "<b>\"'&";

fn installation(settings: &PageSettings) -> Installation {
    Installation::new(settings, &Assets::new("/static", settings))
}

fn message(page: Page<'_, ()>) -> String {
    Message { page, text: "Text", detail: None }.render().unwrap()
}

#[test]
fn page_of_an_installation_has_its_icon_logo_and_links() {
    let settings = PageSettings {
        name: "Cloud".to_owned(),
        logo_url: "https://example.org/logo.svg?a=1&b=2".to_owned(),
        imprint_url: "https://example.org/imprint".to_owned(),
        help_url: "https://example.org/help".to_owned(),
        ..PageSettings::default()
    };
    let installation = installation(&settings);
    for (language, imprint) in
        [(Language::English, "Imprint"), (Language::German, "Impressum"), (Language::French, "Mentions légales")]
    {
        let html = message(installation.page("Title", language, &()));
        assert!(html.contains("<link rel=\"icon\" type=\"image/svg+xml\" href=\"/static/icon.svg?v="), "{html}");
        assert!(html.contains("src=\"https://example.org/logo.svg?a=1&#38;b=2\" alt=\"\""), "{html}");
        assert!(html.contains(&format!(
            "<a href=\"https://example.org/imprint\" target=\"_blank\" rel=\"noopener noreferrer\">{imprint}"
        )));
        assert!(html.contains("https://example.org/help") && !html.contains("<span class=\"mark\""), "{html}");
        assert!(!html.contains("<script"), "{html}");
    }
}

#[test]
fn page_without_settings_has_the_initial_and_no_links() {
    let settings = PageSettings::default();
    let html = message(installation(&settings).page("Title", Language::English, &()));
    assert!(html.contains("<span class=\"mark\" aria-hidden=\"true\">D</span>") && !html.contains("<footer"), "{html}");
    let page =
        Page { title: "T", site_name: "S", language: "en", style: "/s.css", words: &(), shell: Shell::default() };
    assert!(message(page).contains("<link rel=\"icon\" href=\"data:,\">"));
}

#[test]
fn script_request_id_and_link_are_shown_where_a_page_has_them() {
    let settings = PageSettings { name: HOSTILE.to_owned(), ..PageSettings::default() };
    let installation = installation(&settings);
    let page = || installation.page("Title", Language::French, &());
    assert!(message(page().with_script()).contains("<script src=\"/static/comfort.js?v="));
    let html = message(page().with_request_id(Some(HOSTILE)).with_link(Some(Link { href: "/", text: HOSTILE })));
    assert!(html.contains("Identifiant de la requête\u{a0}: <code>&#60;b&#62;"), "{html}");
    assert!(html.contains("<a class=\"button\" href=\"/\">&#60;b&#62;"), "{html}");
    assert!(!html.contains("<b>"), "{html}");
}

#[test]
fn icon_is_the_escaped_initial_on_the_accent() {
    let icon = |name: &str, accent: &str| {
        let settings =
            PageSettings { name: name.to_owned(), accent_color: accent.to_owned(), ..PageSettings::default() };
        format!("{:?}", Assets::new("/static", &settings).icon)
    };
    assert!(icon("cloud", "").contains(">C</text>") && icon("cloud", "").contains("#2f50c8"));
    assert!(icon("<", "#004400").contains(">&#60;</text>") && icon("<", "#004400").contains("#004400"));
}

#[test]
fn files_are_found_by_their_path_only() {
    let assets = Assets::new("/static", &PageSettings::default());
    assert!(
        ["/static/style.css", "/static/icon.svg", "/static/comfort.js"].iter().all(|path| assets.find(path).is_some())
    );
    assert!(assets.find("/static/").is_none() && assets.find("/static/style.css/").is_none());
}

#[test]
fn initials_are_of_the_first_and_the_last_word() {
    assert_eq!(["Albert Einstein", "marie  salomea curie", "ßmith", " ", ""].map(initials), ["AE", "MC", "SS", "", ""]);
}

#[test]
fn shell_has_every_text_in_every_language() {
    let texts = |language: Language| format!("{:?}", Texts::of(language.tag()));
    assert_ne!(texts(Language::English), texts(Language::German));
    assert_ne!(texts(Language::English), texts(Language::French));
    assert_eq!(Texts::of("tlh").help, "Help");
    for language in Language::ALL {
        assert!(!texts(language).contains("\"\""), "{language:?}");
    }
}
