//! The installation as its pages show it, and the files that they load.

use askama::Template;
use axum::Router;

use super::{Link, Page, PageSettings, Shell, initial};
use crate::asset::Asset;
use crate::color::{Color, Palette};
use crate::i18n::Language;
use crate::style;

/// The script for comfort. Every page works without it.
const SCRIPT: &str = include_str!("../../static/comfort.js");
/// The accent of the built-in palette.
const ACCENT: &str = "#2f50c8";

/// The files that pages of a service load.
#[derive(Debug, Clone)]
pub struct Assets {
    /// The stylesheet, with the operator's accent colour.
    pub style: Asset,
    /// The icon of the window: the initial on the accent colour.
    pub icon: Asset,
    /// The script that shows passwords and copies codes.
    pub script: Asset,
}

/// The icon, as SVG.
#[derive(Template)]
#[template(path = "icon.svg", escape = "html")]
struct Icon<'a> {
    initial: &'a str,
    palette: Palette,
}

impl Assets {
    /// The files of a service, at `style.css`, `icon.svg` and `comfort.js` below a path.
    pub fn new(root: &str, settings: &PageSettings) -> Self {
        let accent = settings.accent();
        let palette = accent.or_else(|| ACCENT.parse::<Color>().ok()).map(Palette::light);
        let initial = initial(&settings.name);
        let icon = palette.and_then(|palette| Icon { initial: &initial, palette }.render().ok()).unwrap_or_default();
        Self {
            style: style::asset(format!("{root}/style.css"), accent),
            icon: Asset::new(format!("{root}/icon.svg"), "image/svg+xml", icon),
            script: Asset::new(format!("{root}/comfort.js"), "text/javascript; charset=utf-8", SCRIPT),
        }
    }

    /// The file at a path.
    pub fn find(&self, path: &str) -> Option<&Asset> {
        [&self.style, &self.icon, &self.script].into_iter().find(|asset| asset.path() == path)
    }

    /// Serves the files.
    pub fn router(&self) -> Router {
        self.style.router().merge(self.icon.router()).merge(self.script.router())
    }
}

/// The installation as its pages show it.
#[derive(Debug, Clone)]
pub struct Installation {
    settings: PageSettings,
    style: String,
    icon: String,
    script: String,
}

impl Installation {
    /// With these settings, and these files.
    pub fn new(settings: &PageSettings, assets: &Assets) -> Self {
        let Assets { style, icon, script } = assets;
        Self { settings: settings.clone(), style: style.url(), icon: icon.url(), script: script.url() }
    }

    /// The settings.
    pub fn settings(&self) -> &PageSettings {
        &self.settings
    }

    /// The URL of the icon.
    pub fn icon_url(&self) -> &str {
        &self.icon
    }

    /// The URL of the script.
    pub fn script_url(&self) -> &str {
        &self.script
    }

    /// A page of the installation.
    pub fn page<'a, W: 'static>(&'a self, title: &'a str, language: Language, words: &'static W) -> Page<'a, W> {
        Page {
            title,
            site_name: &self.settings.name,
            language: language.tag(),
            style: &self.style,
            words,
            shell: Shell { installation: Some(self), ..Shell::default() },
        }
    }
}

impl<'a, W: 'static> Page<'a, W> {
    /// The same page with the script.
    #[must_use]
    pub fn with_script(self) -> Self {
        Self { shell: Shell { has_script: true, ..self.shell }, ..self }
    }

    /// The same page with the id of the request, if there is one.
    #[must_use]
    pub fn with_request_id(self, request_id: Option<&'a str>) -> Self {
        Self { shell: Shell { request_id, ..self.shell }, ..self }
    }

    /// The same page with a link below its text.
    #[must_use]
    pub fn with_link(self, onward: Option<Link<'a>>) -> Self {
        Self { shell: Shell { onward, ..self.shell }, ..self }
    }
}
