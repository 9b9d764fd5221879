//! The notes of a release: its section of the changelog.

/// The section of the changelog for a version, else for what is not released yet; none if that is empty.
pub(super) fn of<'a>(changelog: &'a str, version: &str) -> Option<&'a str> {
    [version, "Unreleased"].iter().find_map(|name| section(changelog, name)).filter(|notes| !notes.is_empty())
}

/// What stands between the heading of a version, with or without its date, and the next one.
fn section<'a>(changelog: &'a str, name: &str) -> Option<&'a str> {
    let is_heading = |rest: &str| {
        let heading = rest.lines().next().unwrap_or_default();
        let version = heading.split([' ', ',']).find(|word| !word.is_empty()).unwrap_or_default();
        version.trim_matches(['[', ']']) == name
    };
    let mut sections = changelog.split("\n## ").skip(1);
    let found = sections.find(|rest| is_heading(rest))?;
    Some(found.split_once('\n').map_or("", |(_, notes)| notes).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGELOG: &str = "# Changelog\n\nText.\n\n## Unreleased\n\n### Added\n\n- A new thing.\n\n## [1.2.0] - 2026-11-29\n\n\
                             - An older thing.\n\n## 1.1.0\n\n- The first thing.\n";

    #[test]
    fn notes_are_the_section_of_the_version() {
        assert_eq!(of(CHANGELOG, "1.2.0"), Some("- An older thing."));
        assert_eq!(of(CHANGELOG, "1.1.0"), Some("- The first thing."));
        assert_eq!(of(CHANGELOG, "1.3.0"), Some("### Added\n\n- A new thing."), "not released yet");
        assert_eq!(of(CHANGELOG, "1.1"), of(CHANGELOG, "1.3.0"), "the beginning of a version is another one");
    }

    #[test]
    fn release_without_notes_is_refused() {
        assert_eq!(of("# Changelog\n\n## Unreleased\n\n## 1.0.0\n\n- A thing.\n", "1.1.0"), None);
        assert_eq!(of("# Changelog\n", "1.0.0"), None);
    }
}
